"""Rollback over real stores: from a terminal, and what it leaves behind."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from tasks.__main__ import app
from tests.flow import MODEL, At, alias, beginning, read, watch


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
