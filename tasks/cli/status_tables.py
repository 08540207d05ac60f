"""What `python -m tasks status` shows to people: where a model stands, and what to do."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from tasks.cli.console import STYLES, moment, out, table
from tasks.ledger import status as state
from tasks.ledger.status import Status


def show(status: Status, newest: int) -> None:
    """Print a status, and the newest windows as a table."""
    told = state.as_json(status)
    model = status.spec.model
    champion = "none yet" if status.champion is None else f"version {status.champion}"
    latch = status.history.now
    rest = f" until {latch.rests_until:%Y-%m-%d}" if latch.rests_until else ""
    out.print(f"[bold]{model}[/]  champion: {champion}  latch: [bold]{latch.state}[/]{rest}")
    if latch.episode:
        out.print(f"episode: {latch.episode}")
    if status.silence:
        out.print(f"[bold red]nobody is asked:[/] {escape(status.silence)}")
    elif status.patience:
        out.print(f"nobody is asked yet: {escape(status.patience)}")
    elif status.due:
        out.print(f"the next run of monitor.{model} asks: {status.due}")
    if status.advice:
        out.print(f"[bold yellow]to do:[/] {escape(status.advice)}")
    if status.given_up:
        out.print(escape(status.given_up))
    if status.calibration.now.episode:
        probabilities = status.calibration.now
        out.print(f"calibration: [bold]{probabilities.state}[/]  episode: {probabilities.episode}")
    if told["windows"]:
        out.print(_windows(told["windows"][-newest:]))
    if told["proposals"]:
        out.print(_proposals(told["proposals"]))
    if told["promotions"]:
        out.print(_promotions(told["promotions"]))
    else:
        out.print(
            f"Train the first champion: trigger the DAG retrain.{model} with reason 'bootstrap'."
        )


def _windows(rows: list[dict[str, Any]]) -> Table:
    shown = table("windows")
    for name in ("from", "version", "verdict", "of limit", "accuracy", "latch"):
        figures = name in ("version", "of limit", "accuracy")
        shown.add_column(name, justify="right" if figures else "left", no_wrap=True)
    shown.add_column("why")
    for row in rows:
        verdict = str(row["verdict"])
        shown.add_row(
            moment(row["start"]),
            str(row["version"]),
            f"[{STYLES[verdict]}]{verdict}[/]",
            _two(row["pressure"]),
            _two(row.get("accuracy")),
            str(row["latch"]),
            escape(str(row["reason"])),
        )
    return shown


def _two(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else "–"


def _proposals(rows: list[dict[str, Any]]) -> Table:
    shown = table("proposals")
    shown.add_column("proposal", no_wrap=True, overflow="fold")  # whole: `withdraw` takes it
    for name in ("reason", "by", "what became of it"):
        shown.add_column(name)
    for row in rows:
        told = [escape(_decided(d)) for d in row["decisions"]]
        waits = ["[yellow]live[/]"] if row["live"] else []
        shown.add_row(
            *(escape(str(row[name])) for name in ("proposal", "reason", "proposer")),
            "\n".join([*told, *waits]),
        )
    return shown


def _decided(decision: dict[str, Any]) -> str:
    said = f"{decision['step']}: {decision['answer']} by {decision['by']}"
    # Of what nobody refused, the reason is what there is to mend.
    ended = decision["answer"] in ("ended", "invalid", "failed")
    return f"{said}: {decision['comment']}" if ended else said


def _promotions(rows: list[dict[str, Any]]) -> Table:
    shown = table("promotions", "#", "champion", "before", "for windows from", "by", "reason")
    for row in rows:
        before = "–" if row["expected"] is None else str(row["expected"])
        since = moment(row["effective_from"])
        shown.add_row(
            str(row["number"]),
            str(row["version"]),
            before,
            since,
            escape(str(row["by"])),
            escape(str(row["reason"])),
        )
    return shown
