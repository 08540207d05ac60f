"""Rows and labels of a Delta Lake table: the Parquet files of its newest version, read as such.

The table's log says which files these are; of each only the row groups and columns that are wanted
are read. The log is read by `deltalake`, which `requirements-delta.txt` brings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tasks.data import window_files
from tasks.data.outside import Outside
from tasks.data.readers import SourceError, SourcePart
from tasks.spec.model import ModelSpec
from tasks.spec.source_options import Place
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa

_NOT_IN_FILES = ("deletionVectors", "columnMapping")  # features that files alone do not tell of


def parts(
    spec: ModelSpec, window: Window, wanted: tuple[str, ...], outside: Outside | None
) -> list[SourcePart]:
    """Return the table's files that may hold rows of a window, in the order of their names."""
    columns = [*wanted, spec.source.time]
    names = dict.fromkeys(_files(spec.source, "source", columns))
    return window_files.parts_of(names, spec, window, wanted, outside)


def labels(
    spec: ModelSpec, window: Window, columns: list[str]
) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield batches of key and label, and what file each is from."""
    place = spec.label.source
    assert place is not None
    for name in _files(place, place.option, columns):
        for batch in window_files.labels_of(window, name, columns, place.option):
            yield name, batch


def _files(place: Place, option: str, columns: Sequence[str]) -> list[str]:
    """Return the URLs of the files of the newest version.

    Raises
    ------
    SourceError
        If there is no such table, or its files alone do not say what its rows are.
    """
    table = _opened(place, option)
    protocol, described = table.protocol(), table.metadata()
    mapped = described.configuration.get("delta.columnMapping.mode", "none") != "none"
    features = set(protocol.reader_features or ()) | ({"columnMapping"} if mapped else set())
    if hidden := [name for name in _NOT_IN_FILES if name in features]:
        raise SourceError(
            f"{place} uses {' and '.join(hidden)}, which are not read here; write it as a table "
            "without them, then run this again"
        )
    if parted := [name for name in described.partition_columns if name in columns]:
        raise SourceError(
            f"{place}: column {parted[0]!r} is one that the table is partitioned by, so its files "
            "do not hold it; write it under another name as well"
        )
    return sorted(_url(uri) for uri in table.file_uris())


def _opened(place: Place, option: str) -> Any:
    try:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError
    except ImportError:
        raise SourceError(
            f"{option}.delta needs deltalake, which is not installed; run "
            "`pip install -r requirements-delta.txt`"
        ) from None
    try:
        return DeltaTable(place.delta or "")
    except (DeltaError, OSError, ValueError) as error:
        raise SourceError(
            f"{place} cannot be opened ({type(error).__name__}); correct {option}.delta, or write "
            "the table"
        ) from None


def _url(uri: str) -> str:
    import fsspec

    fs, path = fsspec.core.url_to_fs(uri)
    return str(fs.unstrip_protocol(path))
