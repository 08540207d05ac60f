"""What a model remembers of its earlier champions: the level they had, and who may come back. Pure.

A promotion after a change must not make a poor state normal. While the rows since then do not fill
the training window yet, losses are also held against the best level from before; and the earlier
champions are measured beside the new one, should the world go back to theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tasks.bounds import shifted
from tasks.drift.episode import breach_of
from tasks.drift.reference import losses_from_json
from tasks.ledger.records import (
    Candidate,
    Decision,
    Promotion,
    Proposal,
    TwoCandidates,
    candidate_at,
)
from tasks.spec.model import ModelSpec

MORE = 2  # windows beyond the training window for which a level is remembered
ATTEMPTS = 2  # candidates of a reign that its gates refuse, until the level counts as lost for good
BESIDE = 2  # earlier champions that are measured beside the newest …
WATCHED = 2  # … for so many training windows


@dataclass(frozen=True)
class Reign:
    """A champion's time, from `since` on.

    `breach` is the start of the first window of the episode that it was trained for, None if it was
    for none; `loss` the mean hinge loss of its reference, None without labels; `refused` counts the
    candidates that its gates refused since.
    """

    version: int
    since: datetime
    breach: datetime | None
    loss: float | None
    refused: int = 0


def reigns_of(
    promotions: Sequence[Promotion],
    proposals: Sequence[Proposal],
    decisions: Sequence[Decision],
    candidates: Sequence[Candidate],
    moment: datetime,
) -> list[Reign]:
    """Return the reigns that had begun by a moment of event time as they stood then, oldest first.

    A rollback, and what a person proposed, was for no episode; to recalibrate changes no decision,
    so that what was the case goes on.
    """
    asked = {p.proposal: p for p in proposals}
    begun = [p for p in promotions if p.effective_from <= moment]
    found: list[Reign] = []
    for number, promotion in enumerate(begun):
        why = asked.get(promotion.proposal)
        breach = None
        if why is not None and why.kind == "recalibrate" and found:
            breach = found[-1].breach
        elif why is not None and why.kind == "retrain" and why.episode:
            breach = breach_of(why.episode)
        later = [p.effective_from for p in begun[number + 1 :]] or [moment]
        refused = sum(
            (d.step, d.answer) == ("gates", "failed")
            and promotion.effective_from < d.effective_from <= later[0]
            for d in decisions
        )
        loss = _loss(candidates, promotions, promotion.version)
        found.append(Reign(promotion.version, promotion.effective_from, breach, loss, refused))
    return found


def _loss(
    candidates: Sequence[Candidate], promotions: Sequence[Promotion], version: int
) -> float | None:
    try:
        found = candidate_at(candidates, promotions, version)
    except TwoCandidates:  # nobody can tell which, and whoever acts on it is told so
        return None
    losses = None if found is None else losses_from_json(found.reference)
    return None if losses is None else losses.hinge_loss


def level(spec: ModelSpec, reigns: Sequence[Reign], now: datetime) -> int | None:
    """Return the version whose loss is the best that the model had before the change, and lost.

    None if there was no change, if it is too long ago, if the champion is as good, or if it was
    tried in vain often enough to regain it.
    """
    best = _lost(spec, reigns, now)
    return None if best is None or reigns[-1].refused >= ATTEMPTS else best.version


def given_up(spec: ModelSpec, reigns: Sequence[Reign], now: datetime) -> str | None:
    """Return what came of trying to regain a level, for people, once it was tried in vain."""
    best = _lost(spec, reigns, now)
    if best is None or reigns[-1].refused < ATTEMPTS:
        return None
    mine = reigns[-1]
    return (
        f"the level of version {best.version} (hinge loss {best.loss:.2f}) was not regained: the "
        f"gates refused {mine.refused} candidates since version {mine.version} ({mine.loss:.2f}) "
        "is champion, which is now held against its own level alone; look at how rows and labels "
        "are made now"
    )


def _lost(spec: ModelSpec, reigns: Sequence[Reign], now: datetime) -> Reign | None:
    """Return the reign of the best level from before the change, if the champion has not got it."""
    if not _chain(spec, reigns, now) or reigns[-1].loss is None:
        return None
    known = [r for r in reigns[:-1] if r.loss is not None]
    best = min(known, key=lambda r: (r.loss, r.version), default=reigns[-1])
    return best if best.loss is not None and best.loss < reigns[-1].loss else None


def changes(
    spec: ModelSpec, reigns: Sequence[Reign], breach: datetime | None, now: datetime
) -> tuple[datetime, ...]:
    """Return when what is to be learnt began, oldest first: two moments at most.

    The first breach of this episode; and before it that of the one after which the level was lost,
    if it was not regained since.
    """
    found = [] if breach is None else [breach]
    for reign in reversed(_chain(spec, reigns, now)):
        if _regained(spec, [r for r in reigns if r.since < reign.since], reign):
            break
        assert reign.breach is not None
        found = [reign.breach, *found[-1:]]
    return tuple(dict.fromkeys(found))


def beside(spec: ModelSpec, reigns: Sequence[Reign], now: datetime) -> tuple[int, ...]:
    """Return the earlier champions that are measured beside the newest, the latest one first.

    Only those that were as good as any before them, or nearly: to a makeshift nobody goes back.
    """
    if not reigns or now > shifted(reigns[-1].since, WATCHED * spec.training.window):
        return ()
    others = (
        reign.version
        for place, reign in reversed(list(enumerate(reigns[:-1])))
        if reign.version != reigns[-1].version and _regained(spec, reigns[:place], reign)
    )
    return tuple(dict.fromkeys(others))[:BESIDE]


def _regained(spec: ModelSpec, before: Sequence[Reign], reign: Reign) -> bool:
    """Return whether a reign began at the best level that there was before, or nearly."""
    losses = [r.loss for r in before if r.loss is not None]
    if not losses:
        return True
    return reign.loss is not None and reign.loss <= min(losses) + spec.drift.hinge_loss.effect


def _chain(spec: ModelSpec, reigns: Sequence[Reign], now: datetime) -> list[Reign]:
    """Return the newest reigns that each began for a change which is not long ago, oldest first."""
    span: timedelta = spec.training.window + MORE * spec.window.every
    found: list[Reign] = []
    for reign in reversed(reigns):
        if reign.breach is None or now > shifted(reign.breach, span):
            break
        found.insert(0, reign)
    return found
