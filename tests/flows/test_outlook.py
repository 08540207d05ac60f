"""The question after an abrupt change, without Airflow: since when, of what, and to what avail."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tasks.classifier.spans import Learning
from tasks.flows import asking, ready
from tasks.promotion.counted_rows import CountedRows
from tasks.registry import registry, tracking
from tasks.reports import brief_links, retrain_brief
from tests.support.flow import (
    MODEL,
    day,
    enter,
    land,
    promote,
    propose,
    read,
    register,
    rows,
    watch,
)


def since_the_ninth(number: int, noise: float | None) -> dict[str, Any]:
    """Columns of a day: from the 9th on the rule turns round, or a share of labels flips."""
    found = rows(number)
    if number < 9 or noise is None:
        return found
    turned_back = 1 - found["y"]
    flips = np.random.default_rng(number).random(len(turned_back)) < noise
    return {**found, "y": turned_back ^ flips}


def asked(monkeypatch: Any, folder: Path, noise: float | None = None) -> CountedRows:
    """Return what is counted for the proposal that the change leads to."""
    (folder / "data").mkdir(parents=True)
    enter(monkeypatch, folder)
    tracking.prepare_store()
    for number in range(1, 13):
        land(number, **since_the_ninth(number, noise))
    propose("boot", training_window=timedelta(days=5), until=day(6))
    register("boot")
    promote("boot")
    number = 5
    while read().due is None:
        number += 1
        watch(number)
    propose(str(read().due))
    return ready.count(MODEL, read().proposals[-1])


def test_the_brief_says_what_is_regained_since_when_and_after_how_long(
    tmp_path: Path, monkeypatch: Any
) -> None:
    counted = asked(monkeypatch, tmp_path)
    assert counted.outlook is not None
    assert counted.change is not None
    assert counted.outlook.estimate is not None
    assert (
        counted.outlook.estimate.low > 0.4
    )  # a rule that turned round is right where it was wrong
    assert counted.change.since == day(9)
    mine = read().proposals[-1]
    waited = (mine.trained_until - day(9)).days
    labelled = sum(counted.change.labelled.values())
    body = asking.to_retrain(MODEL, mine, "/dags/here", counted)["body"]
    assert "**Would a retrain help?** A retrain is expected to regain " in body
    assert "the change began with the window of 2026-01-09. Since then " in body
    assert f"{labelled:,} labelled rows" in body
    assert f"You are asked after {waited} windows." in body
    assert body.index("Would a retrain help") < body.index("drift.svg")
    assert "hinge loss above the best constant's" in body
    page = Path("store/reports/churn", brief_links.slug(mine.proposal), "retrain.html").read_text()
    assert "Would a retrain help?" in page

    register(mine.proposal)
    learning = Learning.from_json(read().candidates[-1].metrics["span"])
    asked_again = asking.to_promote(MODEL, mine.proposal, "/dags/here")["body"]
    gates = Path("store/reports/churn", brief_links.slug(mine.proposal), "gates.html").read_text()
    assert "What it learnt from" in gates
    for line, tried in zip(learning.told, learning.tried, strict=True):
        assert retrain_brief.as_text(line) in asked_again
        assert f'<td class="name">{tried.name}</td>' in gates
        assert f'data-name="rows">{tried.rows:,}</td>' in gates

    # Nobody goes unasked for want of an estimate.
    registry.load_version.cache_clear()
    shutil.rmtree(os.environ["GATELATCH_ARTIFACTS"])
    again = ready.count(MODEL, mine)
    assert again.outlook is not None
    assert again.outlook.estimate is None
    assert str(again.outlook.problem).startswith("the quick fit")
    body = asking.to_retrain(MODEL, mine, "/dags/here", again)["body"]
    assert "**Would a retrain help?** Not known: the quick fit" in body


def test_of_labels_that_flip_the_brief_says_that_a_retrain_is_hopeless(
    tmp_path: Path, monkeypatch: Any
) -> None:
    counted = asked(monkeypatch, tmp_path, noise=0.3)
    assert counted.outlook is not None
    assert counted.outlook.diagnosis == "persistent_label_noise"
    mine = read().proposals[-1]
    body = asking.to_retrain(MODEL, mine, "/dags/here", counted)["body"]
    told = "**Would a retrain help?** None: labels contradict confident decisions, look at how they"
    assert told in body
