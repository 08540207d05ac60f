"""What rows take once they are unpacked: bounds that honest files never meet, and bombs do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tasks.errors import Final

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
    import sqlalchemy as sa

BATCH_ROWS = 32_768
BATCH_BYTES = 1 << 26  # rows that are held at once
VALUE_BYTES = 1 << 24  # one value
KEY_BYTES = 1 << 12  # one key: those of a window are compared with each other
FOOTER_BYTES = 1 << 24  # what a Parquet file says of itself; Arrow takes forty times as much
# What little may unpack to, and how often its stored size it may be beyond that.
DENSE_BYTES = 1 << 28
GROUP_RATIO = 200  # of a row group's pages
FILE_RATIO = 1000  # of a file's rows

_MB = 1 << 20
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 8}
_ONCE = {"PLAIN_DICTIONARY", "RLE_DICTIONARY"}  # encodings that write a value once and repeat it


class TooLarge(Final):
    """Rows that unpack to more than honest rows do: names the column, and the way out."""


def check_footer(file: Any, size: int) -> None:
    """Raise TooLarge if a Parquet file's footer is too large to be read. `size` is the file's."""
    if size < 8:
        return
    file.seek(size - 8)
    end = file.read(8)
    length = int.from_bytes(end[:4], "little")
    if end[4:] == b"PAR1" and FOOTER_BYTES < length < size:
        raise TooLarge(
            f"its footer takes {length // _MB} MB, at most {FOOTER_BYTES // _MB} are read; write "
            "fewer columns, or fewer and larger row groups"
        )


class Groups:
    """How many rows of each row group of a Parquet file may be decoded at once.

    Metadata alone do not tell: a dictionary holds a value once that each row may repeat.
    """

    def __init__(self, file: pq.ParquetFile, columns: Sequence[str], reopen: Any) -> None:
        self._file, self._reopen = file, reopen
        self._metadata = file.metadata
        wanted = {name: name for name in columns}
        self._leaves: list[tuple[int, str, bool]] = []
        for index in range(len(file.schema)):
            path = file.schema.column(index).path
            name = wanted.get(path) or next((c for c in columns if path.startswith(f"{c}.")), None)
            if name is not None:
                self._leaves.append((index, name, path != name))

    def rows_at_once(self, group: int) -> int:
        """Return that number for a row group. Raises TooLarge."""
        part = self._metadata.row_group(group)
        if not part.num_rows:
            return BATCH_ROWS
        dense = packed = 0
        width = 0.0
        for index, name, nested in self._leaves:
            chunk = part.column(index)
            if chunk.total_uncompressed_size > GROUP_RATIO * chunk.total_compressed_size:
                dense += chunk.total_uncompressed_size
                packed += chunk.total_compressed_size
            mine = self._width(group, index, name, chunk)
            if nested and mine * chunk.num_values > BATCH_BYTES:
                raise TooLarge(
                    f"column {name!r} is nested, and a row group of it unpacks to more than "
                    f"{BATCH_BYTES // _MB} MB; write plain columns"
                )
            if mine > VALUE_BYTES:
                raise _too_long(name)
            width += mine * max(1.0, chunk.num_values / part.num_rows)
        if dense > DENSE_BYTES:
            raise TooLarge(
                f"row group {group} unpacks from {packed:,} bytes to {dense // _MB:,} MB, more "
                f"than {GROUP_RATIO} times as much; write its texts shorter, or their rows apart"
            )
        return int(min(BATCH_ROWS, max(1.0, BATCH_BYTES / max(width, 1.0))))

    def _width(self, group: int, index: int, name: str, chunk: Any) -> float:
        """Return the bytes that a value of a column may take."""
        kind = chunk.physical_type
        if kind in _WIDTHS:
            return float(_WIDTHS[kind])
        if kind == "FIXED_LEN_BYTE_ARRAY":
            return float(self._file.schema.column(index).length)
        whole, encodings = chunk.total_uncompressed_size, set(chunk.encodings)
        mean = float(whole / max(chunk.num_values, 1))
        if "DELTA_BYTE_ARRAY" not in encodings and not encodings & _ONCE:
            return mean
        if whole * BATCH_ROWS <= BATCH_BYTES:
            return float(whole)
        if "DELTA_BYTE_ARRAY" in encodings or chunk.path_in_schema != name:
            return float(min(whole, VALUE_BYTES))  # not known: a value may repeat what was before
        return max(mean, self._longest(group, name))

    def _longest(self, group: int, name: str) -> float:
        """Return the length of the longest value in a column's dictionary."""
        with self._reopen(self._metadata, name) as file:
            first = next(file.iter_batches(1, row_groups=[group], columns=[name]), None)
        if first is None or not first.num_rows:
            return 0.0
        return float(_lengths(first.column(0).dictionary)[0])


