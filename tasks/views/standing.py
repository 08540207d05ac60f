"""Where a model stands, as one row of the overview: folded from its status. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from tasks.bounds import shifted
from tasks.drift.label_gap import IN_A_ROW, LabelGap
from tasks.drift.latch import State
from tasks.ledger.budget import Budget, error_budget_of
from tasks.ledger.logged_names import champion_logged_as
from tasks.ledger.records import Freeze, Observation, Proposal, Question
from tasks.ledger.status import Status
from tasks.ledger.unlabelled import awaited_told, gap_of
from tasks.promotion.ramp import Ramp
from tasks.reports.statistic_rows import leading
from tasks.reports.strip import VerdictRun, runs_of
from tasks.spec.window_options import WindowGrid
from tasks.spec.windows import latest_complete, run_time

LOOKED = 60  # newest windows that are searched for labels: each is read for it


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A live proposal, the step that it is at, and since when on the wall clock.

    `asked` is whether people were asked; else a run works on it.
    """

    proposal: str
    kind: str
    step: str
    asked: bool
    since: datetime | None

    @property
    def verb(self) -> str:
        """Return what the step would do, for people."""
        if self.step == "retrain":
            return {"adopt": "take a model that was trained elsewhere"}.get(self.kind, self.kind)
        return "roll back" if self.step == "rollback" else f"{self.step} a candidate"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a model stands, whatever the clock says; `problem` says why nothing else is known.

    `pressure` is that of the newest window with a verdict, `leads` the statistic that is farthest
    in it. `loss` is the hinge loss of the newest labelled window under the champion, `accepted`
    that of its reference. `unseen` says in sentences what nobody can see, `budget` how much of the
    error budget is spent, where the spec has one. `frozen` is the freeze that holds the model, and
    `held` the proposal that it holds back. `canary` says which share of the keys the champion
    scores, while that is not all of them. `handed_in_by` is who handed in the champion, if it was
    trained elsewhere, `logged_as` what production calls it, if it is never here, and `owed` says
    that a model still has to be handed in. `silence` is why nobody is asked although the latch is
    open. `labels_overdue` is whether windows in a row lack the labels that are due.
    """

    model: str
    owner: str = ""
    tags: tuple[str, ...] = ()
    grid: WindowGrid | None = None
    problem: str | None = None
    champion: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    runs: tuple[VerdictRun, ...] = ()
    latch: State = "closed"
    episode: str | None = None
    verdict: str | None = None
    reason: str = ""
    pressure: float | None = None
    leads: str = ""
    loss: float | None = None
    loss_of: datetime | None = None
    accepted: float | None = None
    waits: tuple[Waiting, ...] = ()
    silence: str | None = None
    unseen: tuple[str, ...] = ()
    budget: Budget | None = None
    frozen: Freeze | None = None
    held: str | None = None
    canary: str | None = None
    handed_in_by: str | None = None
    logged_as: str | None = None
    owed: str | None = None
    labels_overdue: bool = False


@dataclass(frozen=True, kw_only=True)
class Late:
    """The newest window that is due and was not measured, and how many are missing up to it."""

    since: datetime
    windows: int


def standing(
    known: Status,
    questions: Iterable[Question],
    touched: Mapping[str, datetime],
    ramp: Ramp | None = None,
) -> Standing:
    """Return where a model stands.

    Parameters
    ----------
    questions
        What was asked about the model.
    touched
        When the newest row about each proposal was recorded (wall clock).
    ramp
        The champion's canary, if it has one.
    """
    spec, seen = known.spec, known.observations
    newest = seen[-1] if seen else None
    judged = next((o for o in reversed(seen) if o.pressure is not None), None)
    near = reversed(seen[-LOOKED:])
    labelled = next((o for o in near if _has_loss(o, known.champion)), None)
    gap = gap_of(known)
    promotion = known.promotions[-1] if known.promotions else None
    return Standing(
        model=spec.model,
        owner=spec.owner.name,
        tags=spec.tags,
        grid=spec.window,
        champion=known.champion,
        since=promotion.effective_from if promotion else None,
        until=known.observed_until,
        runs=runs_of(spec, seen),
        latch=known.latch.state,
        episode=known.latch.episode,
        verdict=newest.verdict if newest else None,
        reason=newest.reason if newest else "",
        pressure=judged.pressure if judged else None,
        leads=leading(judged) if judged else "",
        loss=labelled.numbers.hinge_loss if labelled else None,
        loss_of=labelled.window_start if labelled else None,
        accepted=_accepted(labelled) if labelled else None,
        waits=tuple(waiting(known, questions, touched)),
        silence=None if known.frozen else _silence(known),
        unseen=(*_unseen(known, gap), *([ramp.stuck] if ramp is not None and ramp.stuck else [])),
        budget=error_budget_of(known),
        frozen=known.frozen,
        held=known.due_when_thawed if known.frozen else None,
        canary=ramp.told if ramp is not None and ramp.over is None else None,
        handed_in_by=_handed_in_by(known),
        logged_as=champion_logged_as(known),
        owed=_owed(known),
        labels_overdue=gap is not None and len(gap.windows) >= IN_A_ROW,
    )


def _silence(known: Status) -> str | None:
    if known.silence:
        return f"nobody is asked: {known.silence}"
    return f"nobody is asked yet: {known.patience}" if known.patience else None


def _handed_in_by(known: Status) -> str | None:
    """Return who handed in the champion, also if its probabilities were learnt again here since."""
    version, proposals = known.champion, {p.proposal: p for p in known.proposals}
    for candidate in reversed(known.candidates):
        made = proposals.get(candidate.proposal)
        if candidate.version == version and made is not None:
            if made.kind != "recalibrate":
                return made.proposer if made.kind == "adopt" else None
            version = made.champion
    return None


def _owed(known: Status) -> str | None:
    """Return that people approved a retrain which its owner makes, until a model was handed in."""
    ends = {(d.proposal, d.step, d.answer) for d in known.decisions}
    promoted = {p.proposal for p in known.promotions}
    for one in reversed(known.proposals):
        if one.kind == "adopt" or one.proposal in promoted:
            return None
        if (one.proposal, "train", "failed") in ends:
            return (
                "a retrain was approved: train it elsewhere and hand it in with "
                f"`python -m tasks adopt {known.spec.model} FILE`"
            )
    return None


def waiting(
    known: Status, questions: Iterable[Question], touched: Mapping[str, datetime]
) -> Iterable[Waiting]:
    """Yield the live proposals with the step that each is at."""
    asked = {(q.proposal, q.step) for q in questions}
    asked -= {(d.proposal, d.step) for d in known.decisions}  # what a freeze holds is answered
    for proposal in known.live:
        step = _step(known, proposal)
        yield Waiting(
            proposal=proposal.proposal,
            kind=proposal.kind,
            step=step,
            asked=(proposal.proposal, step) in asked,
            since=touched.get(proposal.proposal),
        )


def _step(known: Status, proposal: Proposal) -> str:
    if proposal.kind == "rollback":
        return "rollback"
    decided = any(d.proposal == proposal.proposal for d in known.decisions)
    return "promote" if decided else "retrain"


def _has_loss(seen: Observation, version: int | None) -> bool:
    return seen.version == version and seen.figures.get("hinge_loss") is not None


def _accepted(seen: Observation) -> float | None:
    found = (s.reference for s in seen.numbers.statistics if s.name == "hinge_loss")
    return next(found, None)


def _unseen(known: Status, gap: LabelGap | None) -> Iterable[str]:
    seen = known.observations
    silent = list(takewhile(lambda o: o.verdict == "insufficient", reversed(seen)))
    if silent:
        windows = "the newest window" if len(silent) == 1 else f"the newest {len(silent)} windows"
        yield f"nothing can be said of {windows}: {silent[0].reason}"
    # What nothing can be said of may have no row, so that nobody misses its labels.
    measured = list(reversed(seen))[len(silent) :]
    bare = list(takewhile(lambda o: not o.figures.get("labelled"), measured[:LOOKED]))
    if bare:
        since = f"since {bare[-1].window_start:%Y-%m-%d}"
        if len(bare) == len(measured):
            since = "ever"
        elif len(bare) == LOOKED:
            since = f"in {LOOKED} windows"
        delay = " yet" if known.spec.label.late else ""
        yield f"no labels {since}{delay}: losses and accuracy are not known"
    if gap is not None and len(gap.windows) >= IN_A_ROW:
        yield gap.sentence
    elif known.history.now.episode and (told := awaited_told(known)):
        yield told
    if known.advice:
        yield known.advice


def late(standing: Standing, now: datetime) -> Late | None:
    """Return what is overdue at a moment of the wall clock; None if nothing is.

    A window is due at its end and `window.grace`; its run has a quarter of a window for itself, and
    an hour at the most. A grid that has ended has nothing due.
    """
    grid = standing.grid
    if grid is None or standing.since is None:
        return None
    moment = shifted(now, -run_time(grid))
    endless = grid.model_copy(update={"end": None})
    newest = latest_complete(endless, moment)
    known_until = max(standing.since, standing.until or standing.since)
    if newest.end <= known_until or (grid.end is not None and newest.end > grid.end):
        return None
    windows = max(1, round((newest.end - known_until) / grid.every))
    return Late(since=shifted(newest.end, grid.grace), windows=windows)
