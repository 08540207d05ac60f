"""The table of statistics: what each is, and how they share the budget of false alarms. Pure.

A statistic of all rows is added by a row here with its `measure`, and by its option in
`tasks/spec/policy_options.py`.
"""

from __future__ import annotations

from tasks.drift.energy import of_energy
from tasks.drift.statistic import Shares, Statistic, StatisticKind, of_inside, of_moved, of_scores
from tasks.spec.policy_options import Drift

_LOSSES = 1 / 2  # of the budget, where there are labels
KS_LABELLED = StatisticKind("ks_labelled", "share", "margins", "labelled", "ks")
HINGE_LOSS = StatisticKind(
    "hinge_loss", "loss", "hinge", "labelled", "hinge_loss", "losses", "rise", alone=True
)
VIOLATION_RATE = StatisticKind(
    "violation_rate", "share", "violations", "labelled", "violation_rate"
)
CLASS_LOSS = StatisticKind(
    "class_loss", "loss", "class_loss", "class", "class_loss", "classes", "rise"
)
CLASS_RECALL = StatisticKind(
    "class_recall", "share", "class_recall", "class", "class_recall", "classes", "fall"
)
CLASS_MARGIN = StatisticKind(
    "class_margin", "σ", "class_margin", "class", "class_margin", "classes", "fall"
)
CONSTANT = StatisticKind(
    *("constant", "loss", "hinge", "labelled", "hinge_loss", "none", "rise"),
    alone=True,
    words="hinge loss above the best constant's",
)
LOST_LEVEL = StatisticKind(
    *("lost_level", "loss", "hinge", "labelled", "hinge_loss", "losses", "rise"),
    alone=True,
    words="hinge loss above the best earlier champion's",
)
KINDS = (
    StatisticKind("ks", "share", "scores", "all", "ks", measure=of_scores),
    StatisticKind("wasserstein", "σ", "mean", "all", "wasserstein", measure=of_moved),
    StatisticKind("margin_density", "share", "inside", "all", "margin_density", measure=of_inside),
    StatisticKind("energy", "√σ", "scores", "all", "energy", measure=of_energy),
    KS_LABELLED,
    HINGE_LOSS,
    VIOLATION_RATE,
    CLASS_LOSS,
    CLASS_RECALL,
    CLASS_MARGIN,
    CONSTANT,
    LOST_LEVEL,
)
_BY_NAME = {kind.name: kind for kind in KINDS}
SHAPES = tuple(kind.name for kind in KINDS if kind.rows == "all")  # they need no label
ALONE = tuple(kind.name for kind in KINDS if kind.alone)


def shares(policy: Drift, labelled: bool, level: bool = False, of_classes: int = 0) -> Shares:
    """Return the shares of the budget of the statistics that a window has.

    Without labels all is for those of all rows, in equal shares. With labels half is for losses,
    in equal shares for each and for the classes taken together; the other half for the rest.

    Parameters
    ----------
    level
        Whether there is a level that was lost.
    of_classes
        How many statistics the classes have.
    """
    on = [k for k in KINDS if k.on(policy) and (labelled or k.rows == "all")]
    rest = sum(k.part == "rest" for k in on)
    losses = sum(k.part == "losses" and (level or k is not LOST_LEVEL) for k in on)
    if not losses:
        return Shares(1 / rest, 0.0, 0.0)
    loss = _LOSSES / (losses + (of_classes > 0))
    return Shares((1 - _LOSSES) / rest, loss, loss / of_classes if of_classes else 0.0)


def words(name: str) -> str:
    """Return the name of a statistic as people read it, be it in the table or not."""
    kind = _BY_NAME.get(name)
    return name.replace("_", " ") if kind is None or kind.words is None else kind.words


def called(statistic: Statistic) -> str:
    """Return a measured statistic as people read it, with the class that it is of."""
    name = words(statistic.name)
    return name if statistic.of is None else f"{name} of {statistic.of}"


def unit(name: str) -> str:
    """Return what stands behind a value: the sign of a unit that is not a plain number."""
    kind = _BY_NAME.get(name)
    return "" if kind is None or kind.unit in ("share", "loss") else f" {kind.unit}"
