"""The rows of a window and its labels from files, each read by what its type needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING

from tasks.bounds import shifted
from tasks.data import csv_file
from tasks.data.outside import Outside, span_of
from tasks.data.readers import SourcePart, files, parquet, read_parquet, require_columns, unreadable
from tasks.data.rows_of_csv import CsvOfWindow
from tasks.data.rows_of_parquet import ParquetOfWindow
from tasks.data.unpacking import BATCH_ROWS
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa


def parts(
    spec: ModelSpec, window: Window, wanted: tuple[str, ...], outside: Outside | None
) -> list[SourcePart]:
    """Return the files that may hold rows of a window, in the order of day and name.

    Each is opened to learn its types; what it holds is read later.
    """
    last = window.end - timedelta(microseconds=1)
    names = files(spec.source, "source", window.start, last, spec.window.timezone)
    return parts_of(names, spec, window, wanted, outside)


def parts_of(
    names: Mapping[str, date | None],
    spec: ModelSpec,
    window: Window,
    wanted: tuple[str, ...],
    outside: Outside | None,
) -> list[SourcePart]:
    """Return those of the named files that may hold rows of a window, in their order.

    A file is named by its URL; beside it stands its day, if it has one.
    """
    import fsspec

    found = []
    for name, day in names.items():
        fs, path = fsspec.core.url_to_fs(name)
        of_window = CsvOfWindow if csv_file.is_csv(path) else ParquetOfWindow
        part = of_window(
            spec=spec,
            window=window,
            wanted=wanted,
            name=name,
            span=span_of(spec.window, day),
            outside=outside,
            fs=fs,
            path=path,
        ).part()
        found += [part] if part is not None else []
    return found


def labels(
    spec: ModelSpec, window: Window, columns: list[str]
) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield batches of key and label, and what file each is from."""
    place = spec.label.source
    assert place is not None
    last = shifted(window.end, spec.label.delay)
    for name in files(place, place.option, window.start, last, spec.window.timezone):
        for batch in labels_of(window, name, columns, place.option):
            yield name, batch


def labels_of(
    window: Window, name: str, columns: list[str], option: str
) -> Iterator[pa.RecordBatch]:
    """Yield batches of key and label of one file; `option` is where the spec names it."""
    import fsspec
    import pyarrow as pa

    fs, path = fsspec.core.url_to_fs(name)
    kind = "csv" if csv_file.is_csv(path) else "parquet"

    def wanted(there: list[str]) -> list[str]:
        require_columns(columns, there, name, option)
        return columns

    try:
        if kind == "csv":
            yield from csv_file.read_texts(fs, path, wanted, BATCH_ROWS)
        elif (file := parquet(fs, path, name)) is not None:
            wanted(file.schema.names)
            for batch in read_parquet(fs, path, file.groups(None), columns):
                yield batch.select(columns)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(name, kind, error, f"run the window {window} again") from None
