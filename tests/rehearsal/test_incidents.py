"""An incident changes what it says, from its window on, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.arrays import Ints
from tasks.classifier import scoring
from tasks.rehearsal import label_incidents, rule_incidents
from tasks.rehearsal.scenarios import SCENARIOS, Scenario, UnknownScenario, chosen_scenarios
from tasks.rehearsal.scene import NotApplicable, Scene, cut_out
from tasks.replay.trained_model import train_on_history
from tests.rehearsal.staged import FIRST, ONSET, SPAN, scene
from tests.support import past

RANDOM = {"label_noise", "prior", "bad_candidate"}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_no_row_before_an_incident_is_touched(scenario: Scenario) -> None:
    before, one = scene().before, scenario.make(scene())
    assert one.history.frame.iloc[before].equals(scene().history.frame.iloc[before])
    assert np.array_equal(one.history.label[before], scene().history.label[before])
    assert np.array_equal(one.history.times[before], scene().history.times[before])
    assert one.history.windows == scene().history.windows
    assert len(one.truth) == len(one.history.label) == len(one.history.frame)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_a_seed_makes_the_same_incident_again(scenario: Scenario) -> None:
    one, again = (scenario.make(replace(scene(), seed=3)) for _ in range(2))
    assert one.history.frame.equals(again.history.frame)
    assert np.array_equal(one.history.label, again.history.label)
    other = scenario.make(replace(scene(), seed=4))
    same = np.array_equal(one.history.label, other.history.label)
    assert same or scenario.name in RANDOM


def decided(one: Scene) -> Ints:
    decision = scoring.decision_values(one.champion.model, one.history.frame.iloc[one.since])
    return (decision > 0).astype(np.int64)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_turned_rule_keeps_features_and_the_noise_of_the_labels(seed: int) -> None:
    one = replace(scene(), seed=seed)
    incident = rule_incidents.abrupt_turn(one)
    assert incident.history.frame is one.history.frame
    old, was, now = decided(one), one.history.label[one.since], incident.truth[one.since]
    turned = was != now
    # Where the label changed the rule did, so the champion was right there and is wrong, or the
    # other way round: the labels contradict the turned rule as often as they did the old one.
    rule = np.where(turned, 1 - old, old)
    assert ((rule != now) == (old != was)).all()
    # 60° of 180° of a round cloud of features.
    assert turned.mean() == pytest.approx(1 / 3, abs=0.08)


def test_a_gradual_turn_grows_and_a_recurring_one_comes_back() -> None:
    one = scene()

    def changed(label: Ints) -> list[int]:
        moved = label != one.history.label
        return [int(moved[one.history.rows(i)].sum()) for i in range(ONSET, ONSET + one.windows)]

    slow = changed(rule_incidents.gradual_turn(one).truth)
    assert sum(slow[:4]) < sum(slow[4:8]) < sum(slow[8:])
    back = changed(rule_incidents.recurring_turn(one).truth)
    assert all(back[:4])
    assert not any(back[4:8])
    assert all(back[8:])


def test_a_prior_shifts_while_rows_of_a_class_stay_what_they_were() -> None:
    one = scene()
    incident = label_incidents.prior_shift(one)
    assert np.array_equal(incident.history.edges, one.history.edges)
    shares = [np.mean(h.label[one.since]) for h in (one.history, incident.history)]
    assert abs(shares[0] - shares[1]) > 0.15
    known = set(map(tuple, np.c_[one.history.frame, one.history.label]))
    assert set(map(tuple, np.c_[incident.history.frame, incident.history.label])) <= known


def test_noise_spares_no_class_and_leaves_the_truth() -> None:
    one = scene()
    incident = label_incidents.label_noise(one)
    wrong = incident.history.label[one.since] != incident.truth[one.since]
    assert wrong.mean() == pytest.approx(label_incidents.NOISE, abs=0.05)
    assert np.array_equal(incident.truth, one.history.label)


def test_an_incident_that_a_model_cannot_have_says_what_it_needs() -> None:
    spec = past.spec(features={"numeric": ["x"]}, window={"min_rows": 20})
    columns = past.rows(23 * 200, hourly=200)
    history = past.past(columns)
    history = replace(history, frame=history.frame[["x"]])
    champion = train_on_history(spec, history, history.windows[FIRST].start, SPAN, None)
    alone = Scene(spec, history, FIRST, ONSET, SPAN, champion)
    with pytest.raises(NotApplicable, match="needs two features of one kind"):
        chosen_scenarios(["swapped"])[0].make(alone)
    with pytest.raises(NotApplicable, match="needs two inputs"):
        chosen_scenarios(["turn"])[0].make(alone)


def test_an_unknown_incident_is_told_with_those_there_are() -> None:
    with pytest.raises(UnknownScenario, match="--scenario flood: there is scaled, dead, constant"):
        chosen_scenarios(["scaled", "flood"])


def test_a_stretch_holds_the_rows_of_its_windows() -> None:
    whole = scene().history
    part = cut_out(whole, 3, 9)
    assert part.windows == whole.windows[3:9]
    for index in range(6):
        mine, theirs = part.rows(index), whole.rows(index + 3)
        assert np.array_equal(part.times[mine], whole.times[theirs])
        assert part.frame.iloc[mine].to_numpy().tolist() == (
            whole.frame.iloc[theirs].to_numpy().tolist()
        )
