"""Which classes of a window can be held against those of its reference, and how they do. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce
from math import sqrt

from tasks.drift.catalogue import CLASS_LOSS, CLASS_MARGIN, CLASS_RECALL
from tasks.drift.class_spread import QUANTITIES, name_of
from tasks.drift.loss_sums import Losses
from tasks.drift.statistic import FARTHEST, Chance, Statistic, deviation_of
from tasks.drift.summary import Summary
from tasks.spec.policy_options import Drift

EXPECTED = 10  # rows of a class that say something about it, or by whose absence it is missed
OTHERS = "other classes"
_TAIL = 1.5  # third moment of a loss times mean over squared second: that of an exponential one
ClassPair = tuple[Losses, Losses]


@dataclass(frozen=True)
class Classes:
    """The classes of a window and its reference, by what can be said about them.

    Parameters
    ----------
    both
        Losses here and there of each class that has labels on both sides.
    absent
        Classes that should have ten labelled rows in the window, and have none.
    new
        Classes with ten rows here, but fewer than ten in the reference.
    unmatched
        Losses here of all classes that the reference has no row of, however few they are here.
    """

    both: Mapping[str, ClassPair]
    absent: tuple[str, ...]
    new: tuple[str, ...]
    unmatched: Losses = field(default_factory=Losses)

    @cached_property
    def together(self) -> ClassPair:
        """Return the losses of all classes that both sides have."""
        return _merged(list(self.both.values()))

    @property
    def overall(self) -> ClassPair:
        """Return the losses of the classes that both sides have, and here of the unmatched ones.

        A class that went takes its losses with it, which says nothing of the model; one that came
        brings losses that the model has, and that it would not have had it learnt the class.
        """
        ours, theirs = self.together
        return ours.merge(self.unmatched), theirs

    @cached_property
    def judged(self) -> dict[str, ClassPair]:
        """Return the classes that are judged by themselves, and the rest as one if it is enough.

        A single class that is all there is has nothing to say for itself.
        """
        if len(self.both) < 2:
            return {}
        found = {name: pair for name, pair in self.both.items() if _enough(pair)}
        rest = _merged([pair for name, pair in self.both.items() if name not in found])
        return found | ({OTHERS: rest} if _enough(rest) else {})

    @cached_property
    def unjudged(self) -> tuple[str, ...]:
        """Return the classes with too few rows to be judged, even together."""
        if len(self.both) < 2 or OTHERS in self.judged:
            return ()
        return tuple(name for name in self.both if name not in self.judged)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Return the judged classes of whose margins the reference does not know the spread."""
        judged = self.judged.items()
        return tuple(name for name, (_, theirs) in judged if theirs.squared_margin is None)

    @property
    def alike(self) -> bool:
        """Return whether both sides have the same classes, but for those too rare to be missed."""
        return not self.absent and not set(self.new) - set(self.both)


def compared_classes(window: Summary, reference: Summary) -> Classes:
    """Return what can be said of the classes of a window."""
    names = dict.fromkeys([*reference.classes, *window.classes])
    pairs = {
        name: (window.classes.get(name, Losses()), reference.classes.get(name, Losses()))
        for name in names
    }
    n, m = window.losses.rows, reference.losses.rows
    return Classes(
        {k: (a, b) for k, (a, b) in pairs.items() if a.effective_rows and b.effective_rows},
        tuple(k for k, (a, b) in pairs.items() if m and not a.rows and b.rows * n / m >= EXPECTED),
        tuple(
            k
            for k, (a, b) in pairs.items()
            if m and b.rows < EXPECTED <= a.rows and a.rows * m / n >= EXPECTED
        ),
        reduce(Losses.merge, [a for a, b in pairs.values() if not b.rows], Losses()),
    )


def class_statistics(classes: Classes) -> int:
    """Return how many statistics the judged classes have."""
    return len(QUANTITIES) * len(classes.judged) - len(classes.unknown)


