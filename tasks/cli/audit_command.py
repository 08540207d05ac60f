"""`python -m tasks audit`: print a model's trail, verify it, keep its head, adopt an old one."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from textwrap import shorten
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tasks.audit import adoption, findings, heads
from tasks.audit import events as trails
from tasks.audit.events import Event
from tasks.audit.findings import Findings
from tasks.ledger import chain
from tasks.ledger.ledger import Ledger
from tasks.signing.keyring import KeyUnusable
from tasks.spec import spec_files
from tasks.spec.model import SpecError

_OUT = Console(soft_wrap=True, highlight=False)
_ERR = Console(stderr=True, soft_wrap=True, highlight=False)


def audit(
    model: Annotated[str, typer.Argument(help="name of a model in the ledger")],
    verify: Annotated[
        bool,
        typer.Option("--verify", help="find altered, removed, forged and foreign rows and heads"),
    ] = False,
    head: Annotated[
        list[str] | None,
        typer.Option(help="digest, or file of --save, that was kept; verify that it still stands"),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="write the signed head to this file, to keep elsewhere")
    ] = None,
    adopt: Annotated[
        bool,
        typer.Option("--adopt", help="vouch for all rows so far, signed or not; recorded"),
    ] = False,
    by: Annotated[str | None, typer.Option(help="with --adopt: who vouches")] = None,
    reason: Annotated[str | None, typer.Option(help="with --adopt: why; recorded")] = None,
    each_window: Annotated[
        bool, typer.Option("--observations", help="show each observation, not their counts")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of a table")] = False,
) -> None:
    """Show who decided what about a model, when and on which evidence; verify that it still is so.

    Ends with exit code 1 and names the row where the ledger is not as it was recorded, or not by
    who might.
    """
    try:
        kept = [heads.by_hand(model, given) for given in head or []]
        ledger = Ledger.open()
        if adopt:
            _ERR.print(adoption.adopt(ledger, model, by or "", reason or "", kept), markup=False)
        trail = ledger.trail(model)
        if not trail.links and not trail.rows and not head:
            _know(model)
        found = findings.look(model, trail, kept) if verify or head else None
    except (ValueError, KeyUnusable, chain.LedgerRefused, adoption.NotAdopted) as error:
        _ERR.print(str(error), markup=False)
        raise typer.Exit(1) from None
    told = trails.events(trail, each_window=each_window)
    if as_json:
        print(json.dumps(_as_json(model, trail, told, found), indent=2))
    else:
        _OUT.print(_table(model, told))
        _OUT.print(_seal(trail, found))
    if save:
        _save(save, model, trail)
    if found and found.fault:
        _ERR.print(f"{model}: {found.fault}", markup=False)
        raise typer.Exit(1)


def _save(path: Path, model: str, trail: chain.Trail) -> None:
    made = trail.seals.get(len(trail.links))
    if made is None:
        _ERR.print(f"{path}: the newest row is not signed, so there is no head to save")
        raise typer.Exit(1)
    path.write_text(heads.to_json(model, trail.links[-1], made))


def _know(model: str) -> None:
    try:
        spec_files.find(model)
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


def _as_json(
    model: str, trail: chain.Trail, told: list[Event], found: Findings | None
) -> dict[str, Any]:
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
