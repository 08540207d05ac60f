import json
from dataclasses import asdict
from datetime import timedelta
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from benchmarks.detection import environments
from benchmarks.detection.streams import RULE
from benchmarks.detection.unseen import abrupt, made, measure, ours, picture, policies, tables
from benchmarks.detection.unseen.figures import Outcome, Reign, Result, accuracy, outcome, share
from benchmarks.detection.unseen.made import CHANGE, FIRST, ROWS, WINDOWS
from benchmarks.detection.unseen.refits import Refits
from benchmarks.detection.unseen.streams import STREAMS, NotMade
from tasks.replay.trial import trial

PUBLISHED = ("sea", "hyperplane", "agrawal", "led", "stagger")
MADE = [n for n, s in STREAMS.items() if s.kind != "real" and n not in PUBLISHED]
# Their first champion and its refits are tried in one test each; forty classes take seconds.
TWO_CLASSES = [n for n in MADE if n != "forty-classes"]


@cache
def first_seed(name):
    return STREAMS[name].make(0)


def rule(rows, since, until):
    """The direction of the best linear rule of some windows, by least squares."""
    part = slice(since * ROWS, until * ROWS)
    features = np.column_stack([np.ones(part.stop - part.start), rows.features[part]])
    weights = np.linalg.lstsq(features, 2.0 * rows.label[part] - 1, rcond=None)[0][1:]
    return weights / np.linalg.norm(weights)


def angle(one, other):
    return np.degrees(np.arccos(np.clip(one @ other, -1, 1)))


def shares(rows, since, until):
    label = rows.label[since * ROWS : until * ROWS]
    return np.bincount(label, minlength=rows.label.max() + 1) / len(label)


@pytest.mark.parametrize("name", MADE)
def test_a_stream_is_the_same_for_a_seed_and_another_for_another(name):
    one = first_seed(name).history
    same, other = (STREAMS[name].make(seed).history for seed in (0, 1))
    assert len(one.windows) == WINDOWS
    assert {w.end - w.start for w in one.windows} == {timedelta(days=7)}
    assert np.diff(one.edges).tolist() == [ROWS] * WINDOWS
    assert one.frame.equals(same.frame)
    assert (one.label == same.label).all()
    assert not one.frame.equals(other.frame)


@pytest.mark.parametrize("degrees", [35, 120])
def test_an_abrupt_rule_turns_by_its_angle_at_its_moment(degrees):
    rows = made.abrupt(0, degrees, at=CHANGE)
    before, after = rule(rows, 0, CHANGE), rule(rows, CHANGE, WINDOWS)
    assert angle(before, RULE) < 2
    assert angle(before, after) == pytest.approx(degrees, abs=3)


def test_a_change_in_mid_window_leaves_that_windows_first_half_as_it_was():
    whole, half = made.abrupt(0, 120, at=CHANGE), made.abrupt(0, 120, at=CHANGE + 0.5)
    differs = np.flatnonzero(whole.label != half.label)
    assert differs.min() >= CHANGE * ROWS
    assert differs.max() < (CHANGE + 0.5) * ROWS


def test_a_recurring_rule_comes_back():
    rows = made.recurring(0)
    turned = [angle(rule(rows, a, b), RULE) for a, b in ((0, 35), (35, 50), (50, 65), (65, 80))]
    assert turned == pytest.approx([0, 120, 0, 120], abs=4)


def test_a_rotating_rule_turns_by_three_degrees_a_window():
    rows = made.rotating(0)
    assert angle(rule(rows, 50, 60), rule(rows, 70, 80)) == pytest.approx(60, abs=5)


def test_a_gradual_change_mixes_in_the_new_rule_and_ends_with_it():
    rows = made.gradual(0)
    assert angle(rule(rows, 50, 80), RULE) == pytest.approx(120, abs=3)
    right = (rows.features @ RULE > 0) == rows.label
    of_old = right.reshape(WINDOWS, ROWS).mean(axis=1)
    assert np.polyfit(range(35, 50), of_old[35:50], 1)[0] < -0.02


@pytest.mark.parametrize("name", ["virtual-along", "virtual-across", "yearly", "weekly", "prior"])
def test_where_nothing_is_to_gain_the_rule_holds(name):
    history = first_seed(name).history
    rows = made.Rows(history.frame.to_numpy(), history.label)
    assert angle(rule(rows, 0, CHANGE), rule(rows, CHANGE, WINDOWS)) < 6


