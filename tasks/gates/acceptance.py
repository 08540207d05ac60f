"""What a candidate is accepted on: its gates against the champion, and its reference."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np

from tasks.arrays import Floats, Ints
from tasks.classifier import absent, calibration, capped, refit, scoring
from tasks.classifier.adopted import CannotScore
from tasks.classifier.calibration_fit import calibration_parameters
from tasks.classifier.cut import Cut
from tasks.classifier.finite import NotFinite, need_finite
from tasks.classifier.margins import confidence, hinge, margin
from tasks.classifier.training import TrainingError
from tasks.classifier.training_rows import TrainingRows
from tasks.drift import scored_rows
from tasks.drift.grid import Grid
from tasks.drift.reference import Reference, reference_from_blocks
from tasks.gates import every_gate, gate_result
from tasks.gates.candidate_metrics import CandidateMetrics
from tasks.gates.contest import Contender, Contest
from tasks.gates.curves import Figures, figures
from tasks.gates.gate_result import GateResult
from tasks.gates.losses import Scored, rates
from tasks.spec.model import ModelSpec

_LEAST_BLOCKS = 8


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """The gates' results, figures behind them, the candidate's reference, and what is drawn."""

    gates: tuple[GateResult, ...]
    metrics: CandidateMetrics
    reference: Reference
    figures: Figures

    @property
    def passed(self) -> bool:
        return gate_result.passed(self.gates)


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A contest on the rows of a training window, once both models have scored them.

    `decision` and `inputs` are what `scoring.score` says of the candidate on all rows; `answers`
    are both models' on the rows that judge. A champion that cannot score those has none, and
    `unanswered` says why.
    """

    spec: ModelSpec
    contest: Contest[Contender]
    rows: TrainingRows
    cut: Cut
    decision: Floats
    inputs: Any
    answers: Contest[Scored]
    unanswered: GateResult | None

    @property
    def fitted(self) -> Floats:
        """Return the candidate's labelled margins of the rows that it was fit on."""
        return margin(self.decision[self.cut.fit], self.rows.label[self.cut.fit])


@contextmanager
def trainable() -> Iterator[None]:
    """Raise TrainingError if a summary cannot take a model's decision values."""
    try:
        yield
    except (NotFinite, CannotScore) as error:
        raise TrainingError(f"the candidate cannot be judged: {error}") from None


@trainable()
def judge_candidate(
    spec: ModelSpec,
    contest: Contest[Contender],
    rows: TrainingRows,
    cut: Cut,
    span: timedelta,
) -> Acceptance:
    """Judge a calibrated candidate on the newest rows of its training window.

    Parameters
    ----------
    contest
        The candidate, and the model it would replace.
    rows
        All rows of the training window. Their weights weigh the reference's losses; the gates count
        rows.
    cut
        Which of them the candidate was fit on, which calibrated it, and which judge it. The first
        are none where it was fit elsewhere.
    span
        The event time that all rows cover.

    Raises
    ------
    TrainingError
        If the candidate's decision values, or the sums of its losses, are no finite numbers.
    """
    heard = hear(spec, contest, rows, cut)
    return Acceptance(
        gates=results(heard),
        metrics=metrics(heard),
        reference=reference(heard, span),
        figures=figures(heard.answers),
    )


def hear(spec: ModelSpec, contest: Contest[Contender], rows: TrainingRows, cut: Cut) -> Heard:
    """Let the candidate score all rows, and the champion those that judge."""
    judged, champion = rows.at(cut.judge), contest.champion
    decision, inputs = scoring.score(contest.candidate.model, rows.frame)
    need_finite(decision)
    ours = answers(contest.candidate.model, decision[cut.judge], judged.label)
    theirs, unanswered = None, None
    if champion is not None:
        try:
            before = judged.logged
            if before is None:
                before = scoring.decision_values(champion.model, judged.frame)
            need_finite(before)
            theirs = answers(champion.model, before, judged.label)
        except Exception as error:  # such as a feature that the spec no longer reads
            unanswered = _unanswered(error)
    return Heard(
        spec=spec,
        contest=contest,
        rows=rows,
        cut=cut,
        decision=decision,
        inputs=inputs,
        answers=Contest(candidate=ours, champion=theirs),
        unanswered=unanswered,
    )


