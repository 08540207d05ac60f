"""The audit trail as a person and a program read it, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from tasks import tracking
from tasks.__main__ import app
from tasks.audit import events
from tasks.ledger import Ledger
from tests import flow
from tests.test_ledger import day, decision, observation, promote, proposal, registered


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["audit", *words])


@pytest.fixture
def told(stores: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Return a ledger with a promotion, three windows, a rejection and a rollback."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    ledger = Ledger.open()
    ledger.propose(proposal())
    ledger.decide(decision())
    ledger.add_candidate(registered())
    ledger.decide(decision(step="promote", evidence="judged"))
    promote(ledger, 1, None)
    for number, verdict in enumerate(("steady", "steady", "drifting"), 9):
        ledger.observe(observation(number, verdict=verdict))
    promote(ledger, 2, 1, since=12)
    said = "[red]no[/] \x1b[2J" + "because " * 100
    ledger.decide(decision("rejected", proposal="p3", by="grace", comment=said))
    ledger.promote(
        "churn", "back", version=1, expected=2, effective_from=day(14), by="otto", reason="worse"
    )
    return ledger


def test_what_happened_is_told_in_the_order_of_writing(told: Ledger) -> None:
    found = [(e.first, e.last, e.by, e.what) for e in events(told.trail("churn"))]
    assert found == [
        (1, 1, "otto", "retrain proposed, rows from 2026-01-01 until 2026-01-09"),
        (2, 2, "ada", "retrain: approved"),
        (3, 3, "retrain", "version 1 registered; gates: 1 passed"),
        (4, 4, "ada", "promote: approved"),
        (5, 5, "ada", "promoted version 1, in place of no champion"),
        (
            6,
            8,
            "monitor",
            "3 observations from 2026-01-09 on under version 1: 1 drifting, 2 steady",
        ),
        (9, 9, "ada", "promoted version 2, in place of version 1"),
        (10, 10, "grace", "retrain: rejected"),
        (11, 11, "otto", "rolled back to version 1, in place of version 2"),
    ]


def test_each_decision_names_its_evidence_and_both_its_times(told: Ledger) -> None:
    trail = told.trail("churn")
    asked, _, trained, _, promoted, watched, *_ = events(trail)
    assert asked.evidence == {"spec": "spec"}
    assert trained.evidence == {"artifact": "files", "data": "data", "spec": "spec"}
    assert promoted.evidence == {"evidence": "judged"}
    assert (watched.event_time, promoted.event_time) == (day(12), day(9))
    assert watched.recorded_at == trail.rows["observations", 3]["recorded_at"]


def test_each_window_is_told_where_that_is_asked_for(told: Ledger) -> None:
    whats = [e.what for e in events(told.trail("churn"), each_window=True)]
    assert whats[7] == "window from 2026-01-11 is drifting under version 1"
    assert len(whats) == 11


def test_the_table_has_it_all_and_ends_with_the_head(told: Ledger) -> None:
    result = run("churn")
    assert result.exit_code == 0
    for words in (
        "retrain: approved",
        "on: artifact files, data data",
        "event time 2026-01-09, p1",
        "6–8",
        "rolled back to version 1, in place of version 2",
        "11 rows, not verified",
        f"head: {told.trail('churn').head}",
    ):
        assert words in result.stdout
    assert "window from 2026-01-11 is drifting" in run("churn", "--observations").stdout


def test_what_people_wrote_moves_no_cursor_and_is_not_markup(told: Ledger) -> None:
    shown = run("churn").stdout
    assert "why: [red]no[/] �[2Jbecause" in shown
    assert shown.count("because") < 30
    whole = json.loads(run("churn", "--json").stdout)["events"][-2]["why"]
    assert whole.count("because") == 100


def test_the_json_says_the_same_to_a_program(told: Ledger) -> None:
    plain, checked = (
        json.loads(run("churn", "--json", *more).stdout) for more in ([], ["--verify"])
    )
    assert (plain["verified"], checked["verified"], checked["fault"]) == (None, True, None)
    assert plain["head"] == told.trail("churn").head
    assert len(plain["events"]) == 9
    assert plain["events"][4]["event_time"] == day(9).isoformat()


def test_an_altered_row_ends_with_code_1_and_is_named(told: Ledger) -> None:
    assert "11 rows, verified against 0 kept heads" in run("churn", "--verify").stdout
    with told._engine.begin() as db:
        db.execute(sa.text("drop trigger decisions_append_only_update"))
        db.execute(sa.text("update decisions set by = 'mallory' where id = 2"))
    for words in ([], ["--json"]):
        result = run("churn", "--verify", *words)
        assert result.exit_code == 1
        assert "churn: row 2 of decisions (link 4) is not as it was recorded" in result.stderr
    assert "11 rows, not as they were recorded" in run("churn", "--verify").stdout
    assert json.loads(result.stdout)["verified"] is False
    assert run("churn").exit_code == 0


def test_a_head_that_was_kept_is_looked_for(told: Ledger) -> None:
    earlier = told.trail("churn").links[4].digest
    assert run("churn", "--head", earlier).exit_code == 0
    result = run("churn", "--head", earlier, "--head", "0" * 64)
    assert (result.exit_code, "the head 000000000000… kept by you" in result.stderr) == (1, True)


def test_a_model_that_nobody_knows_is_named_and_a_new_one_has_no_trail_yet(
    told: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run("nobody")
    assert (result.exit_code, "no model 'nobody'" in result.stderr) == (1, True)
    result = run("electricity", "--verify")
    assert (result.exit_code, "head: none yet" in result.stdout) == (0, True)
    assert run("nobody", "--head", "0" * 64).exit_code == 1


def test_a_registry_that_is_not_there_is_said_and_the_chain_verified_alone(
    told: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "MLFLOW_TRACKING_URI is not set" in run("churn", "--verify").stderr
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    tracking.connect.cache_clear()
    result = run("churn", "--verify")
    assert (result.exit_code, "they are not looked at" in result.stderr) == (0, True)
    assert "verified against 0 kept heads" in result.stdout


def test_a_promotion_cut_off_the_ledger_is_missed_by_the_head_that_mlflow_kept(
    stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow.beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)("promoted")
    assert "verified against 2 kept heads" in run("churn", "--verify").stdout
    ledger = Ledger.open()
    with ledger._engine.begin() as db:
        for table in ("chain", "promotions"):
            db.execute(sa.text(f"drop trigger {table}_append_only_delete"))
        (last,) = db.execute(sa.text("select max(position) from chain")).one()
        db.execute(sa.text(f"delete from chain where position = {last}"))
        db.execute(sa.text("delete from promotions where number = 2"))
    result = run("churn", "--verify")
    assert result.exit_code == 1
    assert "kept in MLflow with version 2 is not in the chain" in result.stderr