def test_the_rare_class_holds_three_percent_and_its_rule_turns():
    rows = made.minority(0)
    assert shares(rows, 0, CHANGE)[1] == pytest.approx(0.03, abs=0.004)
    assert shares(rows, CHANGE, WINDOWS)[1] == pytest.approx(0.03, abs=0.004)
    assert angle(rule(rows, 0, CHANGE), rule(rows, CHANGE, WINDOWS)) == pytest.approx(60, abs=8)


def test_classes_come_and_leave_when_they_are_said_to():
    late, leaving = made.late_class(0), made.leaving_class(0)
    assert shares(late, 0, 30)[2] == 0
    assert shares(late, 30, WINDOWS) == pytest.approx([1 / 3] * 3, abs=0.02)
    assert shares(leaving, 0, CHANGE) == pytest.approx([1 / 3] * 3, abs=0.02)
    assert shares(leaving, CHANGE, WINDOWS)[2] == 0
    assert shares(made.forty_classes(0), 0, WINDOWS) == pytest.approx([1 / 40] * 40, abs=0.005)


def test_the_share_of_positives_rises_and_a_share_of_labels_flips():
    assert shares(made.prior(0), 0, CHANGE)[1] == pytest.approx(0.5, abs=0.02)
    assert shares(made.prior(0), CHANGE, WINDOWS)[1] == pytest.approx(0.8, abs=0.02)
    clean = made.label_noise(0, share=0.0)
    noisy = made.label_noise(0, share=0.2)
    flipped = (clean.label != noisy.label).reshape(WINDOWS, ROWS).mean(axis=1)
    assert not flipped[:CHANGE].any()
    assert flipped[CHANGE:].mean() == pytest.approx(0.2, abs=0.02)


def test_a_fault_touches_its_columns_in_its_windows_alone():
    whole = made.fault(0, factor=1, since=40, until=42, columns=1)
    broken = made.fault(0, factor=100, since=40, until=42, columns=1)
    changed = whole.features != broken.features
    assert changed[40 * ROWS : 42 * ROWS, 0].all()
    assert changed.sum() == 2 * ROWS


@pytest.mark.parametrize("rho", [0.5, 0.9, 0.99])
def test_an_autoregressive_stream_has_its_autocorrelation(rho):
    first = made.autoregressive(0, rho).features[:, 0]
    assert np.corrcoef(first[1:], first[:-1])[0, 1] == pytest.approx(rho, abs=0.02)


@pytest.mark.parametrize("name", TWO_CLASSES)
def test_a_refit_gains_where_there_is_something_to_gain_and_nowhere_else(name):
    stream = STREAMS[name]
    it = first_seed(name)
    since = WINDOWS - 8 - FIRST
    windows = range(since, since + 8)
    models = Refits(it).first, Refits(it).at(since, "all rows")

    def measured(model):
        if stream.measure == "accuracy":
            return np.mean([accuracy(it, model, w) for w in windows])
        return outcome(it, [Reign(0, models[0]), Reign(since, model)]).balanced

    gain = 100 * (measured(models[1]) - measured(models[0]))
    assert gain > 3 if stream.kind == "gain" else gain < 1


class Constant:
    """A model that gives every row one class."""

    def __init__(self, said):
        self._said = said

    def said(self, window):
        return np.full(ROWS, self._said)


def test_an_outcome_counts_what_was_in_vain_and_averages_the_recalls():
    it = first_seed("minority")
    no, yes = Constant(0), Constant(1)
    found = outcome(it, [Reign(0, no), Reign(10, yes), Reign(20, no), Reign(25, Constant(0))])
    assert found.retrains == (10, 20, 25)
    assert found.vain == 2  # saying yes is worse, and saying no once more no better
    label = it.history.label[FIRST * ROWS :]
    said = np.repeat([0, 1, 0], [10 * ROWS, 10 * ROWS, 40 * ROWS])
    right = said == label
    assert found.accuracy == pytest.approx(right.mean())
    assert found.balanced == pytest.approx(np.mean([right[label == c].mean() for c in (0, 1)]))
    assert [found.delay(change) for change in (5, 10, 30)] == [5, 10, None]


rates = st.floats(0, 1)


@given(never=rates, gain=st.floats(0.01, 1), part=st.floats(-2, 2))
def test_a_share_is_the_part_of_the_trailing_refits_gain(never, gain, part):
    assert share(never + part * gain, never, never + gain) == pytest.approx(part, abs=1e-9)


def test_a_seed_with_little_to_gain_does_not_outweigh_the_others():
    assert share([0.9, 0.8], [0.7, 0.8], [0.9, 0.8001]) == pytest.approx(1, abs=0.01)


