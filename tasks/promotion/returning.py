"""Whether an earlier champion, measured beside the newest, is the better one again. Pure.

The world goes back: an outage ends, a season returns. To go back takes seconds and was accepted
before; to retrain takes weeks of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice, product
from math import sqrt
from typing import cast

from tasks.drift.episode import Episode, Numbered
from tasks.drift.latch import Reading, fold
from tasks.drift.limits import critical_value
from tasks.drift.loss_sums import MeanLosses
from tasks.drift.reference import Spread
from tasks.drift.verdict import Verdict
from tasks.ledger import remembered
from tasks.ledger.records import Candidate, Observation, TwoCandidates
from tasks.ledger.status import Status
from tasks.promotion import canary
from tasks.promotion.paired import accepted_spread, mean_variance, pairs
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window, windows_per_year


@dataclass(frozen=True)
class SeenBeside:
    """A window under one version.

    `losses` are those of its labelled rows, None without enough of them; `spread` says how much
    blocks of the version's reference differ.
    """

    verdict: Verdict
    losses: MeanLosses | None
    spread: Spread


def better(spec: ModelSpec, new: SeenBeside, old: SeenBeside) -> str | None:
    """Return why a window shows the old version to be better than the new one; None if it does not.

    Its hinge loss is lower by what matters to the owner and by more than chance shows; or its own
    margins are as they were when it was accepted, and the new one's cannot be measured at all.
    """
    if old.verdict == "insufficient":
        return None
    if new.verdict == "insufficient":
        if old.verdict == "steady":
            return "the window can be measured under the old version alone, and is steady there"
        return None
    if new.losses is None or old.losses is None:
        return None
    gap = new.losses.hinge_loss - old.losses.hinge_loss
    # Too large for rows that both scored, whose losses go together.
    error = sqrt(mean_variance(new.losses, new.spread) + mean_variance(old.losses, old.spread))
    one = spec.latch.open.model_copy(update={"breaches": 1, "of": 1})
    policy = spec.latch.model_copy(update={"open": one})
    openings = spec.drift.false_alarms_per_year / windows_per_year(spec.window)
    degrees = min(new.spread.degrees, old.spread.degrees)
    limit = critical_value(openings, policy, 0.0, degrees, sides=1) * error
    if gap <= max(limit, spec.drift.hinge_loss.effect):
        return None
    return f"its hinge loss is {gap:.2f} lower, and chance shows {limit:.2f}"


def return_due(
    known: Status, observations_of: Callable[[int], Iterable[Observation]]
) -> canary.Worse | None:
    """Return the rollback that is asked for; None if none is, or one is live already.

    The newest window decides, and it must be one of the champion's own: whatever was before may be
    over. Where labels come late, the newest that has them decides too. After a refusal nobody is
    asked for as long as the latch would rest.

    Parameters
    ----------
    observations_of
        Returns what stands for the windows under a version.
    """
    newest = known.observations[-1] if known.observations else None
    if newest is None or newest.version != known.champion:
        return None
    if any(p.kind == canary.KIND and p.episode for p in known.live):
        return None
    spec, reigns = known.spec, known.reigns(newest.window_start)
    earlier = remembered.beside(spec, reigns, newest.window_start)
    if not earlier:
        return None  # nothing is looked at for labels, however long nobody was measured beside
    for version, seen in product(earlier, _telling(known)):
        both = pairs([seen], observations_of(version), seen.window_start)
        new, old = (_candidate(known, v) for v in (newest.version, version))
        # What serves rows of its own is compared on these: see `canary`.
        if not both or new is None or old is None or canary.served(both[0], version):
            continue
        why = better(spec, _seen(both[0].new, new), _seen(both[0].old, old))
        if why is None or _rests(known, newest.window):
            continue
        episode = str(
            Episode(
                model=spec.model,
                version=seen.version,
                asks="rollback",
                since=seen.window.start,
            )
        )
        turn = known.turn(episode)
        reason = f"version {version}, measured beside version {newest.version}, is better: {why}"
        name = str(Numbered(episode=episode, number=turn.number))
        return canary.Worse(
            proposal=name,
            episode=episode,
            champion=newest.version,
            target=version,
            reason=reason,
            compared=tuple(both),
            silence=turn.silence,
        )
    return None


def _telling(known: Status) -> list[Observation]:
    """Return the newest window, and if it has no labels the champion's newest that has them."""
    *earlier, newest = known.observations
    since = known.promotions[-1].effective_from
    if newest.numbers.losses:
        return [newest]
    mine = (o for o in reversed(earlier) if o.window_start >= since and o.numbers.losses)
    return [newest, *islice(mine, 1)]


def _candidate(known: Status, version: int) -> Candidate | None:
    try:
        return known.candidate(version)
    except TwoCandidates:  # nobody could go back to it; whoever tries is told
        return None


def _seen(observation: Observation, version: Candidate) -> SeenBeside:
    return SeenBeside(
        cast(Verdict, observation.verdict),
        observation.numbers.losses,
        accepted_spread(version),
    )


def _rests(known: Status, window: Window) -> bool:
    """Return whether a rollback was refused not long ago."""
    reading = Reading(window, 0, "insufficient", None)
    latch = fold(known.spec.model, [reading], canary.refusals(known), known.spec.latch).now
    return latch.state == "resting"
