"""How many rows a canary needs to show what matters to the owner. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt
from statistics import median

from tasks.drift.reference import losses_from_json
from tasks.ledger.records import Candidate
from tasks.ledger.status import Status
from tasks.promotion.canary import errors_of_chance
from tasks.promotion.paired import accepted_spread
from tasks.promotion.ramp import share_told
from tasks.spec.model import ModelSpec

_LOOKED = 12  # newest windows whose rows are the usual ones


@dataclass(frozen=True, kw_only=True)
class Needed:
    """Labelled rows of a window that a canary needs at a `share`, and what a window usually has.

    `rows` are those of the new version that show a rise by `drift.hinge_loss.effect`; None if no
    number does, as blocks of a reference held too few rows. `usual` are the rows of a window by
    both versions, None if no window says; with its share of these the new one shows a rise by
    `shows`. `least` is `window.min_rows`. `labelled` is whether the usual rows have labels.
    """

    share: float
    effect: float
    rows: int | None
    usual: float | None
    shows: float | None
    least: int
    labelled: bool

    @property
    def expected(self) -> float | None:
        """Return how many rows of a window the new version scores."""
        return None if self.usual is None else self.share * self.usual

    @property
    def told(self) -> str:
        """Return what is needed, and what is usual."""
        rise = f"a rise of the hinge loss by {self.effect:g}"
        need = (
            f"No number of rows shows {rise} in one window, as blocks of the references had too few"
            if self.rows is None
            else f"A window shows {rise} from {self.rows:,} labelled rows of the new version on"
        )
        if self.expected is None or self.shows is None:
            return need
        usual = f"{need}; at {share_told(self.share)} of the keys it has about {self.expected:,.0f}"
        if not self.labelled:
            return f"{usual} rows, without labels"
        return f"{usual} labelled rows, which show a rise by {self.shows:.2g}"

    @property
    def too_small(self) -> str | None:
        """Return what is wrong with the share, and the way out; None if nothing is known to be."""
        if self.expected is None:
            return None
        if self.expected < self.least:
            rows, what = self.least, "by window.min_rows; no window would count"
        elif self.labelled and self.rows is not None and self.expected < self.rows:
            rows, what = self.rows, f"to show a rise of the hinge loss by {self.effect:g}"
        else:
            return None
        return (
            f"scoring.canary: {share_told(self.share)} of the keys are about {self.expected:,.0f} "
            f"rows of a window, and {rows:,} are needed {what}. Raise the share, or take longer "
            "windows"
        )


def needed(known: Status, share: float, new: Candidate, old: Candidate) -> Needed:
    """Return what a canary of one version beside another needs, and what a window has."""
    usual, labelled = _usual(known)
    mine = share * usual if usual else 0.0
    return Needed(
        share=share,
        effect=known.spec.drift.hinge_loss.effect,
        rows=rows_needed(known.spec, share, new, old),
        usual=usual,
        shows=_chance(known.spec, share, new, old)(mine) if mine else None,
        least=known.spec.window.min_rows,
        labelled=labelled,
    )


def rows_needed(spec: ModelSpec, share: float, new: Candidate, old: Candidate) -> int | None:
    """Return the labelled rows of the new version at which chance shows no more than the effect.

    The old version has (1 - share) / share as many. Their losses vary as those of either reference
    do, with its design effect; more rows than one of its blocks held count as that block
    (`paired.mean_variance`). None if no number is enough.
    """
    chance = _chance(spec, share, new, old)
    effect = spec.drift.hinge_loss.effect
    if chance(inf) > effect:
        return None
    low, high = 0, 1
    while chance(high) > effect:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if chance(middle) > effect else (low, middle)
    return high


def _chance(
    spec: ModelSpec, share: float, new: Candidate, old: Candidate
) -> Callable[[float], float]:
    """Return which rise chance shows, by the rows of the new version."""
    factor, others = errors_of_chance(spec, new, old), (1 - share) / share
    (mine, most), (theirs, their_most) = (
        (_row_variance(c), accepted_spread(c).rows) for c in (new, old)
    )

    def chance(rows: float) -> float:
        return factor * sqrt(mine / min(rows, most) + theirs / min(rows * others, their_most))

    return chance


def _row_variance(version: Candidate) -> float:
    """Return the variance of a row's hinge loss, times the design effect of its mean."""
    losses = losses_from_json(version.reference)
    assert losses is not None  # of what was accepted on labelled rows
    return accepted_spread(version).design_effects["hinge"] * losses.hinge_variance


def _usual(known: Status) -> tuple[float | None, bool]:
    """Return the median of a window's rows, of the labelled ones where there are any."""
    numbers = [o.numbers for o in known.observations[-_LOOKED:] if o.verdict != "insufficient"]
    labelled = [n for n in numbers if n.labelled]
    rows = []
    for n in labelled or numbers:
        own = n.labelled or n.accepted
        # Where several versions served, a version's figures are of its own rows.
        all_rows = sum(n.scored_by.versions.values()) if n.scored_by else n.accepted
        rows.append(own * all_rows / n.accepted if n.accepted else 0.0)
    return (median(rows) if rows else None), bool(labelled)