def statistics(classes: Classes, policy: Drift, chance: Chance) -> Iterator[Statistic]:
    """Yield the rise of each judged class's mean hinge loss, the fall of its recall and margin."""
    if not classes.judged:
        return
    n, m = (losses.effective_rows for losses in classes.together)
    # Of each class window and reference hold about the same part, so one critical value serves all.
    critical = chance.critical_at(chance.shares.of_class, chance.own(n), m, sides=1)
    for name, (ours, theirs) in classes.judged.items():
        n, m = ours.effective_rows, theirs.effective_rows
        part = m / chance.reference.summary.rows
        own = chance.own(n, part)
        recall = 1 - theirs.error_rate
        deviation, skewness = _of_losses(theirs)
        spread, lopsided = deviation_of(recall, m), (2 * recall - 1) / deviation_of(recall, m)
        standard = {
            quantity: sqrt(_design_effect(chance, quantity, name) * (1 / own + 1 / m))
            for quantity in QUANTITIES
        }
        yield CLASS_LOSS.measured(
            ours.hinge_loss - theirs.hinge_loss,
            skewed(critical, skewness, own, m) * deviation * standard["class_loss"],
            policy,
            of=name,
            reference=theirs.hinge_loss,
        )
        yield CLASS_RECALL.measured(
            theirs.error_rate - ours.error_rate,
            skewed(critical, lopsided, own, m) * spread * standard["class_recall"],
            policy,
            most=recall,
            of=name,
            reference=recall,
        )
        unit, lopsided = _of_margins(theirs)
        if unit:  # unknown, or all margins are 0 and have none
            change = (ours.mean_margin - theirs.mean_margin) / unit
            yield CLASS_MARGIN.measured(
                max(-FARTHEST, min(change, FARTHEST)),
                skewed(critical, lopsided, own, m) * standard["class_margin"],
                policy,
                of=name,
            )


def _merged(pairs: list[ClassPair]) -> ClassPair:
    return (
        reduce(Losses.merge, (a for a, _ in pairs), Losses()),
        reduce(Losses.merge, (b for _, b in pairs), Losses()),
    )


def _enough(pair: ClassPair) -> bool:
    return min(losses.effective_rows for losses in pair) >= EXPECTED


def _design_effect(chance: Chance, quantity: str, of: str) -> float:
    effects = chance.reference.spread.design_effects
    # Pooled classes, or a reference from before classes had any: as much as of all rows.
    return effects.get(name_of(quantity, of), effects["hinge"])


def _of_losses(losses: Losses) -> tuple[float, float]:
    """Return standard deviation and skewness of the hinge losses of few rows.

    As if there were one more row, decided wrongly with a margin of the usual size: what so few have
    not shown is not impossible.
    """
    m = losses.effective_rows
    wrong = 1 + losses.unsigned / losses.weight
    second = (losses.squared_hinge / losses.weight * m + wrong**2) / (m + 1)
    unit = sqrt(second)
    mean = (losses.hinge_loss * m + wrong) / (m + 1) / unit
    variance = max(1 - mean**2, 0.0)
    third = max(_TAIL / mean - 3 * mean + 2 * mean**3, 0.0)
    return unit * sqrt(variance), third / (variance * sqrt(variance)) if variance else 0.0


def _of_margins(losses: Losses) -> tuple[float, float]:
    """Return standard deviation of the margins of few rows, and skewness towards low ones.

    With one more row as `_of_losses`. The third moment of 1 - y·f is that of the loss, as there,
    less that of what exceeds a margin of 1, which by its first two moments is this at the least.
    """
    if losses.squared_margin is None:
        return 0.0, 0.0
    m, usual = losses.effective_rows, losses.unsigned / losses.weight

    def more(total: float, wrong: float) -> float:
        return (total / losses.weight * m + wrong) / (m + 1)

    mean, second = more(losses.margin, -usual), more(losses.squared_margin, usual**2)
    deviation = sqrt(max(second - mean**2, 0.0))
    size = sqrt(max(1 - 2 * mean + second, 0.0))  # root mean square of 1 - y·f
    if not deviation or not size:
        return deviation, 0.0
    short = (1 - mean) / size
    loss = more(losses.hinge, 1 + usual) / size
    squared = more(losses.squared_hinge, (1 + usual) ** 2) / size**2
    beyond = loss - short
    third = _TAIL * squared**2 / loss - (max(1 - squared, 0.0) ** 2 / beyond if beyond > 0 else 0.0)
    skewness = (third - 3 * short + 2 * short**3) / (deviation / size) ** 3
    return deviation, min(max(skewness, 0.0), sqrt(m))  # more lopsided no m values are


def skewed(critical: float, skewness: float, n: float, m: float) -> float:
    """Return a critical value for the difference of two means of skewed values (Cornish-Fisher)."""
    variance = 1 / n + 1 / m
    of_difference = skewness * (1 / n**2 - 1 / m**2) / (variance * sqrt(variance))
    return critical + max(of_difference, 0.0) * max(critical**2 - 1, 0.0) / 6