def results(heard: Heard) -> tuple[GateResult, ...]:
    """Return the result of every gate."""
    spec, cut = heard.spec, heard.cut
    return (
        *([] if heard.unanswered is None else [heard.unanswered]),
        *every_gate.compared(spec, heard.answers, heard.rows.at(cut.judge)),
        *every_gate.sound(spec, heard.contest, heard.answers, heard.fitted),
        *every_gate.unleaked(spec, heard.rows, cut),
    )


def metrics(heard: Heard) -> CandidateMetrics:
    """Return the figures behind the gates."""
    spec, rows, cut = heard.spec, heard.rows, heard.cut
    model, fitted = heard.contest.candidate.model, heard.fitted
    both = heard.answers.map(lambda scored: rates(scored, spec.gates.costs))
    return CandidateMetrics(
        judged_rows=len(heard.answers.candidate.truth),
        capped=capped.beyond(model, rows.frame[cut.judge]),
        candidate=both.candidate,
        champion=both.champion,
        calibration=calibration_parameters(model, heard.decision[cut.calibrate], spec.label.names),
        hinge_gap=float(hinge(heard.answers.candidate.margins).mean() - hinge(fitted).mean())
        if len(fitted)
        else None,
        support_vectors=int((fitted <= 1).sum()),
        fitted_rows=len(fitted),
        refit=refit.refit_of(spec, cut),
        warnings=tuple(absent.warnings(spec, rows.label, cut, absent.learnt_classes(model))),
    )


def reference(heard: Heard, span: timedelta) -> Reference:
    """Return the reference of the candidate: its summary of the rows that the fit did not see.

    Its spread is that of blocks as long as a window, eight of them at the least.
    """
    spec, rows, cut = heard.spec, heard.rows, heard.cut
    model, decision, inputs = heard.contest.candidate.model, heard.decision, heard.inputs
    held_out = _held_out(cut)
    held = decision[held_out]
    grid = Grid.around(confidence(held), margin(held, rows.label[held_out]))
    windows = max(round(span / spec.window.every), _LEAST_BLOCKS)
    blocks = []
    for group in _regimes(cut):
        summaries = []
        for first, last in pairwise(_edges(group, len(rows) / windows)):
            block = rows.at(slice(first, last))
            summaries.append(
                scored_rows.summarise_rows(
                    spec,
                    grid,
                    model,
                    block.frame,
                    block.label,
                    decision[first:last],
                    inputs[first:last],
                    block.weight,
                )
            )
        blocks.append(summaries)
    return reference_from_blocks(blocks, 1, calibration.sigmoid_of(model))


def answers(model: Any, decision: Floats, truth: Ints) -> Scored:
    """Return what a model with these decision values says of rows."""
    return Scored(decision, calibration.probabilities(model, decision), truth)


def _unanswered(error: Exception) -> GateResult:
    why = (
        f"cannot be computed: the champion cannot score these rows ({type(error).__name__}: "
        f"{error}); keep its features in the spec until another is champion"
    )
    return GateResult("champion_answers", "failed", why)


def _held_out(cut: Cut) -> slice:
    return slice(cut.calibrate.start, cut.judge.stop)


def _regimes(cut: Cut) -> list[slice]:
    """Return the rows whose blocks are alike: before the change, fit since then, and held out."""
    old, fresh = slice(0, cut.since), slice(cut.since, cut.calibrate.start)
    return [group for group in (old, fresh, _held_out(cut)) if group.stop > group.start]


def _edges(group: slice, size: float) -> Ints:
    """Return where blocks of about this size begin and end, at least one."""
    count = max(round((group.stop - group.start) / max(size, 1)), 1)
    return np.linspace(group.start, group.stop, count + 1).astype(int)
