"""The commands freeze and thaw: one model or all, what they say, and what they leave alone."""

from __future__ import annotations

import getpass
import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from tasks.__main__ import app
from tasks.ledger.freezes import Frozen
from tasks.ledger.ledger import Ledger
from tests.support.rows import observation, proposal
from tests.support.terminal import CHURN, run

WHY = ("--reason", "the source is repaired", "--yes")
LIVE = "churn.v1.20260102T0000.1"


def states(*models: str) -> list[str]:
    return [f.state for model in models for f in Ledger.open().freezes(model)]


def test_a_frozen_model_says_so_in_status_and_in_its_audit_trail(told: Ledger) -> None:
    done = run("freeze", "churn", *WHY, "--by", "grace")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "churn is frozen: its windows are measured, and nothing is proposed" in done.stdout
    assert f"  {LIVE} is live: only its promotion waits for the thaw" in done.stdout
    shown = run("status", "churn").stdout
    assert "frozen: churn is frozen by grace since" in shown
    assert "python -m tasks thaw churn" in shown
    frozen = json.loads(run("status", "churn", "--json").stdout)["frozen"]
    assert (frozen["by"], frozen["reason"]) == ("grace", "the source is repaired")
    assert run("thaw", "churn", "--reason", "repaired", "--yes").exit_code == 0
    assert json.loads(run("status", "churn", "--json").stdout)["frozen"] is None
    trail = json.loads(run("audit", "churn", "--json").stdout)
    told_events = [(e["what"], e["by"], e["why"]) for e in trail["events"]][-2:]
    assert told_events == [
        ("frozen", "grace", "the source is repaired"),
        ("thawed", getpass.getuser(), "repaired"),
    ]


def test_without_yes_a_person_is_asked_and_told_what_is_live(told: Ledger) -> None:
    words = ["freeze", "churn", "--reason", "why"]
    refused = CliRunner().invoke(app, words, input="n\n")
    assert (refused.exit_code, states("churn")) == (1, [])
    assert f"churn: {LIVE} is live" in refused.stdout
    assert CliRunner().invoke(app, words, input="").exit_code == 1  # a terminal without an answer
    assert CliRunner().invoke(app, words, input="y\n").exit_code == 0
    assert states("churn") == ["frozen"]


def test_twice_is_said_and_changes_nothing(told: Ledger) -> None:
    assert "churn is not frozen; nothing was changed" in run("thaw", "churn", *WHY).stdout
    run("freeze", "churn", *WHY, "--by", "grace")
    again = run("freeze", "churn", "--reason", "me too", "--yes")
    assert again.exit_code == 0
    assert "churn is frozen by grace since" in again.stdout
    assert "nothing was changed" in again.stdout
    assert states("churn") == ["frozen"]


def test_all_models_are_frozen_those_with_a_mistaken_spec_as_well_if_the_ledger_knows_them(
    told: Ledger, models: Path
) -> None:
    (models / "fresh.yaml").write_text(yaml.safe_dump(CHURN | {"model": "fresh"}))
    told.observe(observation(model="broken"))
    (models / "broken.yaml").write_text("model: [")
    done = run("freeze", "--all", *WHY)
    assert (done.exit_code, done.stderr) == (0, "")
    for model in ("broken", "churn", "fresh"):
        assert f"{model} is frozen" in done.stdout
        with pytest.raises(Frozen):
            told.propose(proposal("another", model=model))
    assert run("thaw", "broken", *WHY).exit_code == 0
    rest = run("thaw", "--all", *WHY)
    assert "broken is not frozen; nothing was changed" in rest.stdout
    assert states("churn", "fresh", "broken") == ["frozen", "thawed"] * 3


def test_a_file_that_is_no_model_is_said_and_the_others_are_frozen(
    told: Ledger, models: Path
) -> None:
    (models / "strange.yaml").write_text("model: [")
    done = run("freeze", "--all", *WHY)
    assert (done.exit_code, states("churn"), states("strange")) == (1, ["frozen"], [])
    assert "strange: its spec cannot be used, and the ledger knows no such model" in done.stderr


def test_a_folder_that_cannot_be_read_is_no_success(
    told: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATELATCH_MODELS", "nowhere")
    done = run("freeze", "--all", *WHY)
    assert (done.exit_code, states("churn")) == (1, [])
    assert "the folder of model specs nowhere cannot be read" in done.stderr
    assert run("freeze", "churn", *WHY).exit_code == 0  # the ledger knows it


def test_a_model_that_cannot_be_written_keeps_no_other_one_from_being_frozen(
    told: Ledger, models: Path
) -> None:
    from tests.support.forging import forge

    (models / "other.yaml").write_text(yaml.safe_dump(CHURN | {"model": "other"}))
    row = {"position": 1, "head": "x", "by": "x", "reason": "x", "lost": []}
    forge(told, "adoptions", model="churn", **row)  # which nobody signed
    done = run("freeze", "--all", *WHY)
    assert (done.exit_code, states("churn", "other")) == (1, ["frozen"])
    assert "churn: nothing is recorded: the ledger of churn is refused" in done.stderr


def test_nobody_is_frozen_who_is_not_known_or_not_named_or_for_no_reason(told: Ledger) -> None:
    unknown = run("freeze", "chrun", *WHY)
    assert unknown.exit_code == 1
    assert "there are: churn" in unknown.stderr
    assert run("freeze", *WHY).exit_code == run("freeze", "churn", "--all", *WHY).exit_code == 2
    nothing = run("freeze", "churn", "--reason", "\u200b", "--yes")
    assert (nothing.exit_code, nothing.stdout) == (1, "")
    assert "say why" in nothing.stderr
    assert states("churn") == []