@given(st.lists(rates, min_size=2), st.lists(rates, min_size=2))
def test_the_distance_is_that_of_kolmogorov_and_smirnov(one, other):
    expected = ks_2samp(one, other, method="asymp").statistic
    assert policies.distance(np.array(one), np.array(other)) == pytest.approx(expected)


def test_a_calendar_refits_after_each_period_and_never_after_the_last_window():
    it = first_seed("weak")
    found = policies.every(it, Refits(it), 20, "65 %")
    assert [reign.since for reign in found] == [0, 20, 40]


def test_hindsight_is_at_least_as_good_as_a_calendar_with_as_many_refits():
    it = first_seed("abrupt")
    refits = Refits(it)
    best, calendar = (
        outcome(it, found)
        for found in (policies.oracle(it, refits), policies.every(it, refits, 8, "all rows"))
    )
    assert len(best.retrains) <= policies.MOST
    assert best.accuracy >= calendar.accuracy


def test_the_projects_policy_is_played_by_its_replay():
    it = first_seed("abrupt")
    never = outcome(it, policies.never(it, Refits(it)))
    found = ours.play(it, never)
    start = it.history.windows[it.first].start
    tried = trial(it.spec, it.history, start, it.span, lambda name, total: lambda: None)
    assert found.accuracy == pytest.approx(tried.ours.means[0])
    assert never.accuracy == pytest.approx(tried.never)
    assert found.retrains


def test_a_published_stream_without_river_names_the_way_to_it(monkeypatch, tmp_path):
    monkeypatch.setattr(environments, "HOME", tmp_path)
    with pytest.raises(NotMade, match=r"python -m benchmarks\.detection\.environments"):
        STREAMS["sea"].make(0)


def result(stream, seed, **accuracies):
    outcomes = {name: Outcome(value, value, (20,)) for name, value in accuracies.items()}
    return Result(stream, seed, FIRST, 60, outcomes)


def test_an_earlier_runs_policies_stand_beside_a_new_one(tmp_path):
    file = tmp_path / "earlier.json"
    earlier = [result("weak", 0, never=0.7, Gatelatch=0.75)]
    file.write_text(json.dumps({"unseen": [asdict(one) for one in earlier]}))
    (found,) = measure.beside([result("weak", 0, Gatelatch=0.8)], file)
    assert {name: one.accuracy for name, one in found.outcomes.items()} == {
        "never": 0.7,
        "Gatelatch": 0.8,
    }
    with pytest.raises(SystemExit, match="nothing of weak 1"):
        measure.beside([result("weak", 1, Gatelatch=0.8)], file)


def test_the_summary_names_the_median_share_and_the_streams_below_the_bar():
    names = ("weak", "abrupt", "rotating")
    found = [
        result(name, 0, **{"never": 0.6, measure.OURS: mine, measure.TRAILING: 0.8})
        for name, mine in zip(names, (0.64, 0.78, 0.8), strict=True)
    ]
    row = next(r for r in tables.summary(tables.Board(found)).rows if r[0] == measure.OURS)
    assert row[2:5] == ("0.90", "0.20", "1 of 3")


def test_the_picture_is_the_same_for_the_same_figures_and_says_where_it_is(tmp_path):
    columns = dict.fromkeys(
        (measure.NEVER, "KS, all rows", "ADWIN, all rows", "DDM, all rows"), 0.6
    )
    found = [
        result(name, 0, **columns, **{measure.OURS: 0.75, measure.TRAILING: 0.8})
        for name in ("weak", "yearly")
    ]
    shown = picture.write(tables.Board(found), tmp_path)
    once = (tmp_path / "unseen.svg").read_bytes()
    assert "(unseen.svg)" in shown
    picture.write(tables.Board(found), tmp_path)
    assert (tmp_path / "unseen.svg").read_bytes() == once


def test_the_abrupt_change_is_drawn_the_same_and_from_the_figures_of_the_tables(tmp_path):
    it = first_seed("abrupt")
    refits = Refits(it)
    reigns = policies.every(it, refits, 20, "all rows")
    drawn = abrupt.rates(it, reigns)
    assert len(drawn) == WINDOWS - FIRST
    assert drawn.mean() == pytest.approx(outcome(it, reigns).accuracy)
    start = it.history.windows[FIRST].start
    tried = trial(it.spec, it.history, start, it.span, lambda name, total: lambda: None)
    for name in ("one.svg", "other.svg"):
        abrupt.draw(tried, drawn, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "other.svg").read_bytes()
    assert (tmp_path / "one.svg").stat().st_size < 150_000
