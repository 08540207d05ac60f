"""A candidate's gates as one self-contained page for people, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tasks.classifier import capped
from tasks.reports import gate_chart
from tasks.reports.page import render

if TYPE_CHECKING:
    from tasks.gates.acceptance import Acceptance
    from tasks.gates.gate_result import GateResult
    from tasks.ledger.records import Proposal
    from tasks.spec.model import ModelSpec

_GRAVITY = ("failed", "passed", "not_judged")


def page_path(model: str, folder: str) -> str:
    """Return the place of the page below the store's `reports/`."""
    return f"{model}/{folder}/gates.html"


def page_json(judged: Acceptance) -> dict[str, Any]:
    """Return everything that the page shows."""
    return {
        "passed": judged.passed,
        "gates": [result.to_json() for result in judged.gates],
        "figures": asdict(judged.figures),
        "metrics": judged.metrics.to_json(),
    }


def page_html(spec: ModelSpec, proposal: Proposal, judged: Acceptance) -> str:
    """Return the page: it loads nothing from anywhere and holds no row."""
    declared = {name for name, _ in spec.gates.declared()}
    whole = [g for g in judged.gates if not g.of_subgroup]
    groups = {
        "Declared in the spec": [g for g in whole if g.name in declared],
        "Slices": [g for g in judged.gates if g.of_subgroup],
        "Sound, and no leak": [g for g in whole if g.name not in declared],
    }
    return render(
        "gates.html",
        spec=spec,
        proposal=proposal,
        judged=judged,
        failed=[g for g in judged.gates if not g.passed],
        groups={name: _sorted(found) for name, found in groups.items() if found},
        metrics=judged.metrics,
        capped=capped.capped_sentence(judged.metrics.capped, judged.metrics.judged_rows),
        twin=judged.metrics.refit if judged.passed else None,
        reliability=gate_chart.reliability_chart(judged.figures),
        margins=gate_chart.margins(judged.figures),
        interval=gate_chart.interval,
        figure=figure,
        plain=plain_figure,
    )


def figure(value: float | None) -> str:
    """Return a figure as people read it; a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


def plain_figure(value: float | None) -> str:
    """Return a figure that may be a count: without decimals that say nothing."""
    return "–" if value is None else f"{value:.4g}"


def _sorted(found: Sequence[GateResult]) -> list[GateResult]:
    return sorted(found, key=lambda g: _GRAVITY.index(g.verdict))
