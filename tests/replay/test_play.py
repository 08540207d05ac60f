"""A policy played over the past decides as the DAGs do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tasks.classifier import spans
from tasks.classifier.training import TrainingError
from tasks.cli import draft
from tasks.drift.error_budget import spent
from tasks.drift.latch import Pause, Reading, fold
from tasks.ledger import status
from tasks.ledger.budget import error_budget_of
from tasks.ledger.ledger import Ledger
from tasks.replay import past_rows, schedules, trial
from tasks.replay.history import History
from tasks.replay.play import play
from tasks.replay.played import Played
from tasks.spec import spec_files
from tasks.spec.model import ModelSpec
from tests.support import flow, past
from tests.support.flow import At, day
from tests.support.past import HOURS

ELECTRICITY = Path(__file__).parents[2] / "data/electricity.parquet"
FIRST = timedelta(days=140)
pytestmark = pytest.mark.filterwarnings("ignore:Liblinear failed to converge")


def electricity(**settings: Any) -> ModelSpec:
    raw, _ = draft.drafted(str(ELECTRICITY), "timestamp", "price_up", "7d")
    return spec_files.checked(draft.changed(raw, settings), "test")


@cache
def weeks() -> History:
    return past_rows.load_history(
        electricity(), datetime(1996, 5, 7, tzinfo=UTC), datetime(1999, 1, 1, tzinfo=UTC)
    )


@cache
def played() -> Played:
    return play(electricity(), weeks(), weeks().first_at(weeks().windows[0].start + FIRST), FIRST)


def silent(name: str, total: int | None) -> Any:
    return lambda steps=1: None


def turning(**parts: Any) -> tuple[ModelSpec, History]:
    """Return hours of 100 rows whose labels turn round with hour 14."""
    columns = past.rows(3000, hourly=100)
    columns["y"][1400:] = 1 - columns["y"][1400:]
    return past.spec(**parts), past.past(columns)


def test_electricity_is_retrained_four_times_and_gains_by_it() -> None:
    retrains = played().retrains
    assert [r.index for r in retrains] == [61, 68, 71, 112]
    assert [r.version for r in retrains] == [2, 3, 4, 5]
    learnt = [r.tried[r.taken].name for r in retrains]
    assert learnt == [spans.BREACH, spans.ALL, spans.ALL, spans.RECENT]
    tried = trial.trial(electricity(), weeks(), weeks().windows[20].start, FIRST, silent)
    assert tried.ours.means[0] == pytest.approx(0.77035, abs=5e-5)
    assert tried.never == pytest.approx(0.7492, abs=5e-5)
    assert tried.ours.retrains == (42, 49, 52, 93)
    gains = [(k.new or 0) - (k.old or 0) for k in trial.hindsight(tried.played)]
    assert tried.ours.false_alarms == sum(gain <= 0 for gain in gains) == 0
    assert max(gains) == pytest.approx(0.2325, abs=5e-5)
    assert min(gains) == pytest.approx(0.0044, abs=5e-5)
    assert next(iter(retrains[0].causes)) == "nsw_price"
    assert retrains[1].above == ("wasserstein", "lost_level")


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return flow.beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def test_a_replay_says_of_each_window_what_the_monitor_said(at: At) -> None:
    at("promoted")
    # A bad row, too many of them, stale rows, and a missing file, before and after the promotion.
    flow.land(11, x=[*[5000.0] * 29, *flow.rows(11)["x"][29:]])
    flow.land(12, x=[*[5000.0] * 31, *flow.rows(12)["x"][31:]])
    flow.land(13, **{name: values[:100] for name, values in flow.rows(13).items()})
    flow.file(14).unlink()
    for number in (15, 16):
        flow.land(number)
    for number in range(11, 17):
        flow.watch(number)
    known = flow.read()
    observed = [
        (o.window, o.version, o.verdict, o.figures.get("accuracy"), latch.state, latch.episode)
        for o, (_, latch) in zip(known.observations, known.history.steps, strict=True)
    ]
    found = past_rows.load_history(flow.MODEL, day(1), day(17))
    first = found.first_at(day(6))
    mine = play(flow.MODEL, found, first, timedelta(days=5))
    told = [
        (found.windows[s.index], s.version, s.judgement.verdict, s.latch.state, s.latch.episode)
        for s in mine.steps
    ]
    assert told == [(*o[:3], *o[4:]) for o in observed]
    assert {verdict for _, _, verdict, *_ in told} == {"steady", "drifting", "insufficient"}
    assert {version for _, version, *_ in told} == {1, 2}
    pressures = [[s.judgement.pressure or -1 for s in mine.steps]]
    pressures.append([o.pressure or -1 for o in known.observations])
    assert pressures[0] == pytest.approx(pressures[1], rel=1e-9)
    for step, (_, _, verdict, accuracy, *_) in zip(mine.steps, observed, strict=True):
        if verdict != "insufficient":
            rate = mine.rates[step.version - 1, 0, step.index - first]
            assert rate == pytest.approx(accuracy)
    for step, seen in zip(mine.steps, known.observations, strict=True):
        statistics = {s["name"]: (s["value"], s["limit"]) for s in seen.figures["statistics"]}
        mine_too = {s.name: (s.value, s.limit) for s in step.judgement.statistics}
        assert mine_too.keys() == statistics.keys()
        for name, figures in statistics.items():
            assert mine_too[name] == pytest.approx(figures, rel=1e-9)


@pytest.mark.parametrize("metric", ["hinge_loss", "violation_rate", "error_rate", "cost"])
def test_a_replay_spends_the_error_budget_that_the_ledger_tells(at: At, metric: str) -> None:
    at("promoted")
    flow.land(11, y=pa.nulls(300, pa.int64()))  # no labels, so no budget
    for number in range(12, 14):
        flow.land(number)
    for number in range(11, 14):
        flow.watch(number)
    raw = flow.MODEL.model_dump(mode="json", exclude_none=True)
    raw["gates"] = {**raw["gates"], "costs": [[0, 1], [3, 0]]}
    spec = ModelSpec.model_validate({**raw, "slo": {"metric": metric, "window": 6}})
    known = status.read(spec, Ledger.open())
    told = error_budget_of(known)
    assert told is not None
    found = past_rows.load_history(flow.MODEL, day(1), day(14))
    mine = play(spec, found, found.first_at(day(6)), timedelta(days=5))
    steps = [step.metric for step in mine.steps if step.metric is not None]
    assert spec.slo is not None
    again = spent(spec.slo, 6, steps)
    a, b = told.now, again[-1]
    assert a is not None
    assert (a.window, a.version, a.judged, a.unseen) == (b.window, b.version, b.judged, b.unseen)
    assert (a.last, a.sixth, a.whole) == pytest.approx((b.last, b.sixth, b.whole), rel=1e-9)
    assert a.judged > 0
    assert "of the error budget is spent" in told.sentence


def states(spec: ModelSpec, found: History, mine: Played) -> list[tuple[str, str | None]]:
    """Return the latch at each window's end, from a fold over everything until then."""
    pauses = [
        Pause(found.windows[r.index].end, promotion=r.version is not None)
        for r in mine.retrains
        if not r.untrained
    ]
    pauses += [Pause(found.windows[b.index].end, promotion=True) for b in mine.rollbacks]
    readings = [
        Reading(found.windows[s.index], s.version, s.judgement.verdict, s.judgement.pressure)
        for s in mine.steps
    ]
    known = []
    for count, reading in enumerate(readings, 1):
        before = [p for p in pauses if p.since < reading.window.end]
        latch = fold(spec.model, readings[:count], before, spec.latch).now
        known.append((latch.state, latch.episode))
    return known


