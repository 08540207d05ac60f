"""The flows through a running Airflow: real scheduler, real runs, approvals over REST."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tasks.ledger.records import Observation

from .conftest import Running
from .landed import ACCEPTED, DAY, ORDERS, SHIFT


@pytest.fixture(scope="module")
def champions(running: Running) -> None:
    """Give every model of the backfill test its first champion."""
    runs = {name: running.bootstrap(name) for name in ORDERS}
    for name, run in runs.items():
        assert running.operator.finished(f"retrain.{name}", run) == "success"


def _told(observation: Observation) -> dict[str, Any]:
    """Return what an observation says, apart from whose it is."""
    said = {k: v for k, v in vars(observation).items() if k not in ("model", "spec_digest")}
    figures = {k: v for k, v in said["figures"].items() if k != "report"}
    return {**said, "figures": figures}


def test_backfills_in_any_order_end_in_the_same_ledger(running: Running, champions: None) -> None:
    """Forwards, backwards, twice, and with half of it run again."""
    first, last = ACCEPTED, ACCEPTED + 4 * DAY
    again = ("--reprocess-behavior", "completed")
    orders = {"forwards": (), "backwards": ("--run-backwards",), "twice": (), "half_again": ()}
    running.backfill(first, last, orders)
    running.backfill(first, last, {"twice": again})
    running.backfill(first, first + 2 * DAY, {"half_again": again})
    histories = [
        sorted((_told(o) for o in running.ledger.history(name)), key=lambda o: o["window_start"])
        for name in ORDERS
    ]
    assert len(histories[0]) == 5
    assert all(history == histories[0] for history in histories)


def test_a_backfill_over_drifting_windows_asks_nobody(running: Running, champions: None) -> None:
    running.backfill(SHIFT, SHIFT + 2 * DAY, {"forwards": ()})
    verdicts = [o.verdict for o in running.ledger.observations("forwards")]
    assert verdicts[-3:] == ["drifting"] * 3
    assert len(running.operator.runs("retrain.forwards")) == 1  # the bootstrap


def test_a_backfill_that_was_told_to_ends_in_one_proposal(
    running: Running, champions: None
) -> None:
    last = SHIFT + 2 * DAY
    told = ("--dag-run-conf", json.dumps({"propose": f"{SHIFT:%Y-%m-%d}/{last:%Y-%m-%d}"}))
    running.backfill(SHIFT, last, {"twice": ("--run-backwards", *told)})
    _, proposal = running.operator.runs("retrain.twice")
    assert proposal["dag_run_id"] == f"twice.v1.{SHIFT:%Y%m%dT%H%M}.1"
    assert proposal["conf"]["backfill"] == json.loads(told[1])["propose"]


def test_a_spec_with_a_mistake_is_an_import_error_and_the_other_models_run_on(
    running: Running, champions: None
) -> None:
    errors = running.operator.call("GET", "importErrors")["import_errors"]
    told = {e["filename"].rsplit("/", 1)[-1]: e["stack_trace"] for e in errors}
    assert "broken.yaml" in told["spec_mistakes.py"]
    assert "drift.ks.efect: unknown option; did you mean `effect`?" in told["spec_mistakes.py"]


def test_a_window_without_a_file_is_insufficient_and_its_run_stays_green(
    running: Running, champions: None
) -> None:
    missing = running.home / "landing" / f"date={ACCEPTED + 5 * DAY:%Y-%m-%d}"
    aside = missing.rename(running.home / "aside")
    assert running.window("backwards", ACCEPTED + 5 * DAY) == "success"
    aside.rename(missing)
    newest = running.ledger.observations("backwards")[-1]
    assert newest.verdict == "insufficient"
    assert "land it" in newest.reason


def test_propose_cleared_by_itself_where_nothing_is_due_is_skipped_and_asks_nobody(
    running: Running, champions: None
) -> None:
    dag = "monitor.backwards"
    conf = {"window": ACCEPTED.isoformat()}
    run = running.operator.trigger(dag, {"conf": conf})
    assert running.operator.finished(dag, run) == "success"
    running.operator.clear(dag, run, "propose")
    assert running.operator.finished(dag, run) == "success"
    path = f"dags/{dag}/dagRuns/{run}/taskInstances/propose"
    task = running.operator.call("GET", path)
    assert (task["state"], task["try_number"]) == ("skipped", 1)
    assert len(running.operator.runs("retrain.backwards")) == 1  # the bootstrap


def test_reports_are_served_to_people_who_are_logged_in_and_to_nobody_else(
    running: Running, champions: None
) -> None:
    report = running.ledger.observations("forwards")[0].figures["report"]
    url = f"{running.settings.airflow_url}/gatelatch/{report}"
    assert httpx.get(url).status_code == 401
    login = {"username": "ada", "password": running.settings.passwords["ada"]}
    token = httpx.post(f"{running.settings.airflow_url}/auth/token", json=login).json()
    header = {"authorization": f"Bearer {token['access_token']}"}
    served = httpx.get(url, headers=header)
    assert served.status_code == 200
    assert "forwards" in served.text
    assert "default-src 'none'" in served.headers["content-security-policy"]
    assert httpx.get(url.replace(".html", ".txt"), headers=header).status_code == 404
    escape = running.settings.airflow_url + "/gatelatch/reports/%2e%2e/ledger.db"
    assert httpx.get(escape, headers=header).status_code == 404


def test_a_person_without_a_session_logs_in_and_comes_to_the_report(
    running: Running, champions: None, page: Page
) -> None:
    report = running.ledger.observations("forwards")[0].figures["report"]
    assert page.context.browser is not None
    stranger = page.context.browser.new_context().new_page()
    stranger.goto(f"{running.settings.airflow_url}/gatelatch/{report}")
    stranger.locator("input[name=username]").fill("ada")
    stranger.locator("input[name=password]").fill(running.settings.passwords["ada"])
    stranger.locator("button[type=submit]").click()
    stranger.wait_for_url(re.compile(re.escape(report)))
    expect(stranger.get_by_text("forwards").first).to_be_visible()


def test_a_version_opens_in_mlflow(running: Running, champions: None, page: Page) -> None:
    page.goto(f"{running.settings.mlflow_url}/#/models/forwards/versions/1")
    expect(page.get_by_text("Version 1").first).to_be_visible()
    expect(page.get_by_text("Intended use").first).to_be_visible()


def test_the_task_pages_link_to_the_report_and_the_registered_version(
    running: Running, champions: None
) -> None:
    run = running.operator.runs("monitor.forwards")[0]["dag_run_id"]
    links = {
        task: running.operator.call(
            "GET", f"dags/monitor.forwards/dagRuns/{run}/taskInstances/{task}/links"
        )["extra_links"]
        for task in ("validate", "measure")
    }
    assert links["validate"]["Validation report"].startswith("/gatelatch/reports/forwards/")
    assert links["measure"]["Registered version"].endswith("/models/forwards/versions/1")
