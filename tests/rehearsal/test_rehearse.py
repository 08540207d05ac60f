"""Who is told of an incident, when, and of what; and which settings close what nobody is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.cli import draft
from tasks.drift.latch import fold
from tasks.formats import OtherFormat
from tasks.rehearsal.rehearse import Ordered, rehearse_incidents
from tasks.rehearsal.rehearsed import BlindSpot, Rehearsed, TriedSetting, load_rehearsal
from tasks.rehearsal.scenarios import chosen_scenarios
from tasks.rehearsal.scene import Incident, Scene
from tasks.rehearsal.stretches import NoStretch, quiet_stretches
from tasks.rehearsal.validated import validated_again
from tasks.rehearsal.watched import Told, gap_in, watch
from tasks.replay import past_rows
from tasks.replay.play import play, windows_of
from tasks.replay.playing import Playing
from tasks.spec import spec_files
from tasks.spec.model import ModelSpec
from tests.rehearsal.staged import FIRST, HOURLY, ONSET, SPAN, scene, silent
from tests.support import past
from tests.support.past import HOURS, START

pytestmark = pytest.mark.filterwarnings("ignore:Liblinear failed to converge")


def told(name: str, one: Scene | None = None, **parts: Any) -> Told:
    one = one or scene()
    (scenario,) = chosen_scenarios([name])
    spec = one.spec.model_copy(update=parts)
    return watch(spec, one, scenario.make(one), scenario.right)


def test_without_an_incident_nobody_is_told() -> None:
    said = watch(scene().spec, scene(), Incident(scene().history, scene().history.label))
    assert (said.alarm, said.windows, said.wrong, said.gates) == (None, None, 0, "not asked")


def test_a_rehearsal_opens_the_latch_when_a_replay_of_the_same_rows_does() -> None:
    one = scene()
    (turn,) = chosen_scenarios(["turn"])
    incident = turn.make(one)
    said = watch(one.spec, one, incident, turn.right)
    played = play(one.spec, incident.history, FIRST, SPAN)
    opened = next(s.index for s in played.steps if s.latch.state == "open")
    assert (said.alarm, said.windows) == ("latch", opened - ONSET + 1)
    (retrain, *_) = played.retrains
    assert said.gates == ("passed" if retrain.version else "refused")
    assert said.rows == (opened + 1 - ONSET) * HOURLY
    errors = 1 - played.rates[0, 0, ONSET - FIRST : opened - FIRST + 1]
    before = play(one.spec, one.history, FIRST, SPAN).rates[0, 0]
    usual = 1 - before[ONSET - FIRST : opened - FIRST + 1]
    assert said.wrong == round(HOURLY * float((errors - usual).sum()))


@pytest.mark.parametrize(
    ("name", "alarm", "cause"),
    [
        ("scaled", "latch", "broken_scaling x"),
        ("dead", "insufficient", "stopped"),
        ("constant", "latch", "broken_scaling x"),
        ("labels_broken", "latch", "class_absent"),
        ("outage", "insufficient", "stopped"),
        ("bad_candidate", "rollback", "rollback"),
    ],
)
def test_what_breaks_is_told_and_named(name: str, alarm: str, cause: str) -> None:
    said = told(name)
    assert said.alarm == alarm
    assert cause in said.causes
    assert said.right


def test_a_poisoned_candidate_is_stopped_by_its_gates_and_costs_nothing() -> None:
    said = told("poisoned")
    assert (said.alarm, said.windows, said.rows, said.wrong) == ("gates", 0, 0, 0)
    assert said.gates.startswith("refused: hinge loss")
    free = told("poisoned", replace(scene(), spec=past.spec(gates={"hinge_loss": {"at_most": 9}})))
    assert free.alarm != "gates" or "hinge loss" not in free.gates


def test_features_that_are_missing_have_no_decisions_to_count() -> None:
    said = told("dead")
    assert (said.wrong, said.harm) == (None, None)
    assert said.harmful


def landed(folder: Path, incident: Incident) -> str:
    """Write what an incident made of the rows as a source would land them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    history = incident.history
    table = {
        "time": pa.array(history.times, pa.timestamp("us")),
        "id": [f"row {i}" for i in range(len(history.times))],
        **{name: pa.array(history.frame[name], from_pandas=True) for name in history.frame},
        "y": history.label,
    }
    pq.write_table(pa.table(table), folder / "rows.parquet")
    return str(folder / "rows.parquet")


@pytest.mark.parametrize("name", ["dead", "scaled", "unit", "outage"])
@pytest.mark.parametrize("mostly", [1.0, 0.9])
def test_what_stops_a_window_is_what_stops_the_monitor_on_the_same_rows(
    tmp_path: Path, name: str, mostly: float
) -> None:
    one = scene()
    bounds = {"column": "x", "min_value": -5, "max_value": 5, "mostly": mostly}
    rules = [{"type": "expect_column_values_to_be_between", **bounds}]
    (scenario,) = chosen_scenarios([name])
    incident = scenario.make(one)
    path = landed(tmp_path, incident)
    spec = past.spec(window={"min_rows": 20}, source={"path": path}, expectations=rules)
    mine = validated_again(spec, incident.history, FIRST, spec.features.columns)
    read = past_rows.load_history(spec, START, START + 23 * HOURS)
    assert [p and p.partition(";")[0] for p in mine.problems] == [
        p and p.partition(";")[0] for p in read.problems
    ]
    assert np.array_equal(mine.edges, read.edges)
    assert any(mine.problems)


