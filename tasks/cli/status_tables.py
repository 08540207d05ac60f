"""What `python -m tasks status` shows to people: where a model stands, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from tasks.cli.console import STYLES, Column, Fitted, out, short_time, tabulate
from tasks.ledger.budget import error_budget_of
from tasks.ledger.freezes import freeze_told, way_out
from tasks.ledger.status import Status
from tasks.ledger.status_json import status_json
from tasks.ledger.unlabelled import awaited_told, gap_of
from tasks.notices.untold import Untold, missed_by, who_is_told
from tasks.promotion.ramp import Ramp


def show_status(
    status: Status,
    newest: int,
    *,
    missed: Mapping[str, Untold] | None = None,
    ramp: Ramp | None = None,
    wide: bool = False,
    out: Console = out,
) -> None:
    """Print a status, with its newest windows, its proposals and promotions as tables.

    `missed` says what each channel was not told, `ramp` where the champion's canary stands.
    """
    told = status_json(status, newest)
    model = status.spec.model
    champion = "none yet" if status.champion is None else f"version {status.champion}"
    latch = status.history.now
    rest = f" until {latch.rests_until:%Y-%m-%d}" if latch.rests_until else ""
    out.print(f"[bold]{model}[/]  champion: {champion}  latch: [bold]{latch.state}[/]{rest}")
    if ramp is not None and ramp.over is None:
        out.print(escape(ramp.told))
    if latch.episode:
        out.print(f"episode: {latch.episode}")
    if status.frozen:
        held = status.due_when_thawed
        back = f" Held back: {held}." if held else ""
        out.print(f"[bold red]frozen:[/] {escape(freeze_told(status.frozen))}.{back}")
        out.print(f"{escape(way_out(status.frozen))}.")
    elif status.silence:
        out.print(f"[bold red]nobody is asked:[/] {escape(status.silence)}")
    elif status.patience:
        out.print(f"nobody is asked yet: {escape(status.patience)}")
    elif status.due:
        out.print(f"the next run of monitor.{model} asks: {status.due}")
    if status.advice:
        out.print(f"[bold yellow]to do:[/] {escape(status.advice)}")
    if status.given_up:
        out.print(escape(status.given_up))
    if (gap := gap_of(status)) is not None:
        out.print(f"[bold yellow]no labels:[/] {escape(gap.sentence)}", highlight=False)
    if waiting := awaited_told(status):
        out.print(escape(waiting), highlight=False)
    if status.calibration.now.episode:
        probabilities = status.calibration.now
        out.print(f"calibration: [bold]{probabilities.state}[/]  episode: {probabilities.episode}")
    if (spent := error_budget_of(status)) is not None:
        out.print(escape(spent.sentence), highlight=False)
    out.print(f"told: {who_is_told(status.spec)}", markup=False)
    for sentence in missed_by(missed or {}):
        out.print(f"[bold red]not told:[/] {escape(sentence)}")
    if told["windows"]:
        why = "" if wide else "  why: farthest above its limit, + how many more"
        out.print(f"\n[bold]windows[/]{why}")
        out.print(_windows(told["windows"], wide))
    if told["proposals"]:
        out.print("\n[bold]proposals[/]")
        out.print(_proposals(told["proposals"], wide))
    if told["promotions"]:
        out.print("\n[bold]promotions[/]")
        out.print(_promotions(told["promotions"], wide))
    else:
        out.print(
            f"Train the first champion: trigger the DAG retrain.{model} with reason 'bootstrap'."
        )


def _windows(rows: list[dict[str, Any]], wide: bool) -> Fitted:
    columns = (
        Column("from", whole=True),
        Column("version", figures=True, only_wide=True),
        Column("verdict", whole=True),
        Column("× limit", figures=True),
        Column("accuracy", figures=True),
        Column("latch", whole=True),
        Column("why"),
    )
    cells = (
        (
            short_time(row["start"]),
            str(row["version"]),
            f"[{STYLES[row['verdict']]}]{row['verdict']}[/]",
            _two(row["pressure"]),
            _two(row.get("accuracy")),
            str(row["latch"]),
            escape(row["reason"] if wide else _short(row)),
        )
        for row in rows
    )
    return tabulate(columns, cells, wide=wide)


def _short(row: dict[str, Any]) -> str:
    """Return the statistic farthest above its limit; nothing for a steady window."""
    if row["verdict"] == "steady":
        return ""
    above = [s for s in row.get("statistics", ()) if s["pressure"] > 1 and not s["blind"]]
    if row["verdict"] == "insufficient" or not above:
        return str(row["reason"])
    first = max(above, key=lambda s: float(s["pressure"]))
    title = first["name"] if first["of"] is None else f"{first['name']} of {first['of']}"
    return f"{title} +{len(above) - 1}" if len(above) > 1 else str(title)


def _two(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else "–"


def _proposals(rows: list[dict[str, Any]], wide: bool) -> Fitted:
    columns = (
        Column("proposal", whole=True),  # `withdraw` takes it
        Column("reason"),
        Column("by", only_wide=True),
        Column("what became of it"),
    )
    between = "; " if wide else "\n"
    cells = []
    for row in rows:
        told = [escape(_decided(d)) for d in row["decisions"]]
        waits = ["[yellow]live[/]"] if row["live"] else []
        named = (escape(str(row[name])) for name in ("proposal", "reason", "proposer"))
        cells.append((*named, between.join([*told, *waits])))
    return tabulate(columns, cells, wide=wide)


def _decided(decision: dict[str, Any]) -> str:
    said = f"{decision['step']}: {decision['answer']} by {decision['by']}"
    # Of what nobody refused, the reason is what there is to mend.
    ended = decision["answer"] in ("ended", "invalid", "failed")
    return f"{said}: {decision['comment']}" if ended else said


def _promotions(rows: list[dict[str, Any]], wide: bool) -> Fitted:
    columns = (
        Column("#", figures=True),
        Column("champion", figures=True),
        Column("before", figures=True),
        Column("for windows from", whole=True),
        Column("by"),
        Column("reason"),
    )
    cells = (
        (
            str(row["number"]),
            str(row["version"]),
            "–" if row["expected"] is None else str(row["expected"]),
            short_time(row["effective_from"]),
            escape(str(row["by"])),
            escape(str(row["reason"])),
        )
        for row in rows
    )
    return tabulate(columns, cells, wide=wide)
