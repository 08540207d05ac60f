"""The gates' page: everything that was judged, nothing of any row, and nothing from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from tasks.gates.acceptance import Acceptance
from tasks.gates.contest import Contest
from tasks.gates.curves import Figures, figures
from tasks.ledger.records import Proposal
from tasks.reports import gate_chart, gate_page
from tasks.spec.model import ModelSpec
from tests.gates.test_acceptance import judged, rows, trained
from tests.gates.test_declared_gates import margins, scored, three_classes

Make = Callable[..., ModelSpec]
GATES = {
    "hinge_loss": {"better_than": "champion"},
    "per_class_recall": {"not_worse_than": "champion", "by": 0.5},
    "slices": {"over": [{"column": "<b>region</b>"}]},
}


@pytest.fixture(scope="module")
def made() -> tuple[ModelSpec, Proposal, Acceptance]:
    from tests.conftest import CHURN

    spec = ModelSpec.model_validate({**CHURN, "gates": GATES})
    champion = trained(spec, *rows(seed=2, turned=True))
    _, accepted = judged(spec, *rows(), champion)
    day = datetime(2026, 1, 1, tzinfo=UTC)
    proposal = Proposal(
        model="churn",
        proposal="<i>",
        kind="retrain",
        reason="r",
        episode=None,
        champion=3,
        trained_from=day,
        trained_until=day,
        proposer="otto",
        spec_digest=spec.digest,
    )
    return spec, proposal, accepted


def test_every_gate_stands_on_the_page_with_verdict_and_reason(made: Any) -> None:
    page = gate_page.page_html(*made)
    text = re.sub(r"<[^>]+>", " ", page)
    for result in made[2].gates:
        assert (result.slice or result.name.replace("_", " ")) in text.replace("&lt;", "<").replace(
            "&gt;", ">"
        )
        assert result.reason.split("'")[0][:60] in text
    assert page.count('<tr>\n  <td class="state') == len(made[2].gates)
    assert "1 of " in text
    assert "gates failed." in text
    assert "against version 3" in text


def test_the_page_loads_nothing_and_runs_nothing(made: Any) -> None:
    page = gate_page.page_html(*made)
    for word in ("<script", "http", "@import", "url(", "<img", "<link", "onload"):
        assert word not in page
    assert "<b>region" not in page
    assert "<i>" not in page


def test_the_json_is_what_the_page_shows(made: Any) -> None:
    told = json.loads(json.dumps(gate_page.page_json(made[2]), allow_nan=False))
    assert told["passed"] is False
    assert len(told["gates"]) == len(made[2].gates)
    assert {"name", "verdict", "passed", "reason", "slice", "rows"} <= told["gates"][0].keys()
    assert sum(told["figures"]["candidate"]["rows"]) == told["metrics"]["judged_rows"]


def test_the_first_candidates_page_shows_it_alone(spec: Make) -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    asked = Proposal(
        model="churn",
        proposal="boot",
        kind="retrain",
        reason="r",
        episode=None,
        champion=None,
        trained_from=day,
        trained_until=day,
        proposer="otto",
        spec_digest="d",
    )
    page = gate_page.page_html(spec(), asked, judged(spec(), *rows())[1])
    assert "No gate failed." in page
    assert "no champion yet" in page
    assert 'class="line champion"' not in page


@pytest.mark.parametrize("draw", [gate_chart.reliability_chart, gate_chart.margins])
def test_a_picture_is_an_svg_of_both_models(draw: Callable[[Figures], str]) -> None:
    pairs = [
        (scored(margins(1)), scored(margins(0))),
        (three_classes(), three_classes(seed=4)),
        (scored(np.full(3, 0.5)), None),
        (scored(np.full(50, 400.0)), scored(np.full(50, -400.0))),
    ]
    for candidate, champion in pairs:
        svg = draw(figures(Contest(candidate=candidate, champion=champion)))
        assert ElementTree.fromstring(svg).tag == "svg"
        assert "nan" not in svg
        assert ("champion" in svg) is (champion is not None)


def test_shares_of_margins_add_up_to_one_whatever_lies_beyond() -> None:
    wide = margins(1, 5000)
    wide[7] = 1e6
    drawn = figures(Contest(candidate=scored(wide), champion=scored(margins(0, 5000))))
    for curve in (drawn.candidate, drawn.champion):
        assert curve is not None
        assert sum(curve.shares) == pytest.approx(1)
    assert drawn.edges[-1] < 10


@pytest.mark.parametrize(("low", "high"), [(-0.2, 0.1), (0.0, 0.0), (0.3, 0.4), (-9.0, -8.0)])
def test_the_bar_of_an_interval_stays_in_its_box(low: float, high: float) -> None:
    bar = ElementTree.fromstring(gate_chart.interval(low, high)).find("rect")
    assert bar is not None
    assert (
        0 <= float(bar.get("x", "")) <= float(bar.get("x", "")) + float(bar.get("width", "")) < 100
    )
