"""The digest of a stream of rows: the same however the stream is cut into batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.data.ahead import ahead

if TYPE_CHECKING:
    import pyarrow as pa


class Digest:
    """BLAKE3 over the rows of a stream, fed batch by batch.

    Each column has a hash of its own, so that its values are hashed where they stand. The digest
    is taken over all of them and over which columns, of which types, begin at which row.
    """

    def __init__(self) -> None:
        from blake3 import blake3

        self._new: Any = blake3
        self._layout = blake3()
        self._schema: pa.Schema | None = None
        self._rows = 0
        self._content: dict[tuple[str, str], Any] = defaultdict(blake3)

    @classmethod
    def of(cls, problem: str) -> Digest:
        """Return the digest of rows that could not be read, which is that of the reason."""
        digest = cls()
        digest._layout.update(problem.encode())
        return digest

    def tap(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the batches unchanged, each read and digested ahead of being asked for."""

        def digested() -> Generator[pa.RecordBatch, None, None]:
            for batch in batches:
                self._update(batch)
                yield batch

        return ahead(digested())

    def _update(self, batch: pa.RecordBatch) -> None:
        if batch.schema != self._schema:
            self._schema = batch.schema
            columns = [(field.name, str(field.type)) for field in batch.schema]
            self._layout.update(repr((self._rows, columns)).encode())
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            for what, content in _content(column, self._rows):
                self._content[name, what].update(content)
        self._rows += batch.num_rows

    def beside(self, told: Sequence[str]) -> str:
        """Return the digest of the rows and of what was said beside them; of the rows, if nothing.

        What is said of a window then never differs under one digest.
        """
        if not told:
            return str(self)
        return str(self._new(repr((str(self), *told)).encode()).hexdigest()[:16])

    def __str__(self) -> str:
        whole = self._new(self._layout.digest() + self._rows.to_bytes(8, "little"))
        for name, content in sorted(self._content.items()):
            whole.update(repr((*name, content.hexdigest())).encode())
        return str(whole.hexdigest()[:16])


def _content(column: pa.Array, first: int) -> Iterator[tuple[str, Any]]:
    """Yield what a column consists of, as named buffers that a cut between rows only divides.

    `first` is the place of its first row in the stream.
    """
    import pyarrow as pa
    from pyarrow import types as t

    named = isinstance(column.type, pa.ExtensionType)  # such as UUIDs
    if named:
        column = column.storage
    if t.is_dictionary(column.type):
        column = column.dictionary_decode()
    if t.is_string(column.type) or t.is_string_view(column.type):
        column = column.cast(pa.large_string())
    if column.null_count:
        yield "missing", (first + np.flatnonzero(column.is_null())).view(np.uint8)
        column = column.drop_null()
    if not len(column):
        return
    kind = column.type
    if t.is_boolean(kind):
        column = column.cast(pa.uint8())
    elif t.is_large_string(kind):
        ends = np.frombuffer(column.buffers()[1], np.int64)[column.offset :][: len(column) + 1]
        yield "lengths", np.diff(ends).view(np.uint8)
        if ends[-1] > ends[0]:
            yield "text", column.buffers()[2][ends[0] : ends[-1]]
        return
    elif named and t.is_fixed_size_binary(kind):
        pass
    elif not t.is_primitive(kind) and not t.is_decimal(kind):
        # Of no use to a model, so validation stops the window: its speed is of no concern.
        yield "values", "".join(f"{value!r}," for value in column.to_pylist()).encode()
        return
    width = column.type.bit_width // 8
    first, last = column.offset * width, (column.offset + len(column)) * width
    yield "values", column.buffers()[1][first:last]
