"""Chains and aliases, looked at beside the scrapes: what is wrong, what is well, what is unseen."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tasks.audit import heads
from tasks.ledger.ledger import Ledger
from tasks.registry import model_aliases, tracking
from tasks.views import slow_checks
from tasks.views.exposition import Exposition
from tasks.views.slow_checks import SlowChecks
from tests.support.forging import as_owner, forge, honest, version
from tests.support.prometheus import awaited
from tests.support.rows import observation
from tests.views.test_exposition import models as models
from tests.views.test_exposition import values, write_spec

CHAIN = 'gatelatch_chain_state{{model="churn",state="{}"}}'
ALIAS = 'gatelatch_champion_alias_state{{model="churn",state="{}"}}'
FORGED: dict[str, Any] = {
    "model": "churn",
    "proposal": "p9",
    "step": "retrain",
    "answer": "approved",
    "by": "mallory",
    "comment": "",
    "evidence": "shown",
    "effective_from": observation(9).window_start,
}


@pytest.fixture
def here(stores: Path, models: Path) -> Path:
    """Return the folder of a store and an MLflow of this test's own; the ledger is at `url`."""
    return stores


@pytest.fixture
def checks(here: Path) -> SlowChecks:
    return SlowChecks()


@pytest.fixture
def exposition(checks: SlowChecks) -> Iterator[Exposition]:
    made = Exposition(checks)
    yield made
    made.metrics.close()


def after_a_look(exposition: Exposition, checks: SlowChecks) -> dict[str, float]:
    exposition.metrics.look()  # which says of what models
    checks.look()
    return values(exposition)


def test_a_chain_is_unseen_then_intact_and_broken_once_a_row_is_forged(
    ledger: Ledger,
    exposition: Exposition,
    checks: SlowChecks,
    caplog: pytest.LogCaptureFixture,
) -> None:
    honest(ledger)
    before = values(exposition)
    assert before[CHAIN.format("unseen")] == 1
    assert "gatelatch_checks_end_timestamp_seconds" not in before
    found = after_a_look(exposition, checks)
    assert (found[CHAIN.format("intact")], found[CHAIN.format("unseen")]) == (1, 0)
    assert found["gatelatch_checks_end_timestamp_seconds"] > 1e9
    forge(ledger, "decisions", **FORGED)
    for _ in range(2):
        found = after_a_look(exposition, checks)
    assert (found[CHAIN.format("broken")], found[CHAIN.format("intact")]) == (1, 0)
    assert caplog.text.count("(link 24) is not signed") == 1


def test_a_tail_that_was_cut_off_is_missed_by_the_head_that_the_store_keeps(
    ledger: Ledger, exposition: Exposition, checks: SlowChecks
) -> None:
    honest(ledger)
    heads.keep("churn", ledger)
    with as_owner(ledger) as db:
        for name in ("seals", "chain"):
            db.execute(sa.text(f"delete from {name} where position = 23"))
        db.execute(
            sa.text("delete from observations where id = (select max(id) from observations)")
        )
    assert after_a_look(exposition, checks)[CHAIN.format("broken")] == 1


def test_a_chain_that_costs_a_model_its_metrics_is_said_to_be_broken_all_the_same(
    ledger: Ledger, exposition: Exposition, checks: SlowChecks, models: Path
) -> None:
    honest(ledger)
    write_spec(models, "other")
    with as_owner(ledger) as db:
        db.execute(sa.text("delete from chain where position = 3"))
    found = after_a_look(exposition, checks)
    assert found['gatelatch_model_up{model="churn"}'] == 0
    assert found[CHAIN.format("broken")] == 1
    assert found['gatelatch_chain_state{model="other",state="intact"}'] == 1


