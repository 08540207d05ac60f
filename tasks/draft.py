"""A model spec made on the command line: drafted from a data file, or changed by `--set`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from itertools import product
from pathlib import Path
from re import sub
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from tasks import memory, spec_file
from tasks.spec import ModelSpec, SpecError, format_duration, parse_duration

if TYPE_CHECKING:
    import pyarrow as pa

_FEW = 50  # distinct values up to which a text is a category, and a label has classes
_WINDOWS = 8  # windows of the first training


def find(model: str) -> dict[str, Any]:
    """Return what the spec of this name, or in this file, says beyond the defaults.

    Raises
    ------
    SpecError
        If it cannot be used.
    """
    path = Path(model)
    known = path.suffix in (".yaml", ".yml") or path.exists()
    spec = spec_file.load(path) if known else spec_file.find(model)
    return spec.model_dump(exclude_defaults=True)


def drafted(
    path: str, time: str, label: str, every: str, ignore: Sequence[str] = ()
) -> tuple[dict[str, Any], list[str]]:
    """Return a spec for the rows of a Parquet or CSV file, and the columns it leaves out.

    Numbers and booleans become numeric features, texts of at most 50 distinct values categorical
    ones, other texts text. All that the file does not tell is at its default, but that features
    which stood still are measured when they move, and that nobody is asked.

    Raises
    ------
    SpecError
        If the file or a column cannot be used; says what to do.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    data = _dataset(path)
    schema = data.schema
    for option, name in [("time", time), ("label", label), *(("ignore", n) for n in ignore)]:
        if name not in schema.names:
            raise SpecError(f"--{option} {name}: {path} has: {', '.join(schema.names)}")
    if not t.is_timestamp(schema.field(time).type):
        kind = schema.field(time).type
        raise SpecError(
            f"--time {time}: it is {kind}, not a timestamp; write it as one, such as "
            "2026-01-31T00:00:00"
        )
    features: dict[str, list[str]] = {"numeric": [], "categorical": [], "text": []}
    left_out = []
    for field in schema:
        kind = field.type.value_type if t.is_dictionary(field.type) else field.type
        if field.name in (time, label, *ignore):
            continue
        if any(f(kind) for f in (t.is_integer, t.is_floating, t.is_decimal, t.is_boolean)):
            features["numeric"].append(field.name)
        elif t.is_string(kind) or t.is_large_string(kind):
            few = len(_distinct(data, field.name)) <= _FEW
            features["categorical" if few else "text"].append(field.name)
        else:
            left_out.append(f"{field.name} ({kind})")
    first = pc.min(data.to_table(columns=[time]).column(time).cast(pa.timestamp("s"), safe=False))
    if not first.is_valid:
        raise SpecError(f"--time {time}: no row of {path} has a time")
    length = _duration(every)
    return {
        "model": _name(path),
        "owner": {"name": "nobody yet"},
        "source": {"path": path, "time": time, "key": time},
        "window": {"every": every, "start": first.as_py().date()},
        "features": {kind: names for kind, names in features.items() if names},
        "label": {"column": label, "classes": _classes(data, label)},
        "validation": {"constant_feature": "measure"},
        "training": {"window": format_duration(_WINDOWS * length)},
        "approval": {"retrain": "automatic", "promote": "automatic"},
    }, left_out


def _name(path: str) -> str:
    stem = Path(path).name.partition(".")[0].lower()
    return sub(r"^[^a-z]+|_$", "", sub(r"[^a-z0-9]+", "_", stem)) or "drafted"


def _duration(every: str) -> Any:
    try:
        return parse_duration(every)
    except ValueError as error:
        raise SpecError(f"--window {every}: {error}") from None


def _dataset(path: str) -> Any:
    import fsspec
    import pyarrow as pa
    import pyarrow.dataset as ds

    try:
        fs, inner = fsspec.core.url_to_fs(path)
        found = sorted(fs.glob(inner)) if "*" in inner else [inner]
        if not found:
            raise FileNotFoundError(path)
        kind = "csv" if inner.endswith((".csv", ".csv.gz")) else "parquet"
        memory.look_through(fs, found)
        return ds.dataset(found, format=kind, filesystem=fs)
    except (pa.ArrowException, OSError, ImportError, ValueError) as error:
        raise SpecError(
            f"--data {path}: cannot be read as Parquet or CSV ({type(error).__name__}); name a "
            "file that is there and ends in .parquet, .csv or .csv.gz"
        ) from None


def _distinct(data: Any, name: str) -> pa.Array:
    import pyarrow.compute as pc

    found = pc.unique(data.to_table(columns=[name]).column(name))
    return found.drop_null()


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
        part = whole
        for depth, name in enumerate(above, start=1):
            part = part.setdefault(name, {})
            if not isinstance(part, dict):
                parent = ".".join(above[:depth])
                raise SpecError(f"{path}: `{parent}` has no parts; replace it as a whole")
        part[last] = value
    return whole


def checked(raw: Mapping[str, Any], origin: str) -> ModelSpec:
    """Return the spec that this is.

    Raises
    ------
    SpecError
        If it cannot be used; names where it is from, and in one line per mistake YAML path, value
        and remedy.
    """
    try:
        return ModelSpec.model_validate(raw)
    except ValidationError as error:
        lines = [spec_file.explain(item) for item in error.errors()]
        raise SpecError("\n".join([f"{origin}: {len(lines)} mistake(s)", *lines])) from None


def setting(text: str) -> tuple[str, Any]:
    """Return the YAML path and the value of `path=value`. Raises SpecError if it is not that."""
    path, equals, value = text.partition("=")
    if not (path and equals):
        raise SpecError(f"--set {text}: write path=value, such as latch.open.breaches=3")
    return path, _parsed("--set", text, value)


def grid(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return all combinations of settings that texts like `path=v1,v2` name."""
    axes = []
    for text in texts:
        path, equals, listed = text.partition("=")
        values = _parsed("--sweep", text, f"[{listed}]")
        if not (path and equals and values):
            raise SpecError(f"--sweep {text}: write path=v1,v2, such as drift.ks.effect=0.1,0.2")
        axes.append([(path, value) for value in values])
    return [dict(point) for point in product(*axes)] if axes else []


def _parsed(option: str, text: str, value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        raise SpecError(f"{option} {text}: the value is not YAML; put it in quotes") from None


def as_yaml(raw: Mapping[str, Any]) -> str:
    """Return a spec as one would write it to `models/<name>.yaml`."""
    return yaml.safe_dump(dict(raw), sort_keys=False, default_flow_style=None, width=100)
