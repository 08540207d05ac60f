"""Which share of the keys a new champion scores: its canary, folded from the ledger. Pure.

Nothing of it is stored: whoever scores a window folds what was judged of the windows before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tasks.drift.latch import fold
from tasks.ledger.records import Decision, Observation, Promotion, champion_at
from tasks.ledger.status import Status
from tasks.promotion.canary import KIND, served_beside
from tasks.promotion.paired import Pair
from tasks.spec.model import ModelSpec
from tasks.spec.windows import labels_awaited_until

CANARY_STEP = "canary"
STUCK = 3  # times `scoring.canary.windows` of windows in a row that did not count: somebody is told

Observed = Callable[[int, datetime], Iterable[Observation]]


@dataclass(frozen=True, kw_only=True)
class Ramp:
    """Where the canary of a champion stands.

    The `champion` scores a `share` of the keys and `earlier` the others; once the canary is over,
    that is who was champion before. Of the `steps` (shares) `passed` are passed; of the windows of
    the next one `judged` count, and `windows` are needed. `rows` are those of the champion in all
    windows that counted. `idle` is how many windows in a row did not count since, and `why` the
    newest did not. `worse` is whether the comparison has opened. `over` says why the champion has
    all keys; None while it has not.
    """

    promotion: Promotion
    earlier: int
    steps: tuple[float, ...]
    windows: int
    passed: int = 0
    judged: int = 0
    rows: int = 0
    idle: int = 0
    why: str = ""
    worse: bool = False
    over: str | None = None

    @property
    def champion(self) -> int:
        return self.promotion.version

    @property
    def share(self) -> float:
        return 1.0 if self.over is not None else self.steps[self.passed]

    @property
    def told(self) -> str:
        """Return where it stands, in words."""
        if self.over is not None:
            return f"canary of version {self.champion}: all of the keys; {self.over}"
        then = ", then ".join(share_told(share) for share in (*self.steps[self.passed + 1 :], 1.0))
        held = f"; it is worse than version {self.earlier}" if self.worse else f"; then {then}"
        return (
            f"canary of version {self.champion}: {share_told(self.share)} of the keys, "
            f"{self.judged} of {self.windows} windows{held}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "champion": self.champion,
            "earlier": self.earlier,
            "share": self.share,
            "judged": self.judged,
            "windows": self.windows,
            "rows": self.rows,
            "worse": self.worse,
            "over": self.over,
        }

    @property
    def stuck(self) -> str | None:
        """Return a sentence once too many windows in a row did not count; else None."""
        if self.over is not None or self.idle < STUCK * self.windows:
            return None
        return (
            f"the canary of version {self.champion} stays at {share_told(self.share)} of the keys: "
            f"the newest {self.idle} windows did not count. {self.why}. Raise scoring.canary, skip "
            f"it (python -m tasks canary {self.promotion.model} --skip), or roll back"
        )


def share_told(share: float) -> str:
    """Return a share for people.

    Examples
    --------
    >>> share_told(0.1), share_told(0.025), share_told(1.0)
    ('10 %', '2.5 %', '100 %')
    """
    return f"{100 * share:.4g} %"


def ramp_at(known: Status, observed: Observed, moment: datetime | None = None) -> Ramp | None:
    """Return the canary of the champion of a moment; None if it has none.

    A rollback and a first champion have none. Only windows that end by the moment (event time)
    count, so that the order in which windows are judged makes no difference to the next one.

    A window counts if both versions served it and were judged on it, where labels come late with
    its labels or after they are no longer expected, and if the champion's share of its rows is that
    of the step rather than of the one before. Once the comparison of `canary` has opened, the share
    stays. A champion that served a window alone is tried no more: so a spec that gets a canary
    takes nothing away from who reigns.

    Parameters
    ----------
    observed
        Returns what stands for the windows under a version from a moment on.
    """
    promotion = known.promotions[-1] if known.promotions else None
    if moment is not None:
        promotion = champion_at(known.promotions, moment)
    return None if promotion is None else _ramp(known, observed, promotion, moment)


def _ramp(
    known: Status, observed: Observed, promotion: Promotion, moment: datetime | None
) -> Ramp | None:
    scoring = known.spec.scoring
    canary = None if scoring is None else scoring.canary
    asked = next((p for p in known.proposals if p.proposal == promotion.proposal), None)
    if canary is None or promotion.expected is None or asked is None or asked.kind == KIND:
        return None
    begun = Ramp(
        promotion=promotion,
        earlier=promotion.expected,
        steps=canary.steps,
        windows=canary.windows,
    )
    said = decided_on(known.decisions, promotion)
    if said is not None and (moment is None or said.effective_from <= moment):
        skipped = f"{said.answer} by {said.by}: {said.comment}"
        return replace(begun, over=said.comment if said.answer == "passed" else skipped)
    begun = replace(begun, earlier=_earlier(known, observed, promotion))
    return _walked(known, begun, observed, moment)


def decided_on(decisions: Iterable[Decision], promotion: Promotion) -> Decision | None:
    """Return the decision that ended the canary of a promotion; None if none did."""
    mine = (d for d in decisions if (d.proposal, d.step) == (promotion.proposal, CANARY_STEP))
    return next(mine, None)


def _earlier(known: Status, observed: Observed, promotion: Promotion) -> int:
    """Return the version that has the other keys: the last one that had all of them."""
    before = next(p for p in reversed(known.promotions) if p.number < promotion.number)
    then = _ramp(known, observed, before, promotion.effective_from)
    return before.version if then is None or then.over is not None else then.earlier


def _walked(known: Status, begun: Ramp, observed: Observed, moment: datetime | None) -> Ramp:
    """Return where the windows that were judged have brought a canary."""
    promotion, spec = begun.promotion, known.spec
    since = promotion.effective_from
    seen_since = observed(promotion.version, since)
    mine = [o for o in seen_since if moment is None or o.window_end <= moment]
    if not mine:
        return begun
    until = moment or max(o.window_end for o in mine)
    if alone := next((o for o in mine if _alone(o, begun.earlier)), None):
        return replace(begun, over=f"it served the window {alone.window} alone")
    compared = served_beside(
        known, promotion, begun.earlier, lambda version: observed(version, since)
    )
    steps = fold(spec.model, [r for _, r in compared], [], spec.latch, until=until).steps
    found = {
        pair.window: (pair, latch.state)
        for (pair, _), (_, latch) in zip(compared, steps, strict=True)
    }
    ramp = begun
    for place, seen in enumerate(sorted(mine, key=lambda o: o.window)):
        pair, state = found.get(seen.window, (None, "closed"))
        if state == "open":
            worse = f"It was found worse in {seen.window}, and nobody went back"
            return replace(ramp, worse=True, idle=len(mine) - place - 1, why=worse)
        if pair is not None and _awaited(spec, pair, until):
            continue
        why = _unfit(begun, pair, ramp.passed, seen)
        if why is not None:
            ramp = replace(ramp, idle=ramp.idle + 1, why=why)
            continue
        assert pair is not None
        ramp = _counted(ramp, pair)
        if ramp.passed == len(ramp.steps):
            return replace(ramp, over=f"it held in {ramp.windows} of {ramp.windows} windows")
    return ramp


def _counted(ramp: Ramp, pair: Pair) -> Ramp:
    judged, rows = ramp.judged + 1, ramp.rows + pair.new.numbers.accepted
    passed = ramp.passed + (judged == ramp.windows)
    return replace(ramp, judged=judged % ramp.windows, passed=passed, rows=rows, idle=0, why="")


def _alone(seen: Observation, earlier: int) -> bool:
    """Return whether a champion served a window without the version before it."""
    if seen.verdict == "insufficient":
        return False
    by = seen.numbers.scored_by
    return by is None or not by.versions.get(earlier)


def _awaited(spec: ModelSpec, pair: Pair, until: datetime) -> bool:
    late = spec.label.late and not pair.labelled
    return late and until <= labels_awaited_until(spec, pair.window)


def _unfit(ramp: Ramp, pair: Pair | None, passed: int, seen: Observation) -> str | None:
    """Return why a window does not count for the next step; None if it does."""
    if seen.verdict == "insufficient":
        return f"{seen.window}, version {seen.version}: {seen.reason}"
    if pair is None:
        return f"{seen.window}: version {ramp.earlier} was not measured on it"
    if pair.old.verdict == "insufficient":
        return f"{seen.window}, version {ramp.earlier}: {pair.old.reason}"
    by = seen.numbers.scored_by
    assert by is not None  # else the champion served alone
    rows, others = by.versions.get(ramp.champion, 0), by.versions.get(ramp.earlier, 0)
    least = ((0.0, *ramp.steps)[passed] + ramp.steps[passed]) / 2
    if rows < least * (rows + others):
        part = share_told(rows / (rows + others))
        return f"{seen.window}: version {ramp.champion} scored {part} of it"
    return None
