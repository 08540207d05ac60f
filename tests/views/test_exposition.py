"""The page that Prometheus scrapes: clean, whole, cheap when nothing is new, honest when blind."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as plain_families

from tasks.ledger import engine
from tasks.ledger.ledger import Ledger
from tasks.views.exposition import Exposition
from tests.conftest import CHURN
from tests.support.forging import honest
from tests.support.prometheus import promtool_says
from tests.support.rows import decision, observation, promote, proposal

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def write_spec(folder: Path, model: str, **parts: Any) -> Path:
    file = folder / f"{model}.yaml"
    file.write_text(yaml.safe_dump({**CHURN, "model": model, **parts}))
    return file


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> Path:
    """Return the folder of specs, with one of `churn`; the ledger is the one at `url`."""
    folder = tmp_path / "models"
    folder.mkdir()
    write_spec(folder, "churn")
    monkeypatch.setenv("GATELATCH_MODELS", str(folder))
    monkeypatch.setenv("GATELATCH_LEDGER", url)
    monkeypatch.setenv("GATELATCH_STORE", str(tmp_path / "store"))
    return folder


@pytest.fixture
def exposition() -> Iterator[Exposition]:
    made = Exposition()
    yield made
    made.metrics.close()


def values(exposition: Exposition) -> dict[str, float]:
    """Return the samples of the page by series, as Prometheus's text names them."""
    _, page = exposition.page("")
    lines = [line for line in page.decode().splitlines() if not line.startswith("#")]
    return {series: float(value) for series, value in (line.rsplit(" ", 1) for line in lines)}


