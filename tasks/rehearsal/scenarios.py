"""The incidents that are rehearsed, by name. One more incident is one more entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tasks.errors import Final
from tasks.rehearsal.feature_incidents import constant_value, dead, scaled, swapped, unit_change
from tasks.rehearsal.label_incidents import (
    label_noise,
    labels_broken,
    labels_gone,
    labels_late,
    prior_shift,
)
from tasks.rehearsal.row_incidents import bad_candidate, outage, poisoned_slice
from tasks.rehearsal.rule_incidents import abrupt_turn, gradual_turn, recurring_turn
from tasks.rehearsal.scene import Incident, Scene

# Beside the names of `diagnosis`, what else names a cause to people.
DRIFT = "plain drift"  # an alarm, and no finding that speaks against drift
MOVED = "moved"  # what moved the margins most, or differs most, is a feature that was changed
STOPPED = "stopped"  # validation stopped the window, and its reason names column or rows
BY_GATES = "gates"  # the gates refused the candidate
ROLLBACK = "rollback"  # it is proposed to go back to the earlier champion
OVERDUE = "labels"  # they stopped coming


class UnknownScenario(Final):
    """A name that no scenario has: says which there are."""


@dataclass(frozen=True)
class Scenario:
    """An incident: its name, what happens in a sentence, and which causes count as right.

    `of_labels` says that it corrupts labels alone: no decision gets worse, but whoever learns from
    the labels does.
    """

    name: str
    sentence: str
    make: Callable[[Scene], Incident]
    right: frozenset[str]
    of_labels: bool = False


def _of(
    name: str,
    sentence: str,
    make: Callable[[Scene], Incident],
    *right: str,
    of_labels: bool = False,
) -> Scenario:
    return Scenario(name, sentence, make, frozenset(right), of_labels)


SCENARIOS: tuple[Scenario, ...] = (
    _of("scaled", "the strongest numeric feature × 100", scaled, "broken_scaling", STOPPED),
    _of("dead", "the strongest feature is missing in every row", dead, STOPPED),
    _of(
        "constant",
        "the strongest feature has one value in every row",
        constant_value,
        *("broken_scaling", "margin_collapse", MOVED, STOPPED),
    ),
    _of(
        "unit",
        "the strongest numeric feature in another unit: × 1.8, and an offset",
        unit_change,
        *("broken_scaling", MOVED, STOPPED),
    ),
    _of("swapped", "the two strongest features of a kind swapped", swapped, MOVED, STOPPED),
    _of(
        "label_noise",
        "one label in five is another class",
        label_noise,
        "persistent_label_noise",
        of_labels=True,
    ),
    _of("labels_late", "the rule turns by 60°, labels come 4 windows later", labels_late, DRIFT),
    _of("labels_gone", "the rule turns by 60°, labels come no more", labels_gone, OVERDUE, DRIFT),
    _of(
        "labels_broken",
        "all labels are of the first class",
        labels_broken,
        *("class_absent", "persistent_label_noise"),
        of_labels=True,
    ),
    _of(
        "prior",
        "half of the most frequent class is replaced by rows of other classes",
        prior_shift,
        DRIFT,
    ),
    _of("turn", "the rule turns by 60° at once", abrupt_turn, DRIFT),
    _of("turn_slow", "the rule turns evenly, by 60° in the last window", gradual_turn, DRIFT),
    _of(
        "turn_recurring",
        "the rule turns by 60° for 4 windows, and back for 4",
        recurring_turn,
        DRIFT,
    ),
    _of("outage", "the rows of a window end early, the next has none", outage, STOPPED),
    _of(
        "poisoned",
        "a candidate learns a fifth of its rows with labels turned round",
        poisoned_slice,
        *(BY_GATES, ROLLBACK),
    ),
    _of(
        "bad_candidate",
        "a candidate of shuffled labels is promoted by hand",
        bad_candidate,
        ROLLBACK,
    ),
)


def chosen_scenarios(names: Sequence[str]) -> tuple[Scenario, ...]:
    """Return the scenarios of these names; all if there are none.

    Raises
    ------
    UnknownScenario
        If a name is none of them.
    """
    known = {scenario.name: scenario for scenario in SCENARIOS}
    for name in names:
        if name not in known:
            raise UnknownScenario(f"--scenario {name}: there is {', '.join(known)}")
    return tuple(known[name] for name in dict.fromkeys(names)) if names else SCENARIOS
