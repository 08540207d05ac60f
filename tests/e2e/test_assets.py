"""The champion as an asset of a running Airflow, and a landing that starts a monitor."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Running
from .landed import ACCEPTED, DAY, LANDING

UPSTREAM, MODEL = LANDING
CHAMPION = f"{UPSTREAM}.champion"


@pytest.fixture(scope="module")
def moved(running: Running) -> None:
    """Give the model that is listened to its first champion, by a run of its retrain DAG."""
    first = running.bootstrap(UPSTREAM)
    assert running.operator.finished(f"retrain.{UPSTREAM}", first) == "success"


def _asset(running: Running) -> dict[str, Any]:
    found = running.operator.call("GET", "assets", params={"name_pattern": CHAMPION})["assets"]
    (asset,) = found
    return dict(asset)


def test_a_promotion_is_an_event_of_the_champion_that_says_its_version(
    running: Running, moved: None
) -> None:
    asset = _asset(running)
    assert (asset["uri"], asset["group"]) == (f"gatelatch://{UPSTREAM}/champion", "model")
    # Airflow cannot show an event while a run that it started has not begun.
    for dag in (f"score.{UPSTREAM}", f"monitor.{MODEL}"):
        assert _started(running, dag) == "success"
    query = {"asset_id": asset["id"]}
    (event,) = running.operator.call("GET", "assets/events", params=query)["asset_events"]
    assert event["extra"] == {"version": 1, "promotion": 1}
    assert (event["source_dag_id"], event["source_task_id"]) == (f"retrain.{UPSTREAM}", "promote")


def test_the_event_of_an_asset_starts_the_monitor_that_names_it_beside_its_windows(
    running: Running, moved: None
) -> None:
    assert _started(running, f"monitor.{MODEL}") == "success"


def _started(running: Running, dag: str) -> str:
    """Wait for the first run of a DAG that an asset starts; return its state in the end."""

    def started() -> str | None:
        runs = running.operator.runs(dag)
        mine = [r["dag_run_id"] for r in runs if r["run_type"] == "asset_triggered"]
        return mine[0] if mine else None

    return running.operator.finished(
        dag, running.operator.until(started, f"a run of {dag} by an asset")
    )


def test_a_promotion_lets_the_champion_score_and_its_scores_let_the_monitor_measure(
    running: Running, moved: None
) -> None:
    assert _started(running, f"score.{UPSTREAM}") == "success"
    assert _started(running, f"monitor.{UPSTREAM}") == "success"
    (seen,) = running.ledger.observations(UPSTREAM)
    assert seen.numbers.scored_by is not None
    assert seen.numbers.scored_by.versions == {1: seen.numbers.accepted}
    (file,) = (running.home / "scores").rglob("*.parquet")
    assert file.parent.parent.name == f"window={seen.window.name}"


def test_scores_of_an_earlier_window_let_the_monitor_measure_that_window(
    running: Running, moved: None
) -> None:
    assert _started(running, f"monitor.{UPSTREAM}") == "success"
    (newest,) = running.ledger.observations(UPSTREAM)
    earlier = newest.window_start - 7 * DAY  # before the labels turn
    conf = {"conf": {"window": earlier.isoformat()}}
    run = running.operator.trigger(f"score.{UPSTREAM}", conf)
    assert running.operator.finished(f"score.{UPSTREAM}", run) == "success"

    def measured() -> bool:
        return any(o.window_start == earlier for o in running.ledger.observations(UPSTREAM))

    assert running.operator.until(measured, "the window to be measured")


def test_a_monitor_that_an_asset_starts_can_still_be_backfilled(running: Running) -> None:
    running.accept(MODEL, "first", ACCEPTED, 8 * DAY)
    running.backfill(ACCEPTED, ACCEPTED + DAY, {MODEL: ()})
    verdicts = [o.verdict for o in running.ledger.observations(MODEL)]
    assert verdicts == ["steady", "steady"]


def test_the_asset_graph_shows_who_moves_the_champion_and_who_listens(
    running: Running, moved: None
) -> None:
    wanted = f"asset:{_asset(running)['id']}"
    found = running.operator._send("GET", "/ui/dependencies", params={"node_id": wanted})
    graph = found.raise_for_status().json()
    nodes = {node["id"]: node["label"] for node in graph["nodes"]}
    edges = {(edge["source_id"], edge["target_id"]) for edge in graph["edges"]}
    assert nodes[wanted] == CHAMPION
    assert (wanted, f"dag:monitor.{MODEL}") in edges
    assert any(target == wanted and f"retrain.{UPSTREAM}" in source for source, target in edges)
    assert any(target == wanted and f"rollback.{UPSTREAM}" in source for source, target in edges)
