"""The error budget where people and monitors meet it: the brief, the metrics, the margin view."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tasks.ledger import status
from tasks.ledger.budget import error_budget_of
from tasks.ledger.ledger import Ledger
from tasks.notices.event_kinds import events_of
from tasks.notices.events import ModelFacts
from tasks.spec.model import ModelSpec
from tasks.views.model_metrics import SeenModel, model_samples
from tasks.views.model_page import model_page
from tasks.views.overview import Asked, overview
from tasks.views.standing import standing
from tests.support.flow import MODEL, At, beginning, day, land, propose, watch

SPEC = ModelSpec.model_validate({**MODEL.model_dump(mode="json"), "slo": {"window": 8}})


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def known() -> status.Status:
    return status.read(SPEC, Ledger.open())


def slo_samples() -> dict[tuple[str, ...], float]:
    samples = model_samples(SeenModel(status=known(), asked_at={}))
    return {(s.metric, *s.labels): s.value for s in samples if "_slo_" in s.metric}


def test_a_brief_says_how_much_of_the_error_budget_is_spent(at: At) -> None:
    at("drifted")
    body = propose(spec=SPEC)["body"]
    assert re.search(r"\*\*Error budget:\*\* [0-9]{3,}% of the error budget is spent", body)
    assert "in the newest window and at" in body


def test_metrics_say_how_fast_the_error_budget_burns(at: At) -> None:
    at("drifted")
    told = error_budget_of(known())
    assert told is not None
    assert told.now is not None
    assert slo_samples() == {
        ("gatelatch_slo_burn_rate", "1", "last"): told.now.last,
        ("gatelatch_slo_burn_rate", "1", "sixth"): told.now.sixth,
        ("gatelatch_slo_burn_rate", "1", "whole"): told.now.whole,
        ("gatelatch_slo_budget_spent_ratio", "1"): told.now.whole,
        ("gatelatch_slo_unseen_windows", "1"): 0,
    }
    assert told.now.pages


def test_that_the_budget_burns_is_one_event_however_long_it_lasts(at: At) -> None:
    at("drifted")
    ledger = Ledger.open()

    def burning() -> list[tuple[str, str]]:
        facts = ModelFacts(status=known(), recorded=ledger.when_recorded("churn"))
        events = events_of(facts, day(20))
        return [(e.key, e.severity) for e in events if "budget" in e.subject]

    (first,) = burning()
    assert first == ("burning/v1/20260109T0000", "page")
    for number in (11, 12):
        land(number)
        watch(number)
        assert burning() == [first]
    assert len(known().observations) > 5


def test_without_labels_there_is_no_budget_and_no_series_of_it(at: At) -> None:
    at("bootstrapped")
    land(6, y=pa.nulls(300, pa.int64()))
    watch(6)
    told = error_budget_of(known())
    assert told is not None
    assert told.sentence == (
        "no error budget: none of 1 window has labels enough to tell the hinge loss"
    )
    assert slo_samples() == {}


def test_the_margin_view_shows_the_error_budget(at: At) -> None:
    at("drifted")
    told = error_budget_of(known())
    assert told is not None
    stands = standing(known(), [], {})
    times = Ledger.open().recorded("churn")
    page = model_page(known(), stands, day(20), base="/gatelatch", times=times)
    assert "<dt>Error budget</dt>" in page
    assert told.sentence[1:] in html.unescape(page)
    models = overview([stands], Asked(), day(20), base="/gatelatch")
    assert told.sentence in html.unescape(models)
