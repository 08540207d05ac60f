"""What reads a place: the one list of readers, by the option that says where rows are.

A reader is added by a module with these two functions, a line here, and its option in `Place`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from tasks.data import delta_table, window_files, window_table
from tasks.data.outside import Outside
from tasks.data.readers import SourcePart
from tasks.spec.model import ModelSpec
from tasks.spec.source_options import Place
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa


class Reader(Protocol):
    """Reads rows and labels of a place, never all of them at once."""

    def parts(
        self, spec: ModelSpec, window: Window, wanted: tuple[str, ...], outside: Outside | None, /
    ) -> list[SourcePart]:
        """Return the parts that may hold rows of a window, in a fixed order.

        Each gives the wanted columns that it has; `outside` counts the rows that no window holds.
        Raises SourceError.
        """

    def labels(
        self, spec: ModelSpec, window: Window, columns: list[str], /
    ) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield batches of key and label of `spec.label.source`, and where each is from.

        Those of the window are among them. Raises SourceError.
        """


READERS: Mapping[str, Reader] = {
    "path": window_files,
    "table": window_table,
    "delta": delta_table,
}


def reader_of(place: Place) -> Reader:
    """Return what reads a place."""
    return READERS[place.kind]
