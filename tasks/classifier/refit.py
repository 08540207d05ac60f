"""An accepted candidate, fit again on all rows that it was made of: `training.refit`.

The registered model is then a twin of the judged one: the same pipeline, which has also learnt from
the rows that calibrated and judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tasks.classifier import calibration, scoring, training
from tasks.classifier.cut import Cut
from tasks.classifier.finite import NotFinite, need_finite
from tasks.classifier.training import TrainingError
from tasks.classifier.training_rows import TrainingRows
from tasks.spec.model import ModelSpec

_WAY_OUT = "propose again with newer rows, or set training.refit: never"


@dataclass(frozen=True, kw_only=True)
class Refit:
    """On how many rows the registered model was fit, and on how many its judged twin."""

    rows: int
    judged_fit: int

    def to_json(self) -> dict[str, int]:
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, int]) -> Refit:
        return cls(rows=kept["rows"], judged_fit=kept["judged_fit"])

    def __str__(self) -> str:
        return (
            f"refit on all {self.rows:,} rows after the gates, which judged its twin, fit on "
            f"{self.judged_fit:,} rows"
        )


def refit(spec: ModelSpec, judged: Any, rows: TrainingRows, cut: Cut) -> Any:
    """Return the calibrated model of all rows from the first that fit the judged one on.

    Its probabilities are what the calibrating rows taught of the judged fit, which had not seen
    them: of its own scores, of rows that it knows, they would be too sure.

    Parameters
    ----------
    judged
        The fitted pipeline that was judged, without probabilities.
    rows
        All rows of the training window.

    Raises
    ------
    TrainingError
        If it cannot be fit, or gives decision values that are no finite numbers; nothing takes its
        place, as what the spec asks for was not made. That it stopped before it converged is a
        warning, as of any fit.
    """
    whole = rows.at(slice(cut.fit.start, cut.judge.stop))
    try:
        fitted = training.fit(spec, whole.frame, whole.label)
        need_finite(scoring.decision_values(fitted, whole.frame))
    except (TrainingError, NotFinite) as error:
        raise TrainingError(
            f"the accepted candidate cannot be refit: {error}; {_WAY_OUT}"
        ) from None
    learns, method = rows.at(cut.calibrate), spec.calibration.method
    return calibration.learn_probabilities(judged, learns.frame, learns.label, method, onto=fitted)


def refit_of(spec: ModelSpec, cut: Cut) -> Refit | None:
    """Return on how many rows the refit and its judged twin are fit; None without a refit."""
    if spec.training.refit == "never" or cut.fit.stop == cut.fit.start:
        return None
    return Refit(rows=cut.judge.stop - cut.fit.start, judged_fit=cut.fit.stop - cut.fit.start)
