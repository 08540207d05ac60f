"""What the monitor's steps hand over: typed, JSON in between, and never a row."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.data.served_by import ScoredBy
from tasks.flows import monitor
from tasks.flows.measure import measure
from tasks.flows.plan import Plan, serving
from tasks.flows.window_steps import Measured, Validated
from tasks.formats import OtherFormat
from tasks.validation.checked_rows import Checked
from tests.support.flow import MARKER, MODEL, OUTLIER, STRANGE, At, beginning, land, rows, window

CHECKED = Checked(
    problem=None,
    rows=10,
    accepted=9,
    quarantined=1,
    checks=(),
    warnings=("a feature is alive",),
    data_digest="d",
    seen_digest="s",
    quarantine=("quarantine/x/d-0.parquet",),
    scored_by=ScoredBy(versions={1: 6, 2: 3}, others=0, none=1),
    reasons={"expect_column_values_to_not_be_null on column 'x'": 1},
)
OTHER = Validated(version=2, rows_of=2, logged=True, checked=CHECKED, report="r")
VALIDATED = replace(OTHER, version=1, rows_of=None, remark="1 row names none", beside=(OTHER,))
MEASURED = Measured(
    validated=replace(VALIDATED, beside=()),
    summary="summaries/x",
    problem=None,
    warnings=("older than a class",),
    beside=(Measured(validated=OTHER, summary=None, problem="no row", warnings=()),),
)


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


@pytest.mark.parametrize("step", [CHECKED, replace(CHECKED, scored_by=None), VALIDATED, MEASURED])
def test_what_is_handed_over_is_the_same_after_json(step: Any) -> None:
    assert type(step).from_json(json.loads(json.dumps(step.to_json()))) == step


def test_rows_that_release_0_1_checked_are_read_without_a_number() -> None:
    old = {k: v for k, v in CHECKED.to_json().items() if k != "format"} | {"report": "reports/x"}
    assert Checked.from_json(old) == CHECKED


@pytest.mark.parametrize("step", [CHECKED, VALIDATED, MEASURED])
def test_another_format_is_named_with_the_way_out(step: Any) -> None:
    with pytest.raises(OtherFormat, match=r"format 9.* install that .* clear .* first task on"):
        type(step).from_json({**step.to_json(), "format": 9})


@pytest.mark.parametrize("step", [VALIDATED, MEASURED])
def test_what_a_step_of_release_0_1_handed_over_has_to_be_made_again(step: Any) -> None:
    raw = {name: value for name, value in step.to_json().items() if name != "format"}
    with pytest.raises(OtherFormat, match=r"reads format 1; clear the run from its first task on"):
        type(step).from_json(raw)


def test_no_value_of_a_row_is_handed_over(at: At) -> None:
    at("bootstrapped")
    found = rows(6)
    found["x"][3], found["y"][4] = OUTLIER, STRANGE
    land(6, **found)
    validated = monitor.validate(MODEL, window(6))
    assert validated.checked.quarantined == 2
    measured = measure(MODEL, window(6), Validated.from_json(validated.to_json()))
    text = json.dumps([validated.to_json(), measured.to_json()])
    assert [v for v in (MARKER, str(OUTLIER), str(STRANGE)) if v in text] == []
    assert monitor.judge(MODEL, window(6), Measured.from_json(measured.to_json())).version == 1


def test_a_version_is_measured_on_its_own_rows_if_it_scored_enough() -> None:
    scored = ScoredBy(versions={1: 40, 2: 260, 3: 200}, others=0, none=0)
    enough = serving(MODEL, scored)
    plan = Plan(window=window(6), champion=2, version=2, beside=(1, 3), served=enough)
    told = {v: (plan.rows_of(v), plan.logged(v)) for v in (1, 2, 3)}
    assert told == {1: (2, False), 2: (2, True), 3: (3, True)}


def test_where_no_column_says_who_scored_a_row_all_count_and_the_champion_logged_them() -> None:
    plan = Plan(window=window(6), champion=2, version=2, beside=(1,), served=serving(MODEL, None))
    told = {v: (plan.rows_of(v), plan.logged(v)) for v in (1, 2)}
    assert told == {1: (None, False), 2: (None, True)}
