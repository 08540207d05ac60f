"""A model spec made on the command line: drafted from a data file, or changed by `--set`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import date
from itertools import product
from pathlib import Path
from re import sub
from typing import TYPE_CHECKING, Any

import yaml

from tasks.data import csv_file, memory
from tasks.data.guess import COLUMN_KINDS, ColumnKind, Guess, guess
from tasks.formats import parsed_json
from tasks.spec import spec_files, spec_yaml
from tasks.spec.part import SpecError, format_duration, parse_duration

if TYPE_CHECKING:
    import pyarrow as pa


_FEW = 50  # classes of a label
_WINDOWS = 8  # windows of the first training
_POINTS = 1_000  # combinations of a sweep, each of which is played


def find_written(model: str) -> dict[str, Any]:
    """Return what the spec of this name, or in this file, says beyond the defaults.

    Raises
    ------
    SpecError
        If it cannot be used.
    """
    path = Path(model)
    known = path.suffix in (".yaml", ".yml") or os.path.exists(path)  # of any text, however long
    spec = spec_files.load_spec(path) if known else spec_files.find(model)
    return spec.model_dump(exclude_defaults=True)


def drafted(
    path: str,
    time: str,
    label: str,
    every: str,
    ignore: Sequence[str] = (),
    given: Mapping[str, ColumnKind] | None = None,
) -> tuple[dict[str, Any], list[Guess]]:
    """Return a spec for the rows of a Parquet or CSV file, and what each column is taken for.

    All that the file does not tell is at its default, but that features which stood still are
    measured when they move, and that nobody is asked.

    Parameters
    ----------
    given
        What columns are, by name, whatever they look like.

    Raises
    ------
    SpecError
        If the file or a column cannot be used, or no feature is left; says what to do.
    """
    given = given or {}
    data = _dataset(path)
    schema = data.schema
    asked = [("time", time), ("label", label), *(("ignore", n) for n in ignore)]
    for option, name in [*asked, *(("as", name) for name in given)]:
        if name not in schema.names:
            raise SpecError(f"--{option} {name}: {path} has: {', '.join(schema.names)}")
    first = _first(data, path, time)
    columns = _Columns(path, data)
    guesses = []
    for name in schema.names:
        if name in (time, label):
            continue
        if name in ignore:
            guesses.append(Guess(name, "left out", "--ignore"))
        elif name in given:
            guesses.append(Guess(name, given[name], "--as"))
        else:
            guesses.append(columns.guess(name))
    features = {kind: [g.column for g in guesses if g.kind == kind] for kind in COLUMN_KINDS}
    if not any(features.values()):
        told = "; ".join(f"{g.column}: {g.why}" for g in guesses) or "there is no other column"
        raise SpecError(f"--data {path}: no column is a feature ({told}); name one with --as")
    length = _duration(every)
    return {
        "model": _name(path),
        "owner": {"name": "nobody yet"},
        "source": {"path": path, "time": time, "key": time},
        "window": {"every": every, "start": first},
        "features": {kind: names for kind, names in features.items() if names},
        "label": {"column": label, "classes": _classes(data, label)},
        "validation": {"constant_feature": "measure"},
        "training": {"window": format_duration(_WINDOWS * length)},
        "approval": dict.fromkeys(("retrain", "promote", "rollback"), "automatic"),
    }, guesses


def _first(data: Any, path: str, time: str) -> date:
    """Return the day of the first row."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = data.schema.field(time).type
    if not pa.types.is_timestamp(kind):
        raise SpecError(
            f"--time {time}: it is {kind}, not a timestamp; write it as one, such as "
            "2026-01-31T00:00:00"
        )
    first = pc.min(_read(data, time).cast(pa.timestamp("s"), safe=False))
    if not first.is_valid:
        raise SpecError(f"--time {time}: no row of {path} has a time")
    found: date = first.as_py().date()
    return found


class _Columns:
    """The columns of a file as they stand there: those of a CSV are texts, but times and dates."""

    def __init__(self, path: str, data: Any) -> None:
        import pyarrow as pa

        self._written = csv_file.is_csv(path)
        self._data = data
        self._index = _index_columns(data.schema)
        if self._written:
            fields = [
                f if pa.types.is_temporal(f.type) else pa.field(f.name, pa.string())
                for f in data.schema
            ]
            self._data = _dataset(path, pa.schema(fields))

    def guess(self, name: str) -> Guess:
        values = _read(self._data, name)
        return guess(name, values, index=name in self._index, written=self._written)


def _index_columns(schema: pa.Schema) -> set[str]:
    """Return the columns that pandas wrote for the index of a frame."""
    try:
        known = parsed_json((schema.metadata or {}).get(b"pandas", b"{}"))
        return {name for name in known.get("index_columns", []) if isinstance(name, str)}
    except (ValueError, AttributeError, TypeError):  # not as pandas writes it
        return set()


