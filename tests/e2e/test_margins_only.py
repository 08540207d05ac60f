"""A model that is never here, in a running Airflow: its owner's own DAG answers to the drift."""

from __future__ import annotations

import pytest

from tasks.flows.handed_margins import keep_margins

from .conftest import Running
from .landed import ACCEPTED, DAY, SHIFT
from .logged import MODEL, OWNERS, land

EPISODE = f"{MODEL}.v1.{SHIFT:%Y%m%dT%H%M}"


@pytest.fixture(scope="module")
def answered(running: Running) -> None:
    """A champion of logged margins, a rule that turns round, and what the owner's DAG answers."""
    with running.inside():
        digest = keep_margins(running.spec(MODEL), "trees-1")
    conf = {"action": "adopt", "model_file": digest, "reason": "bootstrap"}
    conf |= {"training_window": "8d", "until": ACCEPTED.isoformat()}
    first = running.operator.trigger(f"retrain.{MODEL}", {"conf": conf})
    assert running.operator.finished(f"retrain.{MODEL}", first) == "success"
    for start in (SHIFT - DAY, SHIFT, SHIFT + DAY):
        assert running.window(MODEL, start) == "success"
    assert running.operator.finished(f"retrain.{MODEL}", f"{EPISODE}.1") == "success"
    assert running.operator.finished(OWNERS, f"{EPISODE}.1") == "success"


def test_an_approved_episode_starts_the_owners_dag_with_the_evidence(
    running: Running, answered: None
) -> None:
    (run,) = running.operator.runs(OWNERS)
    told = run["conf"]
    assert (told["model"], told["episode"], told["champion"]) == (MODEL, EPISODE, 1)
    decided = {d.step: d for d in running.status(MODEL).decisions if d.proposal == f"{EPISODE}.1"}
    assert told["evidence"] == decided["retrain"].evidence
    assert decided["train"].answer == "failed"
    assert OWNERS in told["then"]
    assert [w["verdict"] for w in told["windows"]] == ["steady", "drifting", "drifting"]
    assert told["windows"][-1]["statistics"]["hinge_loss"]["value"] > 0.2
    brief = told["brief"].removeprefix("/gatelatch/")
    assert (running.home / "store" / brief).exists()


def test_the_candidate_comes_back_by_its_margins_and_is_judged_and_promoted(
    running: Running, answered: None
) -> None:
    def adopted() -> str | None:
        runs = running.operator.runs(f"retrain.{MODEL}")
        found = [r["dag_run_id"] for r in runs if r["conf"].get("action") == "adopt"]
        return found[-1] if len(found) == 2 else None

    run = running.operator.until(adopted, "the owner's proposal")
    assert running.operator.finished(f"retrain.{MODEL}", run) == "success"
    known = running.status(MODEL)
    assert (known.champion, running.alias(MODEL)) == (2, 2)
    assert known.candidates[-1].metrics["logged_as"] == "trees-2"
    for day in (16, 17):
        land(running.home, day, "trees-2")
        assert running.window(MODEL, SHIFT + (day - 14) * DAY) == "success"
    seen = running.status(MODEL).observations[-2:]
    assert [(o.version, o.verdict) for o in seen] == [(2, "steady")] * 2
    running.verify(MODEL)