def test_folding_since_the_last_promotion_is_folding_everything() -> None:
    mine = played()
    assert [(s.latch.state, s.latch.episode) for s in mine.steps] == states(
        electricity(), weeks(), mine
    )
    strict, found = turning(gates={"hinge_loss": {"at_most": 0.01}})
    mine = play(strict, found, 10, 8 * HOURS)
    assert len(mine.retrains) > 2
    assert [(s.latch.state, s.latch.episode) for s in mine.steps] == states(strict, found, mine)


def test_a_refused_candidate_makes_the_latch_rest_and_it_asks_again() -> None:
    strict, found = turning(gates={"hinge_loss": {"at_most": 0.01}}, latch={"rest": "3h"})
    mine = play(strict, found, 10, 8 * HOURS)
    asked = [r.index for r in mine.retrains]
    assert asked[:3] == [16, 19, 25]  # each refusal doubles the rest
    assert {r.version for r in mine.retrains} == {None}
    assert len({r.episode for r in mine.retrains}) == 1
    assert "hinge loss (at most 0.01, and it is 0.2" in str(mine.retrains[0].refusal)
    assert [s.latch.state for s in mine.steps][5:9] == ["open", "open", "resting", "resting"]
    tried = trial.trial(strict, found, found.windows[10].start, 8 * HOURS, silent)
    assert (tried.ours.retrains, tried.ours.false_alarms) == ((), 1)
    assert [k.false_alarm for k in trial.hindsight(mine)] == [True] * len(asked)