def test_the_page_is_clean_by_prometheus_own_tool_and_openmetrics_own_parser(
    ledger: Ledger, models: Path, exposition: Exposition
) -> None:
    honest(ledger)
    write_spec(models, "absent")
    content_type, page = exposition.page(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    families = {one.name: one for one in text_string_to_metric_families(page.decode())}
    assert families["gatelatch_promotions"].type == "counter"
    assert families["gatelatch_model"].type == "info"
    _, plain = exposition.page("")
    assert promtool_says(plain.decode()) == ""
    assert len(list(plain_families(plain.decode()))) > 20
    assert all(
        sample.timestamp is None for family in families.values() for sample in family.samples
    )


def test_each_scrape_says_what_stands_now(
    ledger: Ledger, models: Path, exposition: Exposition
) -> None:
    assert values(exposition)["gatelatch_ledger_up"] == 1
    promote(ledger, 1, None, since=1)
    ledger.propose(proposal())
    for number in (2, 3):
        ledger.observe(observation(number, verdict="drifting", pressure=2.0))
        newest = values(exposition)
        at = 'gatelatch_window_end_timestamp_seconds{model="churn"}'
        assert newest[at] == observation(number).window_end.timestamp()
    assert newest['gatelatch_latch_state{latch="drift",model="churn",state="open"}'] == 1
    ledger.decide(decision())
    said = 'gatelatch_decisions_total{answer="approved",model="churn",step="retrain"}'
    assert values(exposition)[said] == 1


def test_counters_are_folded_from_the_ledger_and_survive_a_restart(
    ledger: Ledger, models: Path, exposition: Exposition
) -> None:
    honest(ledger)
    again = Exposition()
    mine = {k: v for k, v in values(exposition).items() if "_total" in k and "process" not in k}
    theirs = {k: v for k, v in values(again).items() if "_total" in k and "process" not in k}
    assert mine == theirs
    assert mine['gatelatch_promotions_total{model="churn"}'] == 3
    again.metrics.close()


def test_a_live_proposal_says_when_the_monitor_ends_it(
    ledger: Ledger, models: Path, exposition: Exposition
) -> None:
    promote(ledger, 1, None, since=1)
    due = 'gatelatch_proposal_end_due_timestamp_seconds{kind="retrain",model="churn"}'
    assert due not in values(exposition)
    before = time.time()
    ledger.propose(proposal("p2"))
    # Three days for an answer, a day beyond, and then at midnight.
    days = (values(exposition)[due] - before) / timedelta(days=1).total_seconds()
    assert 4 <= days < 5.1
    ledger.decide(decision("rejected", proposal="p2"))
    assert due not in values(exposition)


def test_what_is_not_new_is_not_made_again(
    ledger: Ledger, models: Path, exposition: Exposition
) -> None:
    write_spec(models, "other")
    promote(ledger, 1, None, since=1)
    first = exposition.metrics.look().shown
    ledger.observe(observation(2))
    second = exposition.metrics.look().shown
    assert second["other"] is first["other"]
    assert second["churn"] is not first["churn"]


def test_a_name_that_is_asked_for_comes_alone(
    ledger: Ledger, models: Path, exposition: Exposition
) -> None:
    promote(ledger, 1, None, since=1)
    _, page = exposition.page("", ["gatelatch_champion_version"])
    lines = [line for line in page.decode().splitlines() if not line.startswith("#")]
    assert lines == ['gatelatch_champion_version{model="churn"} 1.0']


def test_registering_reads_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GATELATCH_LEDGER", f"sqlite:///{tmp_path / 'none.db'}")
    exposition = Exposition()
    assert {one.name for one in exposition.metrics.describe()} > {"gatelatch_ledger_up"}
    assert exposition.metrics._reader is None


def test_a_ledger_that_is_away_is_said_once_and_read_again_when_it_is_back(
    models: Path,
    exposition: Exposition,
    url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(2):
        found = values(exposition)
        assert found["gatelatch_ledger_up"] == 0
        assert not [series for series in found if "churn" in series]
    assert caplog.text.count("the ledger is not read") == 1
    ledger = Ledger(url)
    ledger.create()
    promote(ledger, 1, None, since=1)
    found = values(exposition)
    assert found["gatelatch_ledger_up"] == 1
    assert found['gatelatch_champion_version{model="churn"}'] == 1
    ledger.close()


def test_a_ledger_of_another_schema_is_said(
    ledger: Ledger, models: Path, exposition: Exposition, caplog: pytest.LogCaptureFixture
) -> None:
    with ledger._engine.begin() as link:
        link.exec_driver_sql("update gatelatch_schema set version_num = '0099'")
    assert values(exposition)["gatelatch_ledger_up"] == 0
    assert "was written by a newer Gatelatch: it has schema 99" in caplog.text


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_ledger_that_somebody_locks_is_not_waited_for_long(
    ledger: Ledger,
    models: Path,
    exposition: Exposition,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(engine, "HASTE", 0)
    ledger.close()
    holder = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("pragma journal_mode = delete")
    holder.execute("begin exclusive")
    assert values(exposition)["gatelatch_ledger_up"] == 0
    assert "locked" in caplog.text
    holder.execute("rollback")
    holder.close()
    assert values(exposition)["gatelatch_ledger_up"] == 1


def test_a_spec_with_mistakes_costs_its_own_model_alone(
    ledger: Ledger, models: Path, exposition: Exposition, caplog: pytest.LogCaptureFixture
) -> None:
    promote(ledger, 1, None, since=1)
    other = write_spec(models, "other")
    assert 'gatelatch_model_up{model="other"}' in values(exposition)
    other.write_text("model: other\nwindow: never\n")
    found = values(exposition)
    assert found["gatelatch_spec_mistakes"] == 1
    assert 'gatelatch_model_up{model="other"}' not in found
    assert found['gatelatch_champion_version{model="churn"}'] == 1
    assert "other.yaml" in caplog.text
    other.unlink()
    assert values(exposition)["gatelatch_spec_mistakes"] == 0


def test_rows_of_a_newer_release_cost_their_own_model_alone(
    ledger: Ledger, models: Path, exposition: Exposition, caplog: pytest.LogCaptureFixture
) -> None:
    write_spec(models, "other")
    promote(ledger, 1, None, since=1)
    ledger.observe(observation(2, model="other", figures={"format": 7}))
    found = values(exposition)
    assert found['gatelatch_model_up{model="other"}'] == 0
    assert found['gatelatch_model_up{model="churn"}'] == 1
    assert found["gatelatch_ledger_up"] == 1
    assert "other is not shown: OtherFormat" in caplog.text
