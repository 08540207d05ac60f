"""The versions that were champion or candidate in a period, with gates, figures and card. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from markupsafe import Markup

from tasks.gates.gate_result import GateResult
from tasks.ledger.records import Candidate, Observation, TwoCandidates
from tasks.ledger.status import Status
from tasks.reports.report_cases import Case


@dataclass(frozen=True, kw_only=True)
class ShownVersion:
    """A version as the ledger has it; `metrics` are candidate's and champion's by name."""

    version: int
    reigned: bool
    candidate: Candidate | None
    gates: Sequence[GateResult]
    metrics: Sequence[tuple[str, float, float | None]]


@dataclass(frozen=True, kw_only=True)
class Card:
    """The model card of a version in Markdown, or why there is none."""

    markdown: str | None = None
    missing: str = ""


def versions_of(
    known: Status, seen: Sequence[Observation], cases: Sequence[Case]
) -> list[ShownVersion]:
    """Return the versions of a period's windows and proposals, the lowest first."""
    made = {c.candidate.version: c.candidate for c in cases if c.candidate is not None}
    reigned = {o.version for o in seen} | {c.promotion.version for c in cases if c.promotion}
    return [
        _shown(number, number in reigned, made.get(number) or _candidate(known, number))
        for number in sorted(reigned | made.keys())
    ]


def _candidate(known: Status, version: int) -> Candidate | None:
    try:
        return known.candidate(version)
    except TwoCandidates:  # nobody can tell which, so neither is shown as this version
        return None


def _shown(version: int, reigned: bool, candidate: Candidate | None) -> ShownVersion:
    metrics = {} if candidate is None else candidate.metrics
    ours, theirs = metrics.get("candidate") or {}, metrics.get("champion") or {}
    return ShownVersion(
        version=version,
        reigned=reigned,
        candidate=candidate,
        gates=[] if candidate is None else [_gate(g) for g in candidate.gates],
        metrics=[
            (name.replace("_", " "), value, theirs.get(name))
            for name, value in ours.items()
            if isinstance(value, int | float)
        ],
    )


def _gate(kept: Mapping[str, Any]) -> GateResult:
    """Return a gate as the ledger has it; what was not kept of it is not known."""
    bare = dict.fromkeys(f.name for f in fields(GateResult))
    return GateResult.from_json({**bare, "reason": "", **kept})


def as_html(markdown: str) -> Markup:
    """Return Markdown as HTML that leads nowhere: links, pictures and HTML stay text.

    What people wrote is part of a card, and a report must not fetch anything.
    """
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.disable(["link", "image", "autolink", "reference"])
    tokens = parser.parse(markdown)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):  # below the report's own headings
            token.tag = f"h{min(int(token.tag[1]) + 3, 6)}"
    return Markup(parser.renderer.render(tokens, parser.options, {}))
