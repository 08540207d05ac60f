"""A candidate scored beside the champion: has it run long enough, and is it worse? Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, cast

from tasks.drift.latch import Reading, fold
from tasks.drift.verdict import Verdict
from tasks.ledger.records import Candidate, Observation
from tasks.ledger.status import Status
from tasks.promotion.paired import Pair, pairs, rise
from tasks.spec.model import ModelSpec
from tasks.spec.policy_options import LatchPolicy, Opening
from tasks.spec.windows import Window, labels_awaited_until

CONFIDENCE = 0.95  # that a candidate which is as good as the champion passes, all windows together
SHADOW_PATIENCE = (
    3  # times `shadow.windows` of insufficient windows, then nothing is expected of it
)

ShadowAnswer = Literal["waiting", "passed", "failed", "superseded"]


@dataclass(frozen=True)
class Outcome:
    """What the shadow windows say so far; `compared` are those that counted."""

    answer: ShadowAnswer
    reason: str
    compared: tuple[Pair, ...] = ()


def watched(known: Status, window: Window) -> set[int]:
    """Return the versions to score beside the champion in a window.

    Candidates whose proposal is live and whose shadow is not decided, in windows after the rows
    that they were trained on.
    """
    decided = {d.proposal for d in known.decisions if d.step == "shadow"}
    waiting = {p.proposal for p in known.live} - decided
    return {
        c.version
        for c in known.candidates
        if c.proposal in waiting and c.trained_until <= window.start
    }


def judge_shadow(
    spec: ModelSpec,
    candidate: Candidate,
    champion: Candidate,
    new: Iterable[Observation],
    old: Iterable[Observation],
) -> Outcome:
    """Return what the windows after the candidate's training rows say about it.

    It fails as soon as its hinge loss is worse than the champion's beyond chance on the labelled
    windows, or its own margins breach on the others as often as opens the latch. It passes once
    `shadow.windows` windows are compared without that. Windows that are insufficient for it do not
    count; where labels come late, a window counts when they are there or no more expected.

    Parameters
    ----------
    new, old
        The observations that stand for the windows under the candidate and under the champion.
    """
    needed = spec.shadow.windows
    theirs = list(old)
    now = max((o.window_end for o in theirs), default=candidate.trained_until)
    counted: list[Pair] = []
    useless = 0
    for pair in pairs(new, theirs, candidate.trained_until):
        if pair.new.verdict == "insufficient":
            useless += 1
            if useless == SHADOW_PATIENCE * needed:
                told = f"{_done(counted, needed)}, and {useless} were insufficient; the newest: "
                return Outcome("failed", told + pair.new.reason, tuple(counted))
        elif pair.labelled or not spec.label.late or now > labels_awaited_until(spec, pair.window):
            counted.append(pair)
            regression = _worse(spec, counted, candidate, champion) or _breaching(spec, counted)
            if regression:
                return Outcome("failed", regression, tuple(counted))
            if len(counted) == needed:
                told = f"{_done(counted, needed)}; version {candidate.version} is not worse"
                return Outcome("passed", told, tuple(counted))
    return Outcome("waiting", _done(counted, needed), tuple(counted))


def _done(counted: Sequence[Pair], needed: int) -> str:
    return f"{len(counted)} of {needed} shadow windows are compared"


def _worse(
    spec: ModelSpec, seen: Sequence[Pair], candidate: Candidate, champion: Candidate
) -> str | None:
    labelled = [pair for pair in seen if pair.labelled]
    if not labelled:
        return None
    found = rise(labelled, candidate, champion)
    # It is looked at after every window: the chance of a false alarm is shared (Bonferroni).
    chance = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / spec.shadow.windows) * found.error
    if found.value <= chance:
        return None
    return (
        f"on {len(labelled)} labelled shadow windows the hinge loss of version "
        f"{candidate.version} is {found.value:.3f} above that of version {champion.version}; "
        f"chance shows {chance:.3f}"
    )


def _breaching(spec: ModelSpec, seen: Sequence[Pair]) -> str | None:
    alone = [pair.new for pair in seen if not pair.labelled]
    needed = min(spec.latch.open.breaches, spec.shadow.windows)
    policy = LatchPolicy(open=Opening(breaches=needed, of=spec.latch.open.of))
    readings = [Reading(o.window, o.version, cast(Verdict, o.verdict), o.pressure) for o in alone]
    if fold(spec.model, readings, [], policy).now.episode is None:
        return None
    breaches = sum(o.verdict == "drifting" for o in alone)
    return (
        f"without labels, the margins of version {alone[0].version} breach against their own "
        f"reference in {breaches} of {len(alone)} shadow windows"
    )
