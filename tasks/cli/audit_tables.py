"""What `python -m tasks audit` shows: who decided what, when, on which evidence, and its head."""

from __future__ import annotations

import json
from dataclasses import asdict
from textwrap import shorten
from typing import Any

from rich.markup import escape
from rich.table import Table

from tasks.audit import heads
from tasks.audit.events import Event
from tasks.audit.findings import Findings
from tasks.cli.console import out, table
from tasks.ledger import chain


def show(model: str, trail: chain.Trail, told: list[Event], found: Findings | None) -> None:
    """Print the events of a trail, and whether it is as it was recorded."""
    out.print(_events(model, told))
    out.print(_seal(trail, found))


def _events(model: str, told: list[Event]) -> Table:
    shown = table(f"audit trail of {escape(model)}")
    shown.add_column("#", justify="right", no_wrap=True)
    shown.add_column("recorded (UTC)", no_wrap=True)
    shown.add_column("by", overflow="fold")
    shown.add_column("what, for when, why, on which evidence", overflow="fold", ratio=1)
    for event in told:
        several = event.last > event.first
        details = [f"[dim]{escape(_plain(line))}[/]" for line in _details(event)]
        shown.add_row(
            f"{event.first}–{event.last}" if several else str(event.first),
            f"{event.recorded_at:%Y-%m-%d %H:%M:%S}",
            escape(_plain(event.by)),
            "\n".join([escape(_plain(event.what)), *details]),
        )
    return shown


def _details(event: Event) -> list[str]:
    until = f"event time {event.event_time:%Y-%m-%d %H:%M}" if event.event_time else ""
    lines = [", ".join(part for part in (until.removesuffix(" 00:00"), event.proposal) if part)]
    if event.why:
        lines.append(f"why: {event.why}")
    if event.evidence:
        digests = (f"{of} {digest[:12]}" for of, digest in event.evidence.items())
        lines.append(f"on: {', '.join(digests)}")
    return lines


def _plain(text: str, longest: int = 200) -> str:
    # What people wrote must not move the cursor: a comment could paint over other lines.
    line = shorten(text, longest, placeholder=" …")
    return "".join(sign if sign.isprintable() else "�" for sign in line)


def _seal(trail: chain.Trail, found: Findings | None) -> str:
    said = "not verified (--verify)"
    unchecked: list[str] = []
    if found:
        good = f"[green]verified[/] against {len(found.kept)} kept heads"
        said = "[red]not as they were recorded[/]" if found.fault else good
        unchecked = [f"not checked: {escape(_plain(line, 500))}" for line in found.unchecked]
    lines = [f"{len(trail.links)} rows, {said}", *unchecked, f"head: {trail.head or 'none yet'}"]
    return "\n".join(lines)


def as_json(
    model: str, trail: chain.Trail, told: list[Event], found: Findings | None
) -> dict[str, Any]:
    """Return the trail as JSON-ready values; times in ISO 8601, UTC."""
    made = trail.seals.get(len(trail.links))
    return {
        "schema": "gatelatch.audit/1",
        "model": model,
        "head": trail.head,
        "signed_head": json.loads(heads.to_json(model, trail.links[-1], made)) if made else None,
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
