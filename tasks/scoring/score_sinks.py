"""What takes the scores of a window, part by part, and keeps all of them or none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from tasks import store
from tasks.data import score_files
from tasks.scoring.score_table_sink import table_sink
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa


class ScoreSink(Protocol):
    """Takes scores in the order of their rows."""

    def write(self, part: pa.Table) -> None:
        """Add some rows."""

    def seal(self, manifest: str) -> None:
        """Add the sealed manifest, once all rows are there."""


def sink_of(
    spec: ModelSpec, window: Window, promotion: int, schema: pa.Schema, *, again: bool
) -> AbstractContextManager[ScoreSink]:
    """Return what takes a window's scores. If its block raises, nothing of them stays.

    Parameters
    ----------
    again
        Whether they may take the place of scores by the same promotion. A file always does.
    """
    assert spec.scoring is not None
    if spec.scoring.kind == "table":
        return table_sink(spec, window, promotion, schema, again=again)
    return _file_sink(spec, window, promotion, schema)


@contextmanager
def _file_sink(
    spec: ModelSpec, window: Window, promotion: int, schema: pa.Schema
) -> Iterator[ScoreSink]:
    import pyarrow.parquet as pq

    url = score_files.scores_named(spec, window, promotion)
    *_, decision, version = spec.score_columns
    with (
        store.whole_at(url, f"{url} (scoring.path)") as file,
        pq.ParquetWriter(
            file, schema, use_dictionary=[decision, version], write_statistics=True
        ) as writer,
    ):
        yield _File(writer)


class _File:
    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def write(self, part: pa.Table) -> None:
        self._writer.write_table(part)

    def seal(self, manifest: str) -> None:
        self._writer.add_key_value_metadata({score_files.MANIFEST_KEY: manifest})
