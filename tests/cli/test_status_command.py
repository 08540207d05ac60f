"""The commands status and withdraw: what they show of a ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tasks.ledger.ledger import Ledger
from tests.support.rows import observation
from tests.support.terminal import day, run


def test_status_shows_windows_proposals_and_promotions(told: Ledger) -> None:
    result = run("status", "churn")
    assert result.exit_code == 0
    words = result.stdout.split()
    for expected in ("2026-01-02", "drifting", "1.50", "0.88", "insufficient", "live", "bootstrap"):
        assert expected in words
    assert "churn  champion: version 1  latch: " in result.stdout
    assert "2026-01-01" not in run("status", "churn", "--windows", "1").stdout.split("proposals")[0]


def test_status_as_json_can_be_read_by_a_machine(told: Ledger) -> None:
    state = json.loads(run("status", "churn", "--json").stdout)
    assert (state["model"], state["champion"]) == ("churn", 1)
    assert [w["pressure"] for w in state["windows"]] == [0.25, 1.5, None]
    assert [w["verdict"] for w in state["windows"]] == ["steady", "drifting", "insufficient"]
    assert [p["live"] for p in state["proposals"]] == [True]


def test_status_as_json_has_all_windows_or_as_many_of_the_newest_as_asked_for(
    told: Ledger,
) -> None:
    for asked, starts in ((None, [1, 2, 3]), ("2", [2, 3]), ("9", [1, 2, 3])):
        words = [] if asked is None else ["--windows", asked]
        state = json.loads(run("status", "churn", "--json", *words).stdout)
        assert [w["start"] for w in state["windows"]] == [day(n).isoformat() for n in starts]


def test_status_says_what_to_do_if_nothing_can_be_said_of_window_after_window(told: Ledger) -> None:
    assert json.loads(run("status", "churn", "--json").stdout)["advice"] is None
    for number in range(4, 11):
        few: dict[str, Any] = {"accepted": 40, "labelled": 0, "statistics": []}
        silent: dict[str, Any] = {"verdict": "insufficient", "pressure": None, "figures": few}
        told.observe(observation(number, **silent, reason="few rows"))
    advice = json.loads(run("status", "churn", "--json").stdout)["advice"]
    assert advice.startswith("the last 8 windows say nothing: they hold 40 rows, and")
    assert f"to do: {advice}" in " ".join(run("status", "churn").stdout.split())


def test_status_of_a_new_model_says_how_to_begin(models: Path) -> None:
    result = run("status", "churn")
    assert result.exit_code == 0
    assert "champion: none yet" in result.stdout
    assert "trigger the DAG retrain.churn with reason 'bootstrap'" in result.stdout


def test_a_withdrawn_proposal_is_no_longer_live(told: Ledger) -> None:
    name = "churn.v1.20260102T0000.1"
    words = ["withdraw", "churn", name, "--reason", "run lost", "--by", "ada"]
    result = run(*words)
    assert (result.exit_code, result.stdout.strip()) == (0, f"{name} is withdrawn")
    state = json.loads(run("status", "churn", "--json").stdout)
    assert [p["live"] for p in state["proposals"]] == [False]
    decision = {"step": "withdraw", "answer": "withdrawn", "by": "ada", "comment": "run lost"}
    assert state["proposals"][0]["decisions"] == [decision]
    assert state["latch"]["state"] == "closed"  # who proposed it was no episode
    again = run(*words)
    assert (again.exit_code, "live: none" in again.stderr) == (1, True)


def test_what_people_wrote_is_not_read_as_markup(told: Ledger) -> None:
    words = ["churn", "churn.v1.20260102T0000.1", "--reason", "r", "--by", "[red]ada[/nobody]"]
    assert run("withdraw", *words).exit_code == 0
    result = run("status", "churn")
    assert result.exit_code == 0
    assert "[red]ada[/nobody]" in result.stdout
