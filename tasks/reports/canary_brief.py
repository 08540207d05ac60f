"""What the approver of a promotion reads about the canary that follows it."""

from __future__ import annotations

from tasks.ledger.records import Candidate, Proposal
from tasks.ledger.status import Status
from tasks.promotion.needed_rows import needed
from tasks.promotion.ramp import share_told
from tasks.quoting import as_text


def canary_to_come(known: Status, asked: Proposal, candidate: Candidate) -> list[str]:
    """Return sentences on the canary of a candidate; none if it is to have none."""
    scoring = known.spec.scoring
    champion = known.candidate(asked.champion)
    if scoring is None or scoring.canary is None or champion is None:
        return []
    canary, new = scoring.canary, candidate.version
    first, *rest = map(share_told, canary.steps)
    then = "".join(f", then {share}" for share in rest)
    needs = needed(known, canary.steps[0], candidate, champion)
    told = (
        f"**Canary:** version {new} first scores {first} of the keys{then}, until {canary.windows} "
        f"windows{' at each share' if rest else ''} were judged, and then all of them. Whoever "
        "served before scores the others. If version "
        f"{new} is found worse meanwhile, **it goes back by itself**, and nobody is asked. "
        f"{as_text(needs.told)}."
    )
    small = needs.too_small
    return [told, f"**Too small:** {as_text(small)}."] if small else [told]
