"""What `python -m tasks audit` shows: who decided what, when, on which evidence, and its head."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape

from tasks import bounds
from tasks.audit import heads
from tasks.audit.events import Event
from tasks.audit.findings import Findings
from tasks.cli.console import Column, Fitted, cell_text, out, short_time, tabulate
from tasks.ledger import chain

_SHOWN = 200  # signs of a text on a terminal
_WHOLE = bounds.PROSE  # … and elsewhere: all that the ledger takes


def show_audit(
    model: str,
    trail: chain.Trail,
    told: list[Event],
    found: Findings | None,
    *,
    wide: bool = False,
    out: Console = out,
) -> None:
    """Print the events of a trail, and whether it is as it was recorded."""
    longest = _WHOLE if wide or not out.is_terminal else _SHOWN
    out.print(f"[bold]audit trail of {escape(model)}[/]")
    out.print(_events(told, wide, longest))
    out.print()
    out.print(_seal(trail, found))


def _events(told: list[Event], wide: bool, longest: int) -> Fitted:
    columns = (
        Column("#", figures=True),
        Column("recorded (UTC)", whole=True),
        Column("by"),
        Column("what"),
        Column("event time", whole=True, only_wide=True),
        Column("proposal", only_wide=True),
        Column("why", only_wide=True),
        Column("on which evidence", only_wide=True),
    )
    cells = []
    for event in told:
        until = short_time(event.event_time) if event.event_time else ""
        proposal, why, what, by = (
            escape(cell_text(text, longest))
            for text in (event.proposal, event.why, event.what, event.by)
        )
        on = escape(cell_text(_evidence(event), longest))
        details = [
            ", ".join(part for part in (until and f"event time {until}", proposal) if part),
            why and f"why: {why}",
            on and f"on: {on}",
        ]
        several = event.last > event.first
        cells.append(
            (
                f"{event.first}–{event.last}" if several else str(event.first),
                f"{event.recorded_at:%Y-%m-%d %H:%M:%S}",
                by,
                what if wide else "\n".join([what, *(f"[dim]{d}[/]" for d in details if d)]),
                until,
                proposal,
                why,
                on,
            )
        )
    return tabulate(columns, cells, wide=wide)


def _evidence(event: Event) -> str:
    return ", ".join(f"{of} {digest[:12]}" for of, digest in event.evidence.items())


def _seal(trail: chain.Trail, found: Findings | None) -> str:
    said = "not verified (--verify)"
    unchecked: list[str] = []
    if found:
        good = f"[green]verified[/] against {len(found.kept)} kept heads"
        said = "[red]not as they were recorded[/]" if found.fault else good
        unchecked = [f"not checked: {escape(cell_text(line, 500))}" for line in found.unchecked]
    lines = [f"{len(trail.links)} rows, {said}", *unchecked, f"head: {trail.head or 'none yet'}"]
    return "\n".join(lines)


def audit_as_json(
    model: str, trail: chain.Trail, told: list[Event], found: Findings | None
) -> dict[str, Any]:
    """Return the trail as JSON-ready values; times in ISO 8601, UTC."""
    made = trail.seals.get(len(trail.links))
    return {
        "schema": "gatelatch.audit/1",
        "model": model,
        "head": trail.head,
        "signed_head": json.loads(heads.head_to_json(model, trail.links[-1], made))
        if made
        else None,
        "rows": len(trail.links),
        "verified": found.fault is None if found else None,
        "fault": found.fault if found else None,
        "not_checked": found.unchecked if found else None,
        "events": [
            {
                **asdict(event),
                "recorded_at": event.recorded_at.isoformat(),
                "event_time": event.event_time.isoformat() if event.event_time else None,
            }
            for event in told
        ],
    }
