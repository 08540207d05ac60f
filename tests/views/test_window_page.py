"""The page of one window, alone and beside another, from a flow that really measured it."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.ledger.ledger import Ledger
from tasks.views.board import material
from tasks.views.window_page import window_page
from tests.support import flow
from tests.support.stood import MakeSpec, known, ledger_in, seen


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flow")


def test_a_measured_window_shows_its_margins_its_features_and_its_probabilities(
    stages: Path, stores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow.beginning(stages, stores, monkeypatch)("promoted")
    status = flow.read()
    first, last = status.observations[0], status.observations[-1]
    page = window_page(status, [material(status, last, runs=("scheduled__1",))], [], base="/g")
    assert page.count('<svg class="chart"') == 3  # labelled margins, scores, reliability
    assert "What moved the mean margin" in page
    assert "/dags/monitor.churn/runs/scheduled__1" in page
    assert "/g/reports/churn/" in page
    assert f'value="{first.window.name}.v1.0"' in page
    dirty = replace(last, figures={**last.figures, "reasons": {"no <x>": 3}})
    aside = window_page(status, [material(status, dirty)], [], base="/g")
    assert '<th scope="row" class="name">no &lt;x&gt;</th><td class="n">3</td>' in aside
    assert "Quarantined by reason" not in page
    both = window_page(status, [material(status, o) for o in (first, last)], [], base="/g")
    assert both.count("<section") == 2
    assert both.count(" selected>") == 1
    alone = [window_page(status, [material(status, o)], [], base="/g") for o in (first, last)]
    assert len({_axes(page)[0] for page in alone}) == 2
    ours, _, _, theirs, *_ = _axes(both)  # of each: labelled margins, scores, reliability
    assert ours == theirs
    shutil.rmtree("store/summaries")
    bare = material(status, last)
    assert "summaries" in (bare.missing or "")
    assert "No histogram: " in window_page(status, [bare], [], base="/g")


def _axes(page: str) -> list[tuple[str, ...]]:
    """Return the texts of each chart."""
    charts = re.findall(r'<svg class="chart".*?</svg>', page, re.DOTALL)
    return [tuple(re.findall(r"<text[^>]*>([^<]*)</text>", chart)) for chart in charts]


def test_a_window_of_which_nothing_can_be_said_says_why(spec: MakeSpec, tmp_path: Path) -> None:
    ledger: Ledger = ledger_in(tmp_path)
    status = known(spec(), ledger, seen(0), seen(1, None))
    page = window_page(status, [material(status, seen(1, None))], [], base="/g")
    assert "3 rows, fewer than window.min_rows = 50" in page
    assert '<svg class="chart"' not in page
    ledger._engine.dispose()


def test_a_reference_of_another_format_is_said_and_not_an_error(
    spec: MakeSpec, tmp_path: Path
) -> None:
    ledger = ledger_in(tmp_path)
    status = known(spec(), ledger, seen(0))  # whose reference is as release 0.1 wrote it
    assert "retrain a model whose reference" in (material(status, seen(0)).missing or "")
    ledger._engine.dispose()