def rehearsed(names: list[str], **parts: Any) -> Rehearsed:
    raw = past.SPEC | {"window": {**past.SPEC["window"], "min_rows": 20}} | parts
    history = past.past(past.rows(50 * HOURLY, hourly=HOURLY))

    def respec(settings: Mapping[str, Any]) -> ModelSpec:
        return spec_files.checked(draft.changed(raw, settings), "test")

    asked = Ordered(chosen_scenarios(names), 12, 2, 0, SPAN)
    return rehearse_incidents(respec({}), history, asked, respec, silent)


def test_a_turn_is_told_though_labels_are_late_and_that_they_stop_coming_is_told_too() -> None:
    found = rehearsed(["turn", "labels_late", "labels_gone"])
    turn, late, gone = found.lines
    assert found.blind == ()
    assert {t.alarm for t in (*turn.told, *late.told)} == {"latch"}
    assert {(t.alarm, t.windows, t.causes) for t in gone.told} == {("labels", 2, ("labels",))}
    waited = [(t.windows, late.told[k].windows) for k, t in enumerate(turn.told)]
    assert all(soon is not None and then == soon + 4 for soon, then in waited)


def test_a_blind_spot_says_which_settings_were_tried_and_which_of_them_close_it() -> None:
    found = rehearsed(["prior"])
    (spot,) = found.blind
    assert spot.scenario == "prior"
    assert {t.name for t in spot.tried} == set(found.tried)
    assert [t.name for t in spot.closed_by] == ["effects of drift halved"]


def test_labels_that_are_late_and_then_gone_are_told_once_they_are_awaited_no_more() -> None:
    one = scene()
    (gone,) = chosen_scenarios(["labels_gone"])
    label = one.spec.label.model_copy(update={"delay": HOURS})
    spec = one.spec.model_copy(update={"label": label})
    run = Playing(spec, gone.make(one).history, FIRST, SPAN, one.champion)
    told = []
    for _ in windows_of(run):
        gap = gap_in(run)
        told.append("-" if gap is None else "told" if gap.told else str(len(gap.windows)))
    # A window after they were due the first is missed; awaited are they for four windows more.
    assert told == ["-"] * (ONSET - FIRST + 2) + ["1", "2", "3", "4", "5"] + ["told"] * 5


def test_windows_that_wait_for_labels_do_not_close_the_latch_that_late_labels_opened() -> None:
    one = scene()
    (late,) = chosen_scenarios(["labels_late"])
    incident = late.make(one)
    label = one.spec.label.model_copy(update={"delay": incident.delay})
    spec = one.spec.model_copy(update={"label": label})
    run = Playing(spec, incident.history, FIRST, SPAN, one.champion)
    windows = windows_of(run)
    opened = next(index for index in windows if run.steps[-1].latch.state == "open")
    judged = [s.judgement for s in run.steps if s.index >= ONSET]
    assert [said.verdict for said in judged if said.labelled] == ["drifting"] * 2
    waiting = [said for said in judged if not said.labelled]
    assert [said.verdict for said in waiting] == ["steady"] * 4
    assert opened == ONSET + len(judged) - 1
    blind = [replace(r, awaited_until=None) for r in run.readings.values()]
    assert fold(spec.model, blind, run.pauses, spec.latch).now.state == "closed"


def test_a_rehearsal_is_read_back_from_its_json_as_it_was() -> None:
    found = rehearsed(["scaled", "labels_gone"])
    raw = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert load_rehearsal(raw) == found
    assert raw["format"] == 1
    with pytest.raises(OtherFormat, match="stored rehearsal has the format 2"):
        load_rehearsal({**raw, "format": 2})


def test_a_setting_closes_a_blind_spot_only_where_it_alarms_in_every_stretch() -> None:
    tried = [TriedSetting("a", {}, 1, 0), TriedSetting("b", {}, 2, 1), TriedSetting("c", {}, 2, 0)]
    assert [t.name for t in BlindSpot("turn", 2, tuple(tried)).closed_by] == ["c", "b"]


def test_a_history_that_is_too_short_says_what_to_widen() -> None:
    history = past.past(past.rows(20 * HOURLY, hourly=HOURLY))
    with pytest.raises(
        NoStretch, match="the history holds 20 windows of 1h; the champion takes 8h"
    ):
        quiet_stretches(
            past.spec(), history, SPAN, windows=12, count=2, seed=0, advance=lambda: None
        )


def test_a_stretch_that_alarms_by_itself_is_not_played() -> None:
    columns = past.rows(40 * HOURLY, hourly=HOURLY)
    columns["y"][24 * HOURLY :] = 1 - columns["y"][24 * HOURLY :]  # amid the first one looked at
    history = past.past(columns)
    spec = past.spec(window={"min_rows": 20})
    found = quiet_stretches(spec, history, SPAN, windows=8, count=1, seed=0, advance=lambda: None)
    assert found.looked_at == 2
    assert found.stretches[0].scene.history.windows[-1].end == START + 24 * HOURS
