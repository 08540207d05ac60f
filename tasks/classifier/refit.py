"""An accepted candidate fit anew on all rows that it was made of: `training.refit`.

What is registered is then a twin of what was judged: the same pipeline, which has also learnt from
the rows that calibrated and judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tasks.arrays import Ints
from tasks.classifier import calibration, scoring, training
from tasks.classifier.finite import NotFinite, need_finite
from tasks.classifier.training import Slices, TrainingError
from tasks.spec.model import ModelSpec

if TYPE_CHECKING:
    import pandas as pd

_WAY_OUT = "propose again with newer rows, or set training.refit: never"


def refit(spec: ModelSpec, judged: Any, frame: pd.DataFrame, label: Ints, cut: Slices) -> Any:
    """Return the calibrated model of all rows from the first that fit the judged one on.

    Its probabilities are what the calibrating rows taught of the judged fit, which had not seen
    them: of its own scores, of rows that it knows, they would be too sure.

    Parameters
    ----------
    judged
        The fitted pipeline that was judged, without probabilities.
    frame, label
        All rows of the training window, oldest first.

    Raises
    ------
    TrainingError
        If it cannot be fit, or gives decision values that are no finite numbers; nothing takes its
        place, as what the spec asks for was not made. That it stopped before it converged is a
        warning, as of any fit.
    """
    rows = slice(cut.fit.start, cut.judge.stop)
    try:
        fitted = training.fit(spec, frame[rows], label[rows])
        need_finite(scoring.decide(fitted, frame[rows]))
    except (TrainingError, NotFinite) as error:
        raise TrainingError(
            f"the accepted candidate cannot be refit: {error}; {_WAY_OUT}"
        ) from None
    learns = cut.calibrate
    method = spec.calibration.method
    return calibration.learn(judged, frame[learns], label[learns], method, onto=fitted)


def figures(spec: ModelSpec, cut: Slices) -> dict[str, int] | None:
    """Return of how many rows the refit and its judged twin are; None if nothing is refit."""
    if spec.training.refit == "never":
        return None
    return {
        "rows": cut.judge.stop - cut.fit.start,
        "judged_fit": cut.fit.stop - cut.fit.start,
    }


def told(metrics: Mapping[str, Any]) -> str | None:
    """Return in a sentence what of a candidate's metrics is of its twin; None if all is its own."""
    found = metrics.get("refit")
    if found is None:
        return None
    return (
        f"refit on all {found['rows']:,} rows after the gates: what was judged is its twin of "
        f"{found['judged_fit']:,} rows"
    )
