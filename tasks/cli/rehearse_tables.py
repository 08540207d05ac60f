"""What `python -m tasks rehearse` shows to people: each incident, and the blind spots."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape

from tasks.cli.console import Column, Fitted, tabulate
from tasks.rehearsal.rehearsed import BlindSpot, Rehearsed, ScenarioLine
from tasks.reports.as_read import how_many


def show_rehearsal(found: Rehearsed, out: Console, *, wide: bool = False) -> None:
    """Print a rehearsal for people."""
    count = len(found.stretches)
    out.print(f"[bold]{found.model}[/]  spec {found.spec}")
    out.print(
        f"incidents of {how_many(found.windows, 'window')} of {found.every} in {count} quiet "
        f"{'stretch' if count == 1 else 'stretches'}; {found.looked_at} were looked at"
    )
    out.print(f"they begin {', '.join(s.onset[:10] for s in found.stretches)}")
    out.print(_incidents(found, wide))
    for line in found.lines:
        if line.problem:
            out.print(f"[yellow]{line.scenario} was not played:[/] {escape(line.problem)}")
    if not any(line.missed for line in found.lines):
        out.print("[green]No blind spot:[/] of each incident that does harm somebody is told.")
        return
    out.print("\n[bold]blind spots[/]  harm is done, and nobody is told")
    sentences = {line.scenario: line for line in found.lines}
    for spot in found.blind:
        out.print(f"[red]{spot.scenario}[/]: {sentences[spot.scenario].sentence}", highlight=False)
        for text in spot_told(spot, sentences[spot.scenario], len(found.stretches)):
            out.print(f"  {escape(text)}", highlight=False)


def spot_told(spot: BlindSpot, line: ScenarioLine, stretches: int) -> Iterator[str]:
    """Yield in lines where a blind spot is, and what closes it."""
    seen = f"; the records of its windows name {line.untold}" if line.untold else ""
    yield f"missed in {spot.missed} of {stretches}{seen}"
    if not spot.closed_by:
        part = max((t.closes for t in spot.tried), default=0)
        yield f"none of {len(spot.tried)} settings that were tried closes it" + (
            f" everywhere; {part} of {spot.missed} at the most" if part else ""
        )
    for tried in spot.closed_by:
        yield f"{tried.name} closes it; false alarms in {tried.false_alarms} of {stretches}"


def _incidents(found: Rehearsed, wide: bool) -> Fitted:
    columns = (
        Column("incident", whole=True),
        Column("alarmed", figures=True),
        Column("by", whole=True),
        Column("windows", figures=True),
        Column("rows", figures=True),
        Column("named", figures=True),
        Column("as", only_wide=True),
        Column("gates"),
        Column("wrong", figures=True),
    )
    return tabulate(columns, [_cells(line) for line in found.lines if line.told], wide=wide)


def _cells(line: ScenarioLine) -> tuple[str, ...]:
    count = len(line.told)
    style = "red" if line.missed else "green" if len(line.alarmed) == count else "yellow"
    return (
        line.scenario,
        f"[{style}]{len(line.alarmed)}/{count}[/]",
        line.kinds or "–",
        _figure(line.windows),
        _figure(line.rows and round(line.rows)),
        f"{sum(t.right for t in line.told)}/{count}",
        escape(line.causes) or "–",
        escape(line.gates_told),
        "–" if line.wrong is None else f"{line.wrong:+,.0f}" if line.wrong else "0",
    )


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}".removesuffix(".0")
