"""Stacks that are really broken: each is named by the check that it belongs to, with its remedy."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.doctor.checkups import CHECKUPS
from tasks.registry import tracking
from tasks.spec import spec_files
from tests.doctor.broken import ALSO, BROKEN
from tests.support import flow
from tests.support.examined import Stack, examined, examined_at, unwell
from tests.support.terminal import run


@pytest.fixture
def stack(
    stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Stack:
    stages = tmp_path_factory.getbasetemp() / "stages"
    flow.beginning(stages, stores, monkeypatch)("drifted")
    made = Stack(Path.cwd(), monkeypatch)
    (made.folder / "models").mkdir()
    made.write_spec()
    made.set("GATELATCH_MODELS", made.folder / "models")
    temporary = made.folder / "tmp"  # another test may leave something in the machine's
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    return made


def test_of_a_healthy_stack_there_is_nothing_to_say(stack: Stack) -> None:
    found = examined(code=0)
    assert unwell(found) == []
    assert [f["check"] for f in found] == [one.name for one in CHECKUPS]
    shown = run("doctor", "churn")
    assert shown.exit_code == 0
    assert f"{len(CHECKUPS)} checks: 0 ill, 0 warnings, 2 unseen" in shown.stdout
    assert run("doctor", "chrun").exit_code == 2


@pytest.mark.parametrize("what", BROKEN)
def test_each_broken_stack_is_named_with_its_remedy(stack: Stack, what: str) -> None:
    how, check, state, finding, remedy = BROKEN[what]
    how(stack)
    tracking.connect.cache_clear()
    ill = state == "ill" or "same store" in ALSO.get(what, ())
    found = unwell(examined(code=int(ill)))
    mine = [f for f in found if f["check"] == check and finding in f["finding"]]
    assert mine, found
    assert (mine[0]["state"], remedy in mine[0]["remedy"]) == (state, True), mine[0]
    assert {f["check"] for f in found} <= {check} | ALSO.get(what, set()), found
    assert all(f["remedy"] for f in found)
    assert "hunter2" not in json.dumps(found)


@pytest.mark.parametrize("lost", [True, False])
def test_a_champion_whose_files_are_lost_or_changed_is_named(stack: Stack, lost: bool) -> None:
    place = str(tracking.connect().get_model_version_download_uri("churn", "1"))
    file = Path(place.removeprefix("file://")) / "lineage.json"
    there = file.read_bytes()
    try:
        file.unlink()
        if not lost:
            file.write_bytes(there.replace(b"churn", b"chern"))
        (found,) = unwell(examined())
    finally:
        file.write_bytes(there)  # all tests share the artifacts
    assert (found["check"], found["state"], found["model"]) == ("files", "ill", "churn")
    assert f"lineage.json {'is missing' if lost else 'was changed'}" in found["finding"]
    assert "python -m tasks rollback churn" in found["remedy"]
    assert unwell(examined(code=0)) == []


def test_a_version_that_the_ledger_does_not_know_is_named_once_it_is_an_hour_old(
    stack: Stack,
) -> None:
    client = tracking.connect()
    ours = client.get_model_version("churn", "1")
    made = client.create_model_version("churn", ours.source, ours.run_id)
    assert unwell(examined(code=0)) == []  # its task may be about to record it
    (found,) = examined_at(datetime.now(UTC) + timedelta(hours=2))["versions"].findings
    assert (found.state, found.model) == ("warning", "churn"), found
    assert f"version(s) {made.version} in MLflow are no candidates of the ledger" in found.finding
    assert "registered by hand" in found.remedy


def test_a_proposal_whose_time_is_up_is_dead(stack: Stack) -> None:
    flow.propose(spec=spec_files.find("churn"))
    assert unwell(examined(code=0)) == []
    later = datetime.now(UTC) + timedelta(days=30)
    (found,) = examined_at(later)["proposals"].findings
    assert (found.state, found.model) == ("ill", "churn")
    assert f"{flow.FIRST} is dead since" in found.finding
    assert f"python -m tasks withdraw churn {flow.FIRST}" in found.remedy


def test_a_row_of_the_future_says_that_the_clock_went_back(stack: Stack) -> None:
    earlier = datetime.now(UTC) - timedelta(days=1)
    (found,) = examined_at(earlier)["clock"].findings
    assert found.state == "ill"
    assert "behind that of the newest row of the ledger" in found.finding
    assert "NTP" in found.remedy


def test_the_table_fits_a_terminal_and_names_what_was_not_looked_at(
    stack: Stack,
) -> None:
    stack.set("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    stack.set("COLUMNS", "80")
    shown = run("doctor")
    assert shown.exit_code == 1
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert all(line == line.rstrip() for line in shown.stdout.splitlines())
    assert "not looked at, because of mlflow: alias, files, versions" in shown.stdout
    assert "[" not in shown.stdout.replace("[Errno", "")