def _read(data: Any, name: str) -> pa.ChunkedArray:
    import pyarrow as pa

    try:
        return data.to_table(columns=[name]).column(0)
    except pa.ArrowInvalid:  # its text quotes the row
        raise SpecError(
            f"column {name}: not all of it is {data.schema.field(name).type}, as its first rows "
            "are; write it in one type"
        ) from None


def _name(path: str) -> str:
    stem = Path(path).name.partition(".")[0].lower()
    return sub(r"^[^a-z]+|_$", "", sub(r"[^a-z0-9]+", "_", stem)) or "drafted"


def _duration(every: str) -> Any:
    try:
        return parse_duration(every)
    except ValueError as error:
        raise SpecError(f"--window {every}: {error}") from None


def _dataset(path: str, schema: pa.Schema | None = None) -> Any:
    import fsspec
    import pyarrow as pa
    import pyarrow.dataset as ds

    try:
        fs, inner = fsspec.core.url_to_fs(path)
        found = sorted(fs.glob(inner)) if "*" in inner else [inner]
        if not found:
            raise FileNotFoundError(path)
        kind = "csv" if csv_file.is_csv(inner) else "parquet"
        memory.look_through(fs, found)
        return ds.dataset(found, schema, format=kind, filesystem=fs)
    except (pa.ArrowException, OSError, ImportError, ValueError) as error:
        raise SpecError(
            f"--data {path}: cannot be read as Parquet or CSV ({type(error).__name__}); name a "
            "file that is there and ends in .parquet, .csv or .csv.gz"
        ) from None


def _distinct(data: Any, name: str) -> pa.Array:
    import pyarrow.compute as pc

    return pc.unique(_read(data, name)).drop_null()


def _classes(data: Any, label: str) -> list[int | str]:
    values = [v for v in _distinct(data, label).to_pylist() if v == v]  # NaN is no label
    if not 2 <= len(values) <= _FEW:
        raise SpecError(
            f"--label {label}: {len(values)} distinct values; a label has 2 to {_FEW} classes"
        )
    classes = [int(v) if isinstance(v, bool | float) and v == int(v) else v for v in values]
    if not all(isinstance(v, int | str) for v in classes):
        raise SpecError(f"--label {label}: classes are whole numbers or texts; write it as such")
    return sorted(classes)


def changed(raw: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a spec with the values at some YAML paths, such as `latch.open.breaches`, replaced.

    Raises
    ------
    SpecError
        If a path leads through a value that has no parts.
    """
    whole = deepcopy(dict(raw))
    for path, value in settings.items():
        *above, last = path.split(".")
        if len(above) > spec_yaml.DEPTH:
            raise SpecError(
                f"{path[:60]}…: deeper than {spec_yaml.DEPTH} parts; a spec has no such"
            )
        part = whole
        for depth, name in enumerate(above, start=1):
            part = part.setdefault(name, {})
            if not isinstance(part, dict):
                parent = ".".join(above[:depth])
                raise SpecError(f"{path}: `{parent}` has no parts; replace it as a whole")
        part[last] = value
    return whole


def setting(text: str) -> tuple[str, Any]:
    """Return the YAML path and the value of `path=value`. Raises SpecError if it is not that."""
    path, equals, value = text.partition("=")
    if not (path and equals):
        raise SpecError(f"--set {text}: write path=value, such as latch.open.breaches=3")
    return path, _parsed("--set", text, value)


def taken(text: str) -> tuple[str, ColumnKind]:
    """Return the column and kind of `column=kind`. Raises SpecError if it is not that."""
    column, _, kind = text.rpartition("=")
    for known in COLUMN_KINDS:
        if column and kind == known:
            return column, known
    raise SpecError(f"--as {text}: write COLUMN=KIND, where KIND is {', '.join(COLUMN_KINDS)}")


def grid(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return all combinations of settings that texts like `path=v1,v2` name."""
    axes = []
    points = 1
    for text in texts:
        path, equals, listed = text.partition("=")
        values = _parsed("--sweep", text, f"[{listed}]")
        if not (path and equals and values):
            raise SpecError(f"--sweep {text}: write path=v1,v2, such as drift.ks.effect=0.1,0.2")
        axes.append([(path, value) for value in values])
        points *= len(values)
        if points > _POINTS:
            raise SpecError(f"--sweep {path}: more than {_POINTS} combinations; try fewer values")
    return [dict(point) for point in product(*axes)] if axes else []


def _parsed(option: str, text: str, value: str) -> Any:
    try:
        return spec_yaml.parse(value)
    except spec_yaml.UnreadableYaml as error:
        shown = f"{option} {text[:200]}"
        if error.at_path:
            raise SpecError(f"{shown}: {error.mistakes[0]}") from None
        raise SpecError(f"{shown}: the value is not YAML; put it in quotes") from None


def as_yaml(raw: Mapping[str, Any]) -> str:
    """Return a spec as one would write it to `models/<name>.yaml`."""
    return yaml.safe_dump(dict(raw), sort_keys=False, default_flow_style=None, width=100)
