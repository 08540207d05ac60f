"""A candidate's gates as one self-contained page for people, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tasks.classifier import capped, refit
from tasks.gates import declared_gates
from tasks.reports import gate_chart
from tasks.reports.page import render

if TYPE_CHECKING:
    from tasks.gates.acceptance import Acceptance
    from tasks.gates.declared_gates import GateResult
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
        "gates": [declared_gates.as_json(result) for result in judged.gates],
        "figures": asdict(judged.figures),
        "metrics": dict(judged.metrics),
    }


def page_html(
    spec: ModelSpec, proposal: Proposal, judged: Acceptance, span: Mapping[str, Any] | None = None
) -> str:
    """Return the page: it loads nothing from anywhere and holds no row.

    `span` says what the candidate learnt from, see `spans.Fit.figures`; of a recalibration, nothing
    was fit.
    """

    declared = {name for name, _ in spec.gates.declared()}
    groups = {
        "Declared in the spec": [g for g in judged.gates if g.name in declared and not _part(g)],
        "Slices": [g for g in judged.gates if _part(g)],
        "Sound, and no leak": [g for g in judged.gates if g.name not in declared and not _part(g)],
    }
    return render(
        "gates.html",
        spec=spec,
        proposal=proposal,
        judged=judged,
        failed=[g for g in judged.gates if not g.passed],
        groups={name: _sorted(found) for name, found in groups.items() if found},
        metrics=judged.metrics,
        span=span,
        capped=capped.sentence(judged.metrics["capped"], judged.metrics["judged_rows"]),
        twin=refit.told(judged.metrics) if judged.passed else None,
        reliability=gate_chart.reliability(judged.figures),
        margins=gate_chart.margins(judged.figures),
        interval=gate_chart.interval,
        figure=figure,
        plain=plain,
    )


def figure(value: float | None) -> str:
    """Return a figure as people read it; a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


def plain(value: float | None) -> str:
    """Return a figure that may be a count: without decimals that say nothing."""
    return "–" if value is None else f"{value:.4g}"


def _part(result: GateResult) -> bool:
    """Return whether it is about a slice, other than a class's recall, which is declared."""
    return result.slice is not None and result.name != "per_class_recall"


def _sorted(found: Sequence[GateResult]) -> list[GateResult]:
    return sorted(found, key=lambda g: _GRAVITY.index(g.verdict))
