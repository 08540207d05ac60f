"""A version that was fetched and verified: rows in, decision values, classes, probabilities out.

Needs neither MLflow nor Airflow. What it answers is what the monitor measures, to the last digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tasks.arrays import Floats
from tasks.classifier import calibration
from tasks.classifier.finite import wild
from tasks.classifier.scoring import decision_values
from tasks.data.frame import feature_columns_of
from tasks.errors import Final
from tasks.spec.source_options import Features

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ScoredRows: TypeAlias = "pd.DataFrame | pa.Table | pa.RecordBatch"


class NotScored(Final, ValueError):
    """Rows that a model cannot score: names the column, and quotes no value."""


@dataclass(frozen=True, kw_only=True)
class FetchedModel:
    """A verified version, ready to score.

    Parameters
    ----------
    classes
        Names of the classes, as the spec has them; of two, the second is the positive one.
    promotion
        Number of the newest promotion that made it champion; None if none did.
    folder
        Where its verified files are, for what reads them itself.
    """

    model: str
    version: int
    promotion: int | None
    artifact_digest: str
    features: Features
    classes: tuple[int | str, ...]
    calibrated: Any
    folder: Path

    def decision_function(self, rows: ScoredRows) -> Floats:
        """Return decision values, shape (n,) of two classes, else (n, k).

        `rows` is a pandas frame, or a table or batch of Arrow, with the feature columns among its
        columns. Raises NotScored.
        """
        import pyarrow as pa

        if isinstance(rows, pa.Table):
            rows = rows.combine_chunks()
        parts = [self._decide(batch) for batch in _batches(rows, self.features)]
        if not parts:
            return np.empty(0) if len(self.classes) == 2 else np.empty((0, len(self.classes)))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def predict_proba(self, rows: ScoredRows) -> Floats:
        """Return the probability of each class, shape (n, k), in the order of `classes`."""
        return self.probabilities(self.decision_function(rows))

    def predict(self, rows: ScoredRows) -> Any:
        """Return the class that each decision value decides for, shape (n,).

        Of two classes the positive one where f(x) > 0, of more the one with the top score.
        """
        return self.decide(self.decision_function(rows))

    def probabilities(self, decision: Floats) -> Floats:
        """Return the probabilities of decision values, without scoring their rows again."""
        return calibration.probabilities(self.calibrated, decision)

    def decide(self, decision: Floats) -> Any:
        """Return the classes of decision values."""
        index = decision > 0 if decision.ndim == 1 else decision.argmax(axis=1)
        return _names(self.classes)[index.astype(np.int64)]

    def _decide(self, batch: pa.RecordBatch) -> Floats:
        import pyarrow as pa

        for name in self.features.columns:
            if name not in batch.schema.names:
                raise NotScored(self._refusal(name, "is not there"))
            if batch.column(name).null_count:
                raise NotScored(self._refusal(name, "has missing values"))
        try:
            columns = feature_columns_of(self.features, batch)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            wrong = ", ".join(f"{n} ({batch.column(n).type})" for n in self.features.columns)
            raise NotScored(self._refusal(wrong, "is not of the type of a feature")) from None
        bad = [n for n in self.features.numeric if not _finite(columns[n])]
        if not bad:
            with np.errstate(over="ignore", invalid="ignore"):  # named below
                decision = decision_values(self.calibrated, columns)
            if not wild(decision).any():
                return decision
        told = ", ".join(bad or self.features.numeric)
        raise NotScored(self._refusal(told, "has values that are missing, infinite or huge"))

    def _refusal(self, column: str, what: str) -> str:
        return (
            f"{self.model} version {self.version} cannot score these rows: column {column} {what}; "
            f"it needs numbers in {list(self.features.numeric)} and texts in "
            f"{[*self.features.categorical, *self.features.text]}"
        )


def _finite(column: Floats) -> bool:
    """Return whether all are finite; two passes without a copy, as a column may be long."""
    return not len(column) or bool(np.isfinite([column.min(), column.max()]).all())


def _names(classes: Sequence[int | str]) -> Any:
    return np.array(classes, dtype=None if all(isinstance(c, int) for c in classes) else object)


def _batches(rows: ScoredRows, features: Features) -> list[pa.RecordBatch]:
    """Return rows as batches of Arrow with the feature columns that are there."""
    import pyarrow as pa

    if isinstance(rows, pa.RecordBatch):
        return [rows] if rows.num_rows else []
    if isinstance(rows, pa.Table):
        return [batch for batch in rows.to_batches() if batch.num_rows]
    there = [name for name in features.columns if name in rows.columns]
    arrays = [_array(rows[name], name in features.numeric) for name in there]
    return [pa.record_batch(arrays, names=there)] if len(rows) else []


def _array(column: Any, numeric: bool) -> pa.Array:
    """Return a column of a frame, of which a text may be any value, as its text."""
    import pyarrow as pa

    if numeric or column.dtype != object:
        return pa.Array.from_pandas(column)
    return pa.array([None if value is None or value != value else str(value) for value in column])
