"""Rollback over real stores: from a terminal, and what it leaves behind."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from typer.testing import CliRunner, Result

from tasks.__main__ import app
from tasks.flows import monitor, rollback
from tasks.flows.measure import measure
from tasks.flows.rollback import RollbackError
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.promotion import decisions
from tasks.promotion.proposals import NotApproved, NotDue
from tasks.spec.model import ModelSpec
from tests.support.flow import MODEL, At, alias, answer, beginning, land, read, rows, watch, window


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    spec = yaml.safe_dump(MODEL.model_dump(mode="json", exclude_none=True))
    (stores / "specs").mkdir()
    (stores / "specs/churn.yaml").write_text(spec)
    monkeypatch.setenv("GATELATCH_MODELS", str(stores / "specs"))
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def run(*words: str, typed: str = "") -> Result:
    words = ("rollback", "churn", "--reason", "complaints", *words)
    return CliRunner().invoke(app, list(words), input=typed)


def test_a_rollback_from_a_terminal_asks_first_and_then_moves_the_champion_back(at: At) -> None:
    at("promoted")
    refused = run(typed="n\n")
    assert refused.exit_code == 1
    assert "nothing was changed" in refused.stderr
    assert read().champion == 2
    done = run(typed="y\n")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "make version 1 champion in place of 2?" in done.stdout
    assert "version 1 is champion of churn for windows from 2026-01-11 00:00 UTC on" in done.stdout
    known = read()
    assert (known.champion, alias()) == (1, 1)
    move = known.promotions[-1]
    assert (move.by, move.reason) == (getpass.getuser(), "rollback: complaints")


def test_after_a_rollback_windows_meet_the_old_reference_and_the_latch_rests(at: At) -> None:
    at("promoted")
    assert run("--version", "1", "--by", "grace", "--yes").exit_code == 0
    observed = watch(11)
    assert (observed.version, observed.verdict) == (1, "drifting")
    known = read()
    assert (known.promotions[-1].by, known.history.now.state) == ("grace", "resting")


def test_without_a_key_to_verify_the_target_nothing_is_changed(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("promoted")
    monkeypatch.setenv("GATELATCH_SIGNING_KEY", "absent.pem")
    done = run("--yes")
    assert (done.exit_code, read().champion) == (1, 2)
    assert "no key to verify with" in done.stderr


def test_a_terminal_that_cannot_answer_changes_nothing(at: At) -> None:
    at("promoted")
    assert (run().exit_code, read().champion) == (1, 2)


@pytest.mark.parametrize("version", [2, 99])
def test_a_rollback_to_what_never_was_champion_before_names_those_that_were(
    at: At, version: int
) -> None:
    at("promoted")
    done = run("--version", str(version), "--yes")
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"cannot go back to version {version}; earlier champions: 1" in done.stderr


LOGGED = ModelSpec.model_validate(
    {
        **MODEL.model_dump(mode="json"),
        "source": {**MODEL.source.model_dump(mode="json"), "version_column": "scored_by"},
    }
)
WORSE = "churn.v2.20260111T0000.rollback.1"


def serve(number: int, spec: ModelSpec = LOGGED) -> None:
    """Watch a day on which the labels follow version 1's rule again; each scored half of it."""
    land(number, y=1 - rows(number)["y"], scored_by=["v1", "v2"] * 150)
    validated = monitor.validate(spec, window(number))
    monitor.judge(spec, window(number), measure(spec, window(number), validated))


def test_a_champion_worse_than_what_still_serves_is_rolled_back_after_an_approval(at: At) -> None:
    at("promoted")
    serve(11)
    assert monitor.action(LOGGED) is None
    serve(12)
    action = monitor.action(LOGGED)
    assert action is not None
    assert action.run is not None
    assert (action.run.flow, action.run.proposal) == ("rollback", WORSE)
    asked = rollback.propose_rollback(LOGGED, WORSE)
    assert (asked.proposer, asked.champion, asked.target) == ("gatelatch", 2, 1)
    brief = rollback.ask_to_roll_back(LOGGED, asked, "/dags/here")
    assert brief["subject"] == "churn: roll back version 2 to 1?"
    assert brief["body"].count("| steady → drifting | 150 → 150 |") == 2
    assert monitor.action(LOGGED) is None
    with pytest.raises(NotApproved, match="nobody has decided on rollback"):
        rollback.promote_back(LOGGED, WORSE)
    assert decisions.decide(LOGGED, WORSE, "rollback", answer()).evidence == brief["evidence"]
    done = rollback.promote_back(LOGGED, WORSE)
    assert (done.version, done.expected, done.by) == (1, 2, "ada")
    known = read()
    assert (known.champion, alias(), known.history.now.state) == (1, 1, "resting")
    for number in (13, 14):
        serve(number)
    assert monitor.action(LOGGED) is None