def test_what_cannot_be_trained_is_a_refusal_and_the_play_goes_on() -> None:
    one, found = turning()
    found.label[1400:2000] = 1
    found.frame.loc[1400:2000, "x"] = -2.0
    mine = play(past.spec(training={"window": "2h"}), found, 10, 8 * HOURS)
    refused = mine.retrains[0]
    assert refused.version is None
    assert "has no row of class 0" in str(refused.refusal)
    assert (refused.gates, len(refused.trained)) == ((), 0)
    assert len(mine.steps) == 20
    assert trial.hindsight(mine)[0].false_alarm is None
    found.label[:1000] = 1
    with pytest.raises(TrainingError, match="no row of class 0"):
        play(one, found, 10, 8 * HOURS)


def test_late_labels_are_neither_judged_nor_trained_on_before_they_come() -> None:
    prompt, found = turning()
    sooner = play(prompt, found, 10, 8 * HOURS)
    late = past.spec(label={"delay": "4h"})
    later = play(late, found, 12, 8 * HOURS)
    # Labels alone turn: nothing shows before the first of them is known.
    assert sooner.retrains[0].index == 16
    assert later.retrains[0].index == 20
    assert later.retrains[0].trained.max() < 1700
    assert later.bootstrap.trained.max() < 800
    # In the end all windows are judged with labels, but those whose labels never came.
    labelled = [s.judgement.labelled for s in later.steps]
    assert labelled == [True] * (len(labelled) - 4) + [False] * 4
    by_index = {s.index: s for s in later.steps}
    assert by_index[15].judgement.verdict == "drifting"
    assert by_index[15].latch.state != "open"


def test_a_window_before_a_promotion_is_judged_again_with_its_own_champion() -> None:
    late = past.spec(label={"delay": "4h"})
    _, found = turning()
    mine = play(late, found, 12, 8 * HOURS)
    promoted = next(r for r in mine.retrains if r.version == 2)
    old = [s for s in mine.steps if s.index in (promoted.index - 1, promoted.index)]
    assert [s.version for s in old] == [1, 1]
    assert all(s.judgement.labelled and s.judgement.verdict == "drifting" for s in old)


def test_a_feature_that_was_constant_and_now_varies_stops_its_windows() -> None:
    found = weeks()
    one = electricity(
        **{
            "validation.constant_feature": "insufficient",
            **{f"drift.{name}.effect": 9.0 for name in ("hinge_loss", "class_loss")},
        }
    )
    stopped = play(one, found, 20, FIRST)
    alive = [(np.ptp(found.frame["transfer"].iloc[found.rows(s.index)]) > 0) for s in stopped.steps]
    said = [s.judgement.verdict == "insufficient" for s in stopped.steps]
    assert said == alive
    assert stopped.retrains == ()
    reason = stopped.steps[-1].judgement.reason
    assert "was constant in the reference" in reason
    assert "validation.constant_feature" in reason


