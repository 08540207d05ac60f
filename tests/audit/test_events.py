"""The audit trail as a person and a program read it, and its exit codes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml
from typer.testing import CliRunner, Result

from tasks.__main__ import app
from tasks.audit.events import events
from tasks.ledger.ledger import Ledger
from tasks.registry import tracking
from tasks.spec.approval_options import Owner
from tests.support import flow
from tests.support.forging import as_owner, move, rollback, version
from tests.support.rows import day, decision, observation, proposal


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["audit", *words])


@pytest.fixture
def told(stores: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Return a ledger with a promotion, three windows, a rejection and a rollback."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    ledger = Ledger.open()
    version(ledger, 1)
    for number, verdict in enumerate(("steady", "steady", "drifting"), 9):
        ledger.observe(observation(number, verdict=verdict))
    version(ledger, 2)
    ledger.propose(proposal("p3", champion=2))
    said = "[red]no[/] \x1b[2J" + "because " * 100
    ledger.decide(decision("rejected", proposal="p3", by="grace", comment=said))
    ledger.propose(rollback())
    ledger.decide(decision(proposal="back", step="rollback", by="otto", comment="worse"))
    move(ledger, "back", 1, 2, "otto")
    return ledger


def test_what_happened_is_told_in_the_order_of_writing(told: Ledger) -> None:
    found = [(e.first, e.last, e.by, e.what) for e in events(told.trail("churn"))]
    assert found[:8] == [
        (1, 1, "otto", "retrain proposed, rows from 2026-01-01 until 2026-01-09"),
        (2, 2, "gatelatch", "retrain: ada, grace asked"),
        (3, 3, "ada", "retrain: approved"),
        (4, 4, "retrain", "version 1 registered; gates: 1 passed"),
        (5, 5, "gatelatch", "promote: ada, grace asked"),
        (6, 6, "grace", "promote: approved"),
        (7, 7, "grace", "promoted version 1, in place of no champion"),
        (
            8,
            10,
            "monitor",
            "3 observations from 2026-01-09 on under version 1: 1 drifting, 2 steady",
        ),
    ]
    assert found[14:] == [
        (17, 17, "grace", "promoted version 2, in place of version 1"),
        (18, 18, "otto", "retrain proposed, rows from 2026-01-01 until 2026-01-09"),
        (19, 19, "grace", "retrain: rejected"),
        (20, 20, "otto", "rollback proposed, rows from 2026-01-01 until 2026-01-09"),
        (21, 21, "otto", "rollback: approved"),
        (22, 22, "otto", "rolled back to version 1, in place of version 2"),
    ]


def test_each_decision_names_its_evidence_and_both_its_times(told: Ledger) -> None:
    trail = told.trail("churn")
    asked, put, _, trained, _, _, promoted, watched, *_ = events(trail)
    assert asked.evidence == {"spec": "spec"}
    assert trained.evidence == {"artifact": "files", "data": "data", "spec": "spec"}
    assert put.evidence == promoted.evidence == {"evidence": "shown"}
    assert (watched.event_time, promoted.event_time) == (day(12), day(9))
    assert watched.recorded_at == trail.rows["observations", 3]["recorded_at"]


def test_each_window_is_told_where_that_is_asked_for(told: Ledger) -> None:
    whats = [e.what for e in events(told.trail("churn"), each_window=True)]
    assert whats[9] == "window from 2026-01-11 is drifting under version 1"
    assert len(whats) == 22


def test_the_table_has_it_all_and_ends_with_the_head(told: Ledger) -> None:
    result = run("churn")
    assert result.exit_code == 0
    for words in (
        "retrain: approved",
        "on: artifact files, data data",
        "event time 2026-01-09, p1",
        "8–10",
        "rolled back to version 1, in place of version 2",
        "22 rows, not verified",
        f"head: {told.trail('churn').head}",
    ):
        assert words in result.stdout
    assert "window from 2026-01-11 is drifting" in run("churn", "--observations").stdout


def test_what_people_wrote_moves_no_cursor_and_is_not_markup(told: Ledger) -> None:
    shown = run("churn").stdout
    assert "why: [red]no[/] �[2Jbecause" in shown
    whole = json.loads(run("churn", "--json").stdout)["events"][-4]["why"]
    assert whole.count("because") == 100


def test_the_json_says_the_same_to_a_program(told: Ledger) -> None:
    plain, checked = (
        json.loads(run("churn", "--json", *more).stdout) for more in ([], ["--verify"])
    )
    assert (plain["verified"], checked["verified"], checked["fault"]) == (None, True, None)
    assert plain["head"] == told.trail("churn").head
    assert len(plain["events"]) == 20
    assert plain["events"][6]["event_time"] == day(9).isoformat()


def test_an_altered_row_ends_with_code_1_and_is_named(told: Ledger) -> None:
    assert "22 rows, verified against 0 kept heads" in run("churn", "--verify").stdout
    with told._engine.begin() as db:
        db.execute(sa.text("drop trigger decisions_append_only_update"))
        db.execute(sa.text("update decisions set by = 'mallory' where id = 2"))
    for words in ([], ["--json"]):
        result = run("churn", "--verify", *words)
        assert result.exit_code == 1
        assert "churn: row 2 of decisions (link 6) is not as it was recorded" in result.stderr
    assert "22 rows, not as they were recorded" in run("churn", "--verify").stdout
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
    assert "MLFLOW_TRACKING_URI is not set" in run("churn", "--verify").stdout
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    tracking.connect.cache_clear()
    result = run("churn", "--verify")
    assert (result.exit_code, "not checked: the heads in MLflow" in result.stdout) == (0, True)
    assert "verified against 0 kept heads" in result.stdout


@pytest.fixture
def at(
    stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> flow.At:
    specs = stores / "specs"
    specs.mkdir()
    spec = yaml.safe_dump(flow.MODEL.model_dump(mode="json", exclude_none=True))
    (specs / "churn.yaml").write_text(spec)
    monkeypatch.setenv("GATELATCH_MODELS", str(specs))
    return flow.beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def take_off(ledger: Ledger, rows: int = 1) -> None:
    trail = ledger.trail("churn")
    with as_owner(ledger) as db:
        for link in trail.links[-rows:]:
            for table in ("chain", "seals"):
                db.execute(sa.text(f"delete from {table} where position = {link.position}"))
            db.execute(sa.text(f"delete from {link.table_name} where id = {link.row_id}"))


def test_a_flow_that_was_played_stands_with_all_its_heads_and_evidence(at: flow.At) -> None:
    at("promoted")
    result = run("churn", "--verify")
    assert result.exit_code == 0, result.stderr
    assert "verified against 3 kept heads" in result.stdout  # two in MLflow, one in the store
    assert "not checked" not in result.stdout


def test_a_promotion_cut_off_the_ledger_is_missed_by_the_heads_in_mlflow_and_in_the_store(
    at: flow.At,
) -> None:
    at("promoted")
    take_off(Ledger.open())
    result = run("churn", "--verify")
    assert result.exit_code == 1
    assert "is not in the chain: rows up to it were removed" in result.stderr
    shutil.rmtree("store/heads")
    assert "kept in MLflow with version 2 is not in the chain" in run("churn", "--verify").stderr


def test_a_head_that_was_removed_from_mlflow_or_replaced_there_is_found(at: flow.At) -> None:
    at("promoted")
    client, key = tracking.connect(), "gatelatch.ledger_head.1"
    there = client.get_model_version("churn", "1").tags[key]
    client.delete_model_version_tag("churn", "1", key)
    result = run("churn", "--verify")
    assert result.exit_code == 1
    assert "head of promotion 1 is not with version 1 in MLflow: removed" in result.stderr
    other = client.get_model_version("churn", "2").tags["gatelatch.ledger_head.2"]
    client.set_model_version_tag("churn", "1", key, other)
    assert "is not the one of promotion 1" in run("churn", "--verify").stderr
    client.set_model_version_tag("churn", "1", key, there)
    assert run("churn", "--verify").exit_code == 0


def test_a_head_that_was_removed_is_put_back_by_the_next_promotion_and_named(
    at: flow.At, caplog: pytest.LogCaptureFixture
) -> None:
    at("registered")
    tracking.connect().delete_model_version_tag("churn", "1", "gatelatch.ledger_head.1")
    flow.promote(flow.FIRST)
    assert "the heads of promotions [1] were not in MLflow: they are back" in caplog.text
    assert run("churn", "--verify").exit_code == 0


def test_a_saved_head_is_held_against_the_chain_later(at: flow.At, tmp_path: Path) -> None:
    at("promoted")
    saved = str(tmp_path / "head.json")
    assert run("churn", "--save", saved).exit_code == 0
    assert (
        json.loads(Path(saved).read_text())
        == json.loads(run("churn", "--json").stdout)["signed_head"]
    )
    flow.watch(11)
    assert run("churn", "--head", saved).exit_code == 0
    shutil.rmtree("store/heads")
    take_off(Ledger.open(), 3)  # the window under both versions, and the promotion
    assert f"kept in {saved} is not in the chain" in run("churn", "--head", saved).stderr
    for wrong in ("nothing.json", "data"):
        assert run("churn", "--head", wrong).exit_code == 1
    Path("no-head").write_text("{}")
    assert "holds no head of churn" in run("churn", "--head", "no-head").stderr


def test_what_was_not_looked_at_is_said_by_name(at: flow.At) -> None:
    at("promoted")
    tracking.connect().delete_model_version("churn", "1")
    other = flow.MODEL.model_copy(update={"owner": Owner(name="other", approvers=("ada",))})
    Path(os.environ["GATELATCH_MODELS"], "churn.yaml").write_text(
        yaml.safe_dump(other.model_dump(mode="json", exclude_none=True))
    )
    shutil.rmtree("store/heads")
    flow.watch(11)
    shutil.rmtree("store/heads")
    shown = run("churn", "--verify")
    assert shown.exit_code == 0
    for told in (
        "no head is kept in the store",
        "the head of promotion 1: version 1 is not in MLflow any more",
        "made with another spec than today's",
        "whether rows after row",
    ):
        assert f"not checked: {told}" in shown.stdout or told in shown.stdout
    assert len(json.loads(run("churn", "--verify", "--json").stdout)["not_checked"]) == 4
