"""What somebody meets who starts with data of their own: each stop says what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from tasks.__main__ import app
from tasks.flows import asking, ending, monitor, ready, retrain
from tasks.flows.measure import measure
from tasks.promotion import decisions, promotion, proposals
from tasks.promotion.proposals import NotApproved
from tests.support.flow import MODEL, At, answer, beginning, day, file, land, window

FRESH = MODEL.model_copy(update={"model": "fresh"})
LONG_AFTER = day(200)


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    begin = beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)

    def enter(stage: str) -> None:
        begin(stage)
        Path("specs").mkdir()
        raw = FRESH.model_dump(mode="json", exclude_none=True)
        Path("specs/fresh.yaml").write_text(yaml.safe_dump(raw))
        monkeypatch.setenv("GATELATCH_MODELS", "specs")

    return enter


def status() -> str:
    done = CliRunner().invoke(app, ["status", "fresh"], env={"COLUMNS": "400"})
    assert done.exit_code == 0, done.output
    return done.stdout


def bootstrap(name: str) -> Any:
    return proposals.propose(
        FRESH,
        name,
        reason="bootstrap",
        proposer="otto",
        training_window=None,
        until=None,
        now=LONG_AFTER,
    )


def test_from_data_that_ended_months_ago_to_the_first_windows(at: At) -> None:
    at("bootstrapped")
    assert "trigger the DAG retrain.fresh with reason 'bootstrap'" in status()
    with pytest.raises(monitor.NoChampion, match=r"trigger retrain\.fresh with reason 'bootstrap'"):
        monitor.validate(FRESH, window(9))

    asked = bootstrap("boot")
    assert asked.trained_until == day(15)  # the newest rows, not the newest calendar days
    counted = ready.count(FRESH, asked)
    body = asking.to_retrain(FRESH, asked, "/dags/here", counted)["body"]
    assert "600 labelled of 600" in body
    assert "there is still no champion, and nothing is monitored" in body
    decisions.decide(FRESH, "boot", "retrain", answer())
    run = retrain.train(FRESH, "boot")["candidate_run"]
    retrain.calibrate(FRESH, "boot", run)
    assert retrain.gate(FRESH, "boot", run)["passed"]
    retrain.register(FRESH, "boot", run)
    decisions.decide(FRESH, "boot", "promote", answer())
    assert promotion.promote(FRESH, "boot").version == 1

    # The first window to be monitored is empty, and says so; the next one is not.
    for number, verdict in ((15, "insufficient"), (16, "drifting")):
        if verdict != "insufficient":
            land(number)
        validated = monitor.validate(FRESH, window(number))
        measured = measure(FRESH, window(number), validated)
        seen = monitor.judge(FRESH, window(number), measured)
        if verdict == "insufficient":
            assert seen.verdict == verdict
            assert "holds no row for the window" in seen.reason
            assert "land it, run again" in seen.reason
        else:
            assert seen.figures["accepted"] == 300
    assert "nobody is asked" not in status()


def test_a_source_in_the_wrong_place_says_so_before_anybody_is_asked(at: At) -> None:
    at("bootstrapped")
    for number in range(1, 15):
        file(number).unlink()
    with pytest.raises(NotApproved, match=r"correct `source` and the column `source\.time`"):
        bootstrap("boot")
    assert "trigger the DAG retrain.fresh with reason 'bootstrap'" in status()


def test_a_bootstrap_that_cannot_be_trained_is_over_and_status_says_why(at: At) -> None:
    at("bootstrapped")
    for number in (13, 14):
        land(number, y=[1] * 300)
    asked = bootstrap("boot")
    with pytest.raises(Exception, match="has no row of class 0") as raised:
        ready.count(FRESH, asked)
    ending.end(FRESH, "boot", "retrain.fresh", ending.reason("propose", raised.value))
    told = status()
    assert "run: ended by retrain.fresh: propose: the fitting slice" in told
    assert "widen training.window" in told
    assert "live" not in told


def test_a_spec_that_is_edited_between_question_and_answer_is_asked_about_again(at: At) -> None:
    at("bootstrapped")
    asked = bootstrap("boot")
    ready.count(FRESH, asked)
    edited = FRESH.model_copy(update={"training": FRESH.training.model_copy(update={"seed": 8})})
    decision = decisions.decide(edited, "boot", "retrain", answer())
    assert decision.answer == "invalid"
    assert "the spec has changed since it was proposed; propose again" in decision.comment
    with pytest.raises(NotApproved, match="propose again"):
        retrain.train(edited, "boot")
