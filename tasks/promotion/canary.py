"""A champion that serves only a share yet, beside the version that served before it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from tasks.drift.episode import Episode, Numbered
from tasks.drift.latch import Pause, Reading, fold
from tasks.drift.limits import critical_value
from tasks.drift.verdict import Verdict
from tasks.ledger.latches import awaited_until
from tasks.ledger.records import Candidate, Observation, Promotion, TwoCandidates
from tasks.ledger.status import REFUSALS, Status
from tasks.promotion.paired import Pair, accepted_spread, pairs, rise
from tasks.spec.model import ModelSpec
from tasks.spec.windows import windows_per_year

KIND = "rollback"


@dataclass(frozen=True)
class Worse:
    """A champion that is worse than an earlier one which still serves, by the latch's policy.

    `proposal` is the name of the request to go back to `target`; it ends in its number. `silence`
    says why nobody is asked yet, if so.
    """

    proposal: str
    episode: str
    champion: int
    target: int
    reason: str
    compared: tuple[Pair, ...]
    silence: str | None = None


def canary_due(
    known: Status, observations_of: Callable[[int], Iterable[Observation]]
) -> Worse | None:
    """Return the rollback that is asked for; None if none is, or one is live already.

    What a person started by hand holds up none. Only a version with a lower number is gone back to,
    so that two versions never take turns.

    Parameters
    ----------
    observations_of
        Returns what stands for the windows under a version since the newest promotion.
    """
    if known.champion is None or any(p.kind == KIND and p.episode for p in known.live):
        return None
    reigned = [p.version for p in reversed(known.promotions) if p.version < known.champion]
    for target in dict.fromkeys(reigned):
        worse = _worse_than(target, known, observations_of)
        if worse:
            return worse
    return None


def _worse_than(
    target: int, known: Status, observations_of: Callable[[int], Iterable[Observation]]
) -> Worse | None:
    spec, newest = known.spec, known.promotions[-1]
    judged = served_beside(known, newest, target, observations_of)
    readings, until = [reading for _, reading in judged], known.observed_until
    latch = fold(spec.model, readings, refusals(known), spec.latch, until=until).now
    if latch.state != "open" or latch.episode is None:
        return None
    named = Episode.parse(latch.episode)
    if named is None:
        return None
    episode = str(replace(named, asks="rollback"))
    turn = known.turn(episode)
    breaches = [pair for pair, found in judged if found.verdict == "drifting"]
    kind = "the hinge loss" if breaches[-1].labelled else "the margins"
    reason = (
        f"{kind} of version {newest.version} breached beside version {target} in "
        f"{len(breaches)} of {len(judged)} windows that both served"
    )
    compared = tuple(pair for pair, _ in judged)
    name = str(Numbered(episode=episode, number=turn.number))
    return Worse(name, episode, newest.version, target, reason, compared, turn.silence)


def served_beside(
    known: Status,
    promotion: Promotion,
    target: int,
    observations_of: Callable[[int], Iterable[Observation]],
) -> list[tuple[Pair, Reading]]:
    """Return what each window that an earlier version served, too, says against a champion.

    They are those since its promotion, oldest first; none where either version is not known.
    """
    try:
        new, old = known.candidate(promotion.version), known.candidate(target)
    except TwoCandidates:  # nobody could go back to it; whoever tries is told
        return []
    if new is None or old is None:
        return []
    theirs = list(observations_of(target))
    if not theirs:
        return []
    both = pairs(observations_of(new.version), theirs, promotion.effective_from)
    return [
        (pair, said_by_pair(known.spec, pair, new, old))
        for pair in both
        if served(pair, target) or pair.new.numbers.scored_by is None
    ]


def served(pair: Pair, version: int | None) -> bool:
    """Return whether production says that it let a version score rows of a window."""
    scored_by = pair.new.numbers.scored_by
    return scored_by is not None and version in scored_by.versions


def said_by_pair(spec: ModelSpec, pair: Pair, new: Candidate, old: Candidate) -> Reading:
    """Return what a window that both served says against the new version.

    With labels it breaches if the hinge loss is above the old one's by what matters to the owner
    and by more than chance shows; without, if only its own margins breach: what breaches under both
    has changed for both, and is for a retrain.
    """
    if "insufficient" in (pair.new.verdict, pair.old.verdict):
        return Reading(pair.window, new.version, "insufficient", None)
    if pair.labelled:
        found = rise([pair], new, old)
        chance = errors_of_chance(spec, new, old) * found.error
        pressure = max(found.value, 0.0) / max(spec.drift.hinge_loss.effect, chance)
    else:
        pressure = 0.0 if pair.old.verdict == "drifting" else pair.new.pressure or 0.0
    verdict: Verdict = "drifting" if pressure > 1 else "steady"
    return Reading(pair.window, new.version, verdict, pressure, awaited_until(spec, pair.new))


def errors_of_chance(spec: ModelSpec, new: Candidate, old: Candidate) -> float:
    """Return how many standard errors of a rise chance shows, at the spec's false alarms."""
    openings = spec.drift.false_alarms_per_year / windows_per_year(spec.window)
    degrees = min(accepted_spread(c).degrees for c in (new, old))
    return critical_value(openings, spec.latch, 0.0, degrees, sides=1)


def refusals(known: Status) -> list[Pause]:
    """Return what makes the asking for a rollback rest."""
    mine = {p.proposal for p in known.proposals if p.kind == KIND and p.episode}
    return [
        Pause(d.effective_from, promotion=False)
        for d in known.decisions
        if d.proposal in mine and d.answer in REFUSALS
    ]
