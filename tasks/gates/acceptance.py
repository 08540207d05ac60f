"""What a candidate is accepted on: its gates against the champion, and its reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.arrays import Floats, Ints
from tasks.classifier import absent, calibration, capped, refit, scoring, training
from tasks.classifier.calibration_fit import parameters
from tasks.classifier.finite import NotFinite, need_finite
from tasks.classifier.margins import confidence, hinge, margin
from tasks.classifier.training import TrainingError, class_names
from tasks.drift import scored_rows
from tasks.drift.grid import Grid
from tasks.drift.reference import Reference, reference_of
from tasks.gates import checks, declared_gates
from tasks.gates.curves import Figures, figures
from tasks.gates.declared_gates import GateResult
from tasks.gates.losses import Scored, rates
from tasks.spec.model import ModelSpec

if TYPE_CHECKING:
    import pandas as pd

_LEAST_BLOCKS = 8


@dataclass(frozen=True)
class Acceptance:
    """The gates' results, figures behind them, the candidate's reference, and what is drawn."""

    gates: tuple[GateResult, ...]
    metrics: Mapping[str, Any]
    reference: Reference
    figures: Figures

    @property
    def passed(self) -> bool:
        return declared_gates.passed(self.gates)


@contextmanager
def trainable() -> Iterator[None]:
    """Raise TrainingError where a model's decision values are none that a summary can take."""
    try:
        yield
    except NotFinite as error:
        raise TrainingError(f"the candidate cannot be judged: {error}") from None


@trainable()
def judge(
    spec: ModelSpec,
    candidate: Any,
    champion: Any | None,
    frame: pd.DataFrame,
    label: Ints,
    cut: training.Slices,
    span: timedelta,
    weight: Floats | None = None,
    *,
    facts: training.Facts | None = None,
    champion_spec: str | None = None,
    seconds: tuple[float, float | None] | None = None,
) -> Acceptance:
    """Judge a calibrated candidate on the newest rows of its training window.

    Parameters
    ----------
    champion
        The model it would replace, None at the bootstrap.
    frame, label
        All rows of the training window, oldest first.
    cut
        Which of them the candidate was fit on, which calibrated it, and which judge it.
    span
        The event time that all rows cover.
    weight
        Their sample weights, which weigh the reference's losses; the gates count rows.
    facts
        Their times, keys and slice columns; gates that need one which is not given say so.
    champion_spec
        Digest of the spec that the champion was trained with, if known.
    seconds
        What scoring a row took candidate and champion, if measured.

    Raises
    ------
    TrainingError
        If the candidate's decision values, or the sums of its losses, are no finite numbers.
    """
    rows, truth = frame[cut.judge], label[cut.judge]
    decision, inputs = scoring.score(candidate, frame)
    need_finite(decision)
    ours = _answers(candidate, decision[cut.judge], truth)
    theirs, unanswered = None, []
    if champion is not None:
        try:
            before = scoring.decide(champion, rows)
            need_finite(before)
            theirs = _answers(champion, before, truth)
        except Exception as error:  # such as a feature that the spec no longer reads
            unanswered = [_unanswered(error)]
    fitted = margin(decision[cut.fit], label[cut.fit])
    known = checks.Known(facts, champion_spec, seconds)
    results = [
        *unanswered,
        *checks.compared(spec, ours, theirs, rows, known.at(cut.judge)),
        *checks.sound(spec, (candidate, champion), (ours, theirs), fitted, known),
        *checks.unleaked(spec, frame, label, cut, known),
    ]
    metrics = {
        "judged_rows": len(truth),
        "capped": capped.beyond(candidate, rows),
        "candidate": rates(ours, spec.gates.costs),
        "champion": None if theirs is None else rates(theirs, spec.gates.costs),
        "calibration": parameters(candidate, decision[cut.calibrate], class_names(spec)),
        "hinge_gap": float(hinge(ours.margins).mean() - hinge(fitted).mean()),
        "support_vectors": int((fitted <= 1).sum()),
        "fitted_rows": len(fitted),
        "refit": refit.figures(spec, cut),
        "warnings": absent.warnings(spec, label, cut),
    }
    held_out = slice(cut.calibrate.start, cut.judge.stop)
    windows = max(round(span / spec.window.every), _LEAST_BLOCKS)
    held = decision[held_out]
    grid = Grid.around(confidence(held), margin(held, label[held_out]))
    score = partial(scored_rows.summarise_rows, spec, grid)
    blocks = [
        [
            score(
                candidate,
                frame[a:b],
                label[a:b],
                decision[a:b],
                inputs[a:b],
                None if weight is None else weight[a:b],
            )
            for a, b in pairwise(_edges(group, len(label) / windows))
        ]
        for group in _regimes(cut)
    ]
    return Acceptance(
        tuple(results),
        metrics,
        reference_of(blocks, 1, calibration.sigmoid(candidate)),
        figures(ours, theirs),
    )


def _answers(model: Any, decision: Floats, truth: Ints) -> Scored:
    return Scored(decision, calibration.probabilities(model, decision), truth)


def _unanswered(error: Exception) -> GateResult:
    why = (
        f"cannot be computed: the champion cannot score these rows ({type(error).__name__}: "
        f"{error}); keep its features in the spec until another is champion"
    )
    return GateResult("champion_answers", "failed", why)


def _regimes(cut: training.Slices) -> list[slice]:
    """Return the rows whose blocks are alike: before the change, fit since then, and held out."""
    old, fresh = slice(0, cut.since), slice(cut.since, cut.calibrate.start)
    held_out = slice(cut.calibrate.start, cut.judge.stop)
    return [group for group in (old, fresh, held_out) if group.stop > group.start]


def _edges(group: slice, size: float) -> Ints:
    """Return where blocks of about this size begin and end, at least one."""
    count = max(round((group.stop - group.start) / max(size, 1)), 1)
    return np.linspace(group.start, group.stop, count + 1).astype(int)
