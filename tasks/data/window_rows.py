"""A window's rows as a stream of Arrow batches, in a fixed order, with their labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from tasks.data import label_join, score_join
from tasks.data.columns import Cast, alike, common
from tasks.data.digest import Digest
from tasks.data.outside import Outside
from tasks.data.readers import SourceError
from tasks.data.sources import reader_of
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa


class NoRows(SourceError):
    """Nothing there yet for a window: no file, or none of its rows."""


def batches(
    spec: ModelSpec,
    window: Window,
    columns: Sequence[str] | None = None,
    *,
    digest: Digest | None = None,
    outside: Outside | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield a window's rows, in a fixed order and one schema, up to 32 768 at a time.

    A column that a file does not have is left out: validation names it. Rows without a time are
    part of the window in which the day of their file begins, so that validation can quarantine
    them. Labels that have a source of their own are joined to their rows, and so are the scores
    that `scoring` wrote.

    Parameters
    ----------
    digest
        Takes in the rows as the source holds them, before columns of several types become one.
    outside
        Counts rows that no window holds.

    Raises
    ------
    NoRows
        If no file or no row is there for the window.
    SourceError
        If a file or table cannot be read.
    """
    rows = _Rows(spec, window, tuple(columns or spec.columns), outside)
    stream = rows.read()
    casts: Mapping[str, Cast] | None = None
    for batch in digest.tap(stream) if digest else stream:
        if casts is None:
            casts = common(spec, [*rows.schemas, batch.schema])
        yield alike(batch, casts)


def digest_of(spec: ModelSpec, window: Window) -> str:
    """Return the digest of a window's rows as they are now, and of what lies outside of it."""
    digest, outside = Digest(), Outside()
    try:
        for _ in batches(spec, window, digest=digest, outside=outside):
            pass
    except SourceError as error:
        return str(Digest.of(str(error)))
    return digest.beside(outside.told)


class _Rows:
    """The rows of one reading as the source holds them, and the schemas of its files."""

    def __init__(
        self, spec: ModelSpec, window: Window, wanted: tuple[str, ...], outside: Outside | None
    ) -> None:
        self._spec, self._window, self._wanted = spec, window, wanted
        self._outside = outside
        self.schemas: list[pa.Schema] = []

    def read(self) -> Iterator[pa.RecordBatch]:
        spec = self._spec
        scores = tuple(name for name in spec.joined_scores if name in self._wanted)
        if not scores:
            yield from self._labelled(self._wanted)
            return
        keys = batches(spec, self._window, (spec.source.key,))
        rows = self._labelled(tuple(name for name in self._wanted if name not in scores))
        for batch in score_join.join_scores(spec, self._window, rows, keys, scores):
            yield batch.select([name for name in self._wanted if name in batch.schema.names])

    def _labelled(self, wanted: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
        spec, label = self._spec, self._spec.label.column
        if spec.label.source is None or label not in wanted:
            yield from self._rows(wanted)
            return
        keys = batches(spec, self._window, (spec.source.key,))
        rows = self._rows(tuple(name for name in wanted if name != label))
        for batch in label_join.join(spec, self._window, rows, keys):
            yield batch.select([name for name in wanted if name in batch.schema.names])

    def _rows(self, wanted: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
        empty = True
        for batch in self._read(wanted):
            if batch.num_rows:
                empty = False
                yield batch
        if empty:
            told = self._outside.told if self._outside is not None else ()
            raise NoRows(
                f"{self._spec.source} holds no row for the window {self._window}"
                + "".join(f"; {line}" for line in told)
                + "; land it, run again"
            )

    def _read(self, wanted: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
        spec, window = self._spec, self._window
        parts = reader_of(spec.source).parts(spec, window, wanted, self._outside)
        self.schemas = [part.schema for part in parts if part.schema is not None]
        for part in parts:
            yield from part.read()