def bounded(
    batches: Iterable[pa.RecordBatch], packed: int | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in batches of at most 32 768 rows, and about 64 MB.

    Parameters
    ----------
    packed
        The size of the file that they are read from, in bytes; None if they are not packed.

    Raises
    ------
    TooLarge
        If a value is too long, or if they are more than can have been honestly packed.
    """
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    rows = size = unpacked = 0
    for batch in batches:
        if not batch.num_columns:
            yield batch
            continue
        taken = unpacked_bytes(batch)
        unpacked += taken
        if packed is not None and unpacked > max(DENSE_BYTES, FILE_RATIO * packed):
            raise TooLarge(
                f"its {packed:,} bytes unpack to more than {DENSE_BYTES // _MB:,} MB, over "
                f"{FILE_RATIO:,} times as much; write its texts shorter, or its rows into several "
                "files"
            )
        if held and (
            rows + batch.num_rows > BATCH_ROWS
            or size + taken > BATCH_BYTES
            or batch.schema != held[0].schema
        ):
            yield pa.concat_batches(held) if len(held) > 1 else held[0]
            held, rows, size = [], 0, 0
        if taken > BATCH_BYTES:
            yield from _cut(batch, taken)
        elif batch.num_rows:
            held.append(batch)
            rows, size = rows + batch.num_rows, size + taken
        if held and (rows >= BATCH_ROWS // 2 or size >= BATCH_BYTES // 2):
            yield pa.concat_batches(held) if len(held) > 1 else held[0]
            held, rows, size = [], 0, 0
    if held:
        yield pa.concat_batches(held)


def _cut(batch: pa.RecordBatch, taken: int) -> Iterator[pa.RecordBatch]:
    step = max(1, batch.num_rows * BATCH_BYTES // taken)
    for first in range(0, batch.num_rows, step):
        yield batch.slice(first, step)


def unpacked_bytes(batch: pa.RecordBatch) -> int:
    """Return what a batch takes once nothing is written as a dictionary. Raises TooLarge."""
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = 0
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        kind = column.type
        if pa.types.is_dictionary(kind) and _text(kind.value_type):
            lengths = pc.binary_length(column.dictionary.cast(pa.large_binary()))
            longest = pc.max(lengths).as_py() or 0
            whole += pc.sum(lengths.take(column.indices)).as_py() or 0
        elif _text(kind):
            longest, total = _lengths(column)
            whole += total
        else:
            longest = 0
            whole += column.nbytes
        if longest > VALUE_BYTES:
            raise _too_long(name)
    return int(whole)


def check_keys(name: str, keys: pa.Array) -> None:
    """Raise TooLarge if a key is too long to be compared with the others of its window."""
    import pyarrow as pa

    column = keys.dictionary if pa.types.is_dictionary(keys.type) else keys
    if _lengths(column)[0] > KEY_BYTES:
        raise TooLarge(
            f"a key in column {name!r} takes more than {KEY_BYTES:,} bytes; write keys shorter"
        )


def _text(kind: pa.DataType) -> bool:
    from pyarrow import types as t

    plain, large = (t.is_string, t.is_binary), (t.is_large_string, t.is_large_binary)
    return any(f(kind) for f in (*plain, *large, t.is_string_view, t.is_binary_view))


def _lengths(column: pa.Array) -> tuple[int, int]:
    """Return the bytes of a text column's longest value, and of all of them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_string_view(column.type) or pa.types.is_binary_view(column.type):
        column = column.cast(pa.large_binary())
    elif not _text(column.type):
        return 0, column.nbytes
    lengths = pc.binary_length(column)
    return pc.max(lengths).as_py() or 0, pc.sum(lengths).as_py() or 0


def _too_long(name: str) -> TooLarge:
    return TooLarge(
        f"a value of column {name!r} takes more than {VALUE_BYTES // _MB} MB; write it shorter"
    )


def query_rows(link: sa.Connection, query: sa.Select[Any], most: int) -> int:
    """Return how many of a query's rows may be fetched at once, at most `most`. Raises TooLarge."""
    import sqlalchemy as sa

    narrow = (sa.Numeric, sa.Integer, sa.Boolean, sa.Date, sa.DateTime, sa.Uuid)
    anything = link.dialect.name == "sqlite"  # a column holds whatever is put into it
    rows = query.order_by(None).subquery()
    wide = [c for c in rows.c if anything or not isinstance(c.type, narrow)]
    if not wide:
        return most
    lengths = [
        sa.func.char_length(c if anything or isinstance(c.type, sa.String) else sa.cast(c, sa.Text))
        for c in wide
    ]
    found = link.execute(
        sa.select(*map(sa.func.max, lengths), *map(sa.func.sum, lengths)).select_from(rows)
    ).one()
    longest, total = found[: len(wide)], sum(float(s or 0) for s in found[len(wide) :])
    for column, length in zip(wide, longest, strict=True):
        if (length or 0) > VALUE_BYTES:
            raise _too_long(column.name)
    if total <= BATCH_BYTES:
        return most
    return int(min(most, max(1, BATCH_BYTES // sum(n or 0 for n in longest))))
