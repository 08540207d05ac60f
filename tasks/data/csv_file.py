"""Read a CSV file: first all of it as text, then each column as the spec says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tasks.data import apart
from tasks.data.readers import within_bounds
from tasks.data.unpacking import bounded

if TYPE_CHECKING:
    import pyarrow as pa

# What Arrow takes for a missing number, and most programs write for one.
_MISSING = [
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("N/A", "NA", "NULL", "NaN", "n/a", "nan", "null"),
]
_NUMBER = r"^[-]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$|^[-+]?[iI][nN][fF]([iI][nN][iI][tT][yY])?$"
_BLOCK_BYTES = 1 << 20


def is_csv(path: str) -> bool:
    return path.endswith((".csv", ".csv.gz"))


def read_texts(
    fs: Any, path: str, columns: Callable[[list[str]], Sequence[str]], batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """Yield columns of a CSV file as texts, in the file's order; nothing of an empty file.

    Parameters
    ----------
    columns
        Says which of the names in the header are wanted.
    """
    import pyarrow as pa
    import pyarrow.csv as csv
    import pyarrow.dataset as ds

    if fs.size(path) == 0:
        return
    apart.first("texts", fs, path)
    # A quoted text may hold line ends; without this a block might end within one.
    layout = csv.ParseOptions(newlines_in_values=True)
    blocks = csv.ReadOptions(block_size=_BLOCK_BYTES)
    kind = ds.CsvFileFormat(parse_options=layout, read_options=blocks)
    try:
        names = ds.dataset(path, format=kind, filesystem=fs).schema.names
    except UnicodeDecodeError:
        raise pa.ArrowInvalid("the header is no UTF-8; write the file as UTF-8") from None
    texts = pa.schema([(name, pa.string()) for name in names])
    data = ds.dataset(path, schema=texts, format=kind, filesystem=fs)
    batches = data.to_batches(columns=list(columns(names)), batch_size=batch_rows)
    with within_bounds(fs.unstrip_protocol(path)):
        yield from bounded(batches, fs.size(path))


def numbers(texts: pa.Array) -> tuple[pa.Array, int]:
    """Return the numbers that texts are, true and false as 1 and 0, and how many are none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return texts.cast(pa.float64()), 0  # mostly they all are, as they stand
    except pa.ArrowInvalid:
        pass
    texts = pc.utf8_trim_whitespace(texts)
    missing = pc.is_in(texts, value_set=pa.array(_MISSING))
    texts = pc.if_else(missing, None, texts)
    try:
        return texts.cast(pa.float64()), 0
    except pa.ArrowInvalid:
        pass
    lower = pc.utf8_lower(texts)
    texts = pc.if_else(pc.equal(lower, "true"), "1", texts)
    texts = pc.if_else(pc.equal(lower, "false"), "0", texts)
    right = pc.match_substring_regex(texts, _NUMBER)
    wrong = right.false_count
    return pc.if_else(right, texts, None).cast(pa.float64()), wrong


def categories(texts: pa.Array) -> tuple[pa.Array, int]:
    """Return categories: texts as they stand, but true and false as columns of booleans have them.

    pandas writes `True` into a CSV for what is `true` in Parquet and in databases.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    spelled = pc.is_in(texts, value_set=pa.array(["True", "TRUE", "False", "FALSE"]))
    return (pc.if_else(spelled, pc.utf8_lower(texts), texts) if spelled.true_count else texts), 0


def why(error: Exception) -> str:
    """Return what is wrong with a CSV and the way out; Arrow's own text quotes the row."""
    said = str(error)
    place = re.search(r"[Rr]ow #(\d+)", said)
    row = f"row {int(place[1]):,} " if place else "a row "
    if match := re.search(r"Expected (\d+) columns, got (\d+)", said):
        return (
            f"{row}has {match[2]} columns, and the header {match[1]}; put texts that hold a "
            "separator or a quote in quotes"
        )
    if "UTF8" in said or "utf8" in said:
        return "it holds text that is not UTF-8; write it as UTF-8"
    if "straddl" in said or "block" in said or "chunker" in said:
        return f"{row}is longer than {_BLOCK_BYTES:,} bytes, or a quote is never closed; correct it"
    return f"{type(error).__name__}; write it whole"