def test_the_first_champion_is_in_the_matrix_and_the_oracle_is_no_worse_than_a_calendar() -> None:
    tried = trial.trial(electricity(), weeks(), weeks().windows[20].start, FIRST, silent)
    others = trial.compare(tried, FIRST, [20], 5, silent)
    by_name = {p.name: p for p in others}
    assert list(by_name)[:3] == ["never", "every 20 windows", "always"]
    matrix = schedules.matrix(electricity(), weeks(), 20, FIRST)
    same = trial._scheduled("never again", (), matrix, weeks())
    assert same.rates == pytest.approx(tried.played.rates[0], nan_ok=True)
    accuracy = {name: p.means[0] or 0 for name, p in by_name.items()}
    assert accuracy["never"] == pytest.approx(tried.never)
    assert len(by_name["every 20 windows"].retrains) == 5
    assert accuracy["oracle 5"] >= accuracy["every 20 windows"]
    assert len(by_name["always"].retrains) == 114
    assert by_name["never"].labels_used == pytest.approx(140 * 48 / 45312)
    assert by_name["never"].gain_per_retrain(tried.never) is None
    gain = tried.ours.gain_per_retrain(tried.never)
    assert gain == pytest.approx(100 * (0.77035 - 0.74917) / 4, abs=1e-3)


def test_a_sweep_keeps_the_first_champion_and_the_range() -> None:
    base, found = turning()
    tried = trial.trial(base, found, found.windows[10].start, 8 * HOURS, silent)
    settings: list[dict[str, Any]] = [
        {"training.window": "4h"},
        {"latch.wait": 5},
        {"drift.hinge_loss.effect": 9.0, "drift.class_loss.effect": 9.0},
    ]
    points = [(s, spec_files.checked(draft.changed(past.SPEC, s), "test")) for s in settings]

    def read(spec: ModelSpec) -> History:
        raise AssertionError("the rows are the same")

    swept = trial.sweep(tried, points, 8 * HOURS, read, silent)
    assert [s for s, _ in swept] == settings
    assert {p.never for _, p in swept} == {tried.never}
    assert {len(p.played.steps) for _, p in swept} == {20}
    assert [len(p.ours.retrains) for _, p in swept] == [1, 1, 0]
    accuracy = [p.ours.means[0] or 0 for _, p in swept]
    assert trial.frontier([p.ours for _, p in swept]) == [
        accuracy[0] >= accuracy[1],
        accuracy[1] >= accuracy[0],
        True,
    ]


def test_the_same_play_twice_is_the_same() -> None:
    one, found = turning()
    first, second = (play(one, found, 10, 8 * HOURS) for _ in range(2))
    assert first.steps == second.steps
    assert [r.index for r in first.retrains] == [r.index for r in second.retrains]
    assert first.rates == pytest.approx(second.rates, nan_ok=True)


def test_a_window_whose_scores_are_no_numbers_is_insufficient_by_name_and_the_play_goes_on() -> (
    None
):
    columns = past.rows(3000, hourly=100)
    columns["x"] *= 1e-60
    columns["x"][[1250, 1260]] = 1e100  # a score of 1e160
    one = past.spec(latch={"rest": "2h"}, training={"cap": None}, drift={"blind_at": 100})
    rows = past.past(columns)
    steps = play(one, rows, 8, timedelta(hours=8)).steps
    said = {s.index: s.judgement for s in steps if s.judgement.verdict == "insufficient"}
    assert list(said) == [12]
    assert said[12].reason.startswith("the decision values of 2 row(s) are not finite, or beyond")
    assert "expectation" in said[12].reason


def test_losses_that_cannot_be_summed_make_their_window_insufficient_in_a_play() -> None:
    columns = past.rows(3000, hourly=100)
    columns["x"][1250] = 1e100
    weight = np.ones(3000)
    weight[1250] = 1e140  # times a squared loss of 1e200
    columns["y"][1250] = 0
    rows = replace(past.past(columns), weight=weight)
    one = past.spec(source={"weight": "w"}, training={"cap": None}, drift={"blind_at": 100})
    steps = play(one, rows, 8, timedelta(hours=8)).steps
    said = {s.index: s.judgement.reason for s in steps if s.judgement.verdict == "insufficient"}
    assert list(said) == [12]
    assert "source.weight, and bound them with an expectation" in said[12]