def test_without_a_key_no_chain_is_called_intact(
    ledger: Ledger,
    exposition: Exposition,
    checks: SlowChecks,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    honest(ledger)
    assert after_a_look(exposition, checks)[CHAIN.format("intact")] == 1
    monkeypatch.setenv("GATELATCH_VERIFY_KEY", str(here / "absent.pub"))
    assert after_a_look(exposition, checks)[CHAIN.format("unseen")] == 1
    assert "no key to verify with" in caplog.text


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_where_the_ledger_is_away_nothing_is_known_of_any_chain(
    ledger: Ledger, checks: SlowChecks, monkeypatch: pytest.MonkeyPatch, here: Path
) -> None:
    honest(ledger)
    checks.watch(["churn"])
    checks.look()
    assert checks.of("churn").chain == "intact"
    monkeypatch.setenv("GATELATCH_LEDGER", f"sqlite:///{here / 'none.db'}")
    checks.look()
    assert checks.of("churn").chain == "unseen"


def test_what_was_found_long_ago_is_not_known_any_more(
    ledger: Ledger, checks: SlowChecks, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest(ledger)
    checks.watch(["churn"])
    checks.look()
    assert checks.of("churn").chain == "intact"
    monkeypatch.setattr(slow_checks, "_OLD", -1000)
    assert checks.of("churn").chain == "unseen"


def test_a_model_that_is_gone_is_forgotten(ledger: Ledger, checks: SlowChecks) -> None:
    honest(ledger)
    checks.watch(["churn"])
    checks.look()
    first = checks.of("churn")
    checks.look()
    assert checks.of("churn") is first
    checks.watch(["other"])
    checks.look()
    assert checks.of("churn").chain == "unseen"


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_the_thread_looks_at_what_it_is_told_of_and_stops(
    ledger: Ledger, exposition: Exposition, checks: SlowChecks, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    honest(ledger)
    checks.start()
    awaited(lambda: values(exposition)[CHAIN.format("intact")] == 1, "the first round")
    checks.stop()
    assert checks._thread is not None
    checks._thread.join(30)
    assert not checks._thread.is_alive()
    assert not caplog.text


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_round_is_over_before_the_rest_after_its_last_model_and_the_first_costs_none(
    ledger: Ledger, checks: SlowChecks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_checks, "_REST", 1e9)
    honest(ledger)
    checks.watch(["churn", "other"])
    checks.start()
    awaited(lambda: checks.ended, "the first round")
    assert [checks.of(model).chain for model in ("churn", "other")] == ["intact", "intact"]
    checks.stop()
    assert checks._thread is not None
    checks._thread.join(30)
    assert not checks._thread.is_alive()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_between_two_models_the_thread_rests_for_as_long_as_its_work_asks(
    ledger: Ledger, checks: SlowChecks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_checks, "_REST", 1e9)
    honest(ledger)
    checks.watch(["churn", "other", "third"])
    checks.start()
    awaited(lambda: checks.of("other").chain == "intact", "the second model")
    time.sleep(0.2)
    assert checks.of("third").chain == "unseen"
    assert checks.ended is None
    checks.stop()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_the_alias_is_the_ledgers_or_another_or_cannot_be_seen(
    ledger: Ledger,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    checks = SlowChecks(aliases=True)
    exposition = Exposition(checks)
    version(ledger, 1)
    tracking.prepare_store()
    assert after_a_look(exposition, checks)[ALIAS.format("other")] == 1  # nothing is registered

    client = tracking.connect()
    client.create_registered_model("churn")
    for _ in (1, 2):
        client.create_model_version("churn", str(here))
    model_aliases.point("churn", {"champion": 1})
    found = after_a_look(exposition, checks)
    assert (found[ALIAS.format("same")], found[CHAIN.format("intact")]) == (1, 1)

    client.set_registered_model_alias("churn", "champion", "2")
    assert after_a_look(exposition, checks)[ALIAS.format("other")] == 1
    assert "alias champion is at version 2, the ledger's champion is version 1" in caplog.text

    tracking.connect.cache_clear()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    found = after_a_look(exposition, checks)
    assert (found[ALIAS.format("unseen")], found[ALIAS.format("other")]) == (1, 0)
    assert found[CHAIN.format("intact")] == 1
    assert "MLflow's aliases cannot be looked at" in caplog.text
    exposition.metrics.close()


def test_mlflow_is_asked_by_nobody_who_was_not_told_to(
    ledger: Ledger, exposition: Exposition, checks: SlowChecks, monkeypatch: pytest.MonkeyPatch
) -> None:
    version(ledger, 1)
    asked: list[str] = []
    monkeypatch.setattr(model_aliases, "alias_at", lambda model, name: asked.append(model))
    assert after_a_look(exposition, checks)[ALIAS.format("unseen")] == 1
    assert not asked