def test_a_window_recorded_while_a_run_decides_never_makes_it_retrain_rather_than_roll_back(
    at: At,
) -> None:
    reads, number = 1, 0
    while number < reads:  # it is recorded before the first read of the ledger, the second, …
        at("promoted")
        serve(11)
        seen: list[str] = []

        def meanwhile(*_: Any, seen: list[str] = seen, number: int = number) -> None:
            seen.append("read")
            if len(seen) == number + 1:
                serve(12)
                del seen[number + 1 :]

        engine = Ledger.open()._engine
        sa.event.listen(engine, "before_cursor_execute", meanwhile)
        action = monitor.action(LOGGED)
        sa.event.remove(engine, "before_cursor_execute", meanwhile)
        run = None if action is None else action.run
        assert run is None or (run.flow, run.proposal) == ("rollback", WORSE)
        assert len(read().observations) > 1
        reads, number = len(seen), number + 1
    assert reads > 5


def test_a_refused_rollback_leaves_the_champion_and_the_latch_of_retrains(at: At) -> None:
    at("promoted")
    for number in (11, 12):
        serve(number)
    rests = read().history.now.rests_until
    rollback.propose_rollback(LOGGED, WORSE)
    decisions.decide(LOGGED, WORSE, "rollback", answer(option="Reject"))
    with pytest.raises(NotApproved, match="rollback was rejected by ada"):
        rollback.promote_back(LOGGED, WORSE)
    assert (read().champion, read().history.now.rests_until) == (2, rests)
    assert rollback.rollback_due(status.read(LOGGED, Ledger.open())) is None


def test_a_spec_may_roll_back_by_itself(at: At) -> None:
    at("promoted")
    policy = {"approval": {"rollback": "automatic"}}
    spec = ModelSpec.model_validate({**LOGGED.model_dump(mode="json"), **policy})
    for number in (11, 12):
        serve(number, spec)
    rollback.propose_rollback(spec, WORSE)
    assert decisions.decide(spec, WORSE, "rollback", None).by == "policy"
    assert rollback.promote_back(spec, WORSE).version == 1


def test_a_rollback_that_is_not_due_cannot_be_proposed(at: At) -> None:
    at("promoted")
    with pytest.raises(NotDue, match="is due any more"):
        rollback.propose_rollback(LOGGED, WORSE)


def test_a_person_cannot_take_the_name_of_a_proposal_of_the_monitor(at: At) -> None:
    at("promoted")
    with pytest.raises(RollbackError, match="choose a new name"):
        rollback.by_hand(LOGGED, WORSE, version=1, by="otto", reason="worse")


def test_a_rollback_that_was_confirmed_for_another_champion_is_refused(at: At) -> None:
    at("promoted")
    with pytest.raises(RollbackError, match="is version 2 by now"):
        rollback.by_hand(MODEL, "mine", version=1, by="otto", reason="worse", expected=3)


def test_a_rollback_run_again_moves_nothing_more(at: At) -> None:
    at("promoted")
    for _ in range(2):
        rollback.by_hand(MODEL, "mine", version=None, by="otto", reason="worse")
        rollback.promote_back(MODEL, "mine")
    assert [p.version for p in read().promotions] == [1, 2, 1]


def test_a_window_is_seen_under_the_versions_beside_the_champion_before_under_the_champion(
    at: At,
) -> None:
    """Else a run at the same time sees the champion breach alone, and asks for a retrain."""
    at("promoted")
    serve(11)
    links = Ledger.open().trail("churn").links
    rows = Ledger.open().trail("churn").rows
    newest = [rows[link.table_name, link.row_id] for link in links[-2:]]
    assert [row["version"] for row in newest] == [1, 2]
