"""What reads scores: files or a table, by the option of `scoring` that says where they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from tasks.data import score_files, score_table
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa


class ScorePlace(Protocol):
    """Where scores stand, one set for each window and promotion."""

    def scores_named(self, spec: ModelSpec, window: Window, promotion: int, /) -> str:
        """Return what people know a window's scores by."""

    def newest_scores(self, spec: ModelSpec, window: Window, /) -> int | None:
        """Return the latest promotion whose champion scored a window; None if none did.

        Raises SourceError.
        """

    def scores_manifest(self, spec: ModelSpec, window: Window, promotion: int, /) -> str | None:
        """Return the manifest of a window's scores, as text; None if there are none.

        Raises SourceError.
        """

    def read_scores(
        self, spec: ModelSpec, window: Window, promotion: int, columns: list[str], /
    ) -> Iterator[pa.RecordBatch]:
        """Yield these columns of a window's scores. Raises SourceError."""


PLACES: Mapping[str, ScorePlace] = {"path": score_files, "table": score_table}


def place_of(spec: ModelSpec) -> ScorePlace:
    """Return what reads the scores of a model."""
    assert spec.scoring is not None
    return PLACES[spec.scoring.kind]
