"""`python -m tasks audit`: print a model's trail, and verify its chain."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from textwrap import shorten
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tasks import audit as trails
from tasks import chain, spec_file
from tasks.audit import Event
from tasks.ledger import Ledger
from tasks.spec import SpecError

_OUT = Console(soft_wrap=True, highlight=False)
_ERR = Console(stderr=True, soft_wrap=True, highlight=False)


def audit(
    model: Annotated[str, typer.Argument(help="name of a model in the ledger")],
    verify: Annotated[
        bool, typer.Option("--verify", help="find altered, removed, reordered and foreign rows")
    ] = False,
    head: Annotated[
        list[str] | None,
        typer.Option(help="digest that an earlier audit ended with; verify that it still stands"),
    ] = None,
    each_window: Annotated[
        bool, typer.Option("--observations", help="show each observation, not their counts")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of a table")] = False,
) -> None:
    """Show who decided what about a model, when and on which evidence; verify that it still is so.

    Ends with exit code 1 and names the row where the ledger is not as it was recorded.
    """
    trail = Ledger.open().trail(model)
    checked = verify or bool(head)
    if not trail.links and not trail.rows and not head:
        _know(model)
    kept = (_registered(model) if checked else {}) | dict.fromkeys(head or [], "by you")
    fault = chain.fault(trail, kept) if checked else None
    told = trails.events(trail, each_window=each_window)
    if as_json:
        print(json.dumps(_as_json(model, trail, told, checked, fault), indent=2))
    else:
        _OUT.print(_table(model, told))
        _OUT.print(_seal(trail, kept, checked, fault))
    if fault:
        _ERR.print(f"{model}: {fault}", markup=False)
        raise typer.Exit(1)


def _registered(model: str) -> dict[str, str]:
    # Without an address MLflow would make a store of its own here.
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        _ERR.print("MLFLOW_TRACKING_URI is not set: the heads kept in MLflow are not looked at")
        return {}
    from tasks import registry, tracking

    try:
        return registry.kept_heads(model)
    except tracking.RegistryError as error:
        _ERR.print(f"{error}; they are not looked at", markup=False)
        return {}


def _know(model: str) -> None:
    try:
        spec_file.find(model)
    except SpecError as error:
        _ERR.print(str(error), markup=False)
        raise typer.Exit(1) from None


def _table(model: str, told: list[Event]) -> Table:
    table = Table(title=f"audit trail of {escape(model)}", title_justify="left", box=box.SIMPLE)
    table.padding = (0, 1, 0, 0)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("recorded (UTC)", no_wrap=True)
    table.add_column("by", overflow="fold")
    table.add_column("what, for when, why, on which evidence", overflow="fold", ratio=1)
    for event in told:
        several = event.last > event.first
        details = [f"[dim]{escape(_plain(line))}[/]" for line in _details(event)]
        table.add_row(
            f"{event.first}–{event.last}" if several else str(event.first),
            f"{event.recorded_at:%Y-%m-%d %H:%M:%S}",
            escape(_plain(event.by)),
            "\n".join([escape(_plain(event.what)), *details]),
        )
    return table


def _details(event: Event) -> list[str]:
    until = f"event time {event.event_time:%Y-%m-%d %H:%M}" if event.event_time else ""
    lines = [", ".join(part for part in (until.removesuffix(" 00:00"), event.proposal) if part)]
    if event.why:
        lines.append(f"why: {event.why}")
    if event.evidence:
        digests = (f"{of} {digest[:12]}" for of, digest in event.evidence.items())
        lines.append(f"on: {', '.join(digests)}")
    return lines


def _plain(text: str) -> str:
    # What people wrote must not move the cursor: a comment could paint over other lines.
    line = shorten(text, 200, placeholder=" …")
    return "".join(sign if sign.isprintable() else "�" for sign in line)


def _seal(trail: chain.Trail, kept: Mapping[str, str], checked: bool, fault: str | None) -> str:
    said = f"{len(trail.links)} rows, not verified (--verify)"
    if checked:
        said = (
            "[red]not as they were recorded[/]"
            if fault
            else (f"[green]verified[/] against {len(kept)} kept heads")
        )
        said = f"{len(trail.links)} rows, {said}"
    return f"{said}\nhead: {trail.head or 'none yet'}"


def _as_json(
    model: str, trail: chain.Trail, told: list[Event], checked: bool, fault: str | None
) -> dict[str, Any]:
    return {
        "schema": "gatelatch.audit/1",
        "model": model,
        "head": trail.head,
        "rows": len(trail.links),
        "verified": fault is None if checked else None,
        "fault": fault,
        "events": [
            {
                **asdict(event),
                "recorded_at": event.recorded_at.isoformat(),
                "event_time": event.event_time.isoformat() if event.event_time else None,
            }
            for event in told
        ],
    }
