"""What `python -m tasks status` shows to people: where a model stands, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape

from tasks.cli.console import STYLES, Column, Fitted, out, short_time, tabulate
from tasks.ledger.budget import error_budget_of
from tasks.ledger.freezes import freeze_told, way_out
from tasks.ledger.logged_names import champion_logged_as
from tasks.ledger.records import Decision, Observation
from tasks.ledger.status import Status
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
    model = status.spec.model
    champion = "none yet" if status.champion is None else f"version {status.champion}"
    if name := champion_logged_as(status):
        champion += f" (logged as {escape(name)})"
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
    if status.observations:
        why = "" if wide else "  why: farthest above its limit, + how many more"
        out.print(f"\n[bold]windows[/]{why}")
        out.print(_windows(status, newest, wide))
    if status.proposals:
        out.print("\n[bold]proposals[/]")
        out.print(_proposals(status, wide))
    if status.promotions:
        out.print("\n[bold]promotions[/]")
        out.print(_promotions(status, wide))
    else:
        out.print(
            f"Train the first champion: trigger the DAG retrain.{model} with reason 'bootstrap'."
        )


def _windows(status: Status, newest: int, wide: bool) -> Fitted:
    columns = (
        Column("from", whole=True),
        Column("version", figures=True, only_wide=True),
        Column("verdict", whole=True),
        Column("× limit", figures=True),
        Column("accuracy", figures=True),
        Column("latch", whole=True),
        Column("why"),
    )
    first = max(len(status.observations) - newest, 0)
    shown = zip(status.observations[first:], status.history.steps[first:], strict=True)
    cells = (
        (
            short_time(seen.window_start),
            str(seen.version),
            f"[{STYLES[seen.verdict]}]{seen.verdict}[/]",
            _two(seen.pressure),
            _two(seen.numbers.accuracy),
            latch.state,
            escape(seen.reason if wide else _short(seen)),
        )
        for seen, (_, latch) in shown
    )
    return tabulate(columns, cells, wide=wide)


def _short(seen: Observation) -> str:
    """Return the statistic farthest above its limit; nothing for a steady window."""
    if seen.verdict == "steady":
        return ""
    above = [s for s in seen.numbers.statistics if s.pressure > 1 and not s.blind]
    if seen.verdict == "insufficient" or not above:
        return seen.reason
    first = max(above, key=lambda s: s.pressure)
    return f"{first.title} +{len(above) - 1}" if len(above) > 1 else first.title


def _two(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _proposals(status: Status, wide: bool) -> Fitted:
    columns = (
        Column("proposal", whole=True),  # `withdraw` takes it
        Column("reason"),
        Column("by", only_wide=True),
        Column("what became of it"),
    )
    between = "; " if wide else "\n"
    cells = []
    for asked in status.proposals:
        said = [escape(_said(d)) for d in status.decisions if d.proposal == asked.proposal]
        waits = ["[yellow]live[/]"] if asked in status.live else []
        named = map(escape, (asked.proposal, asked.reason, asked.proposer))
        cells.append((*named, between.join([*said, *waits])))
    return tabulate(columns, cells, wide=wide)


def _said(decision: Decision) -> str:
    said = f"{decision.step}: {decision.answer} by {decision.by}"
    # Of what nobody refused, the reason is what there is to mend.
    ended = decision.answer in ("ended", "invalid", "failed")
    return f"{said}: {decision.comment}" if ended else said


def _promotions(status: Status, wide: bool) -> Fitted:
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
            str(moved.number),
            str(moved.version),
            "–" if moved.expected is None else str(moved.expected),
            short_time(moved.effective_from),
            escape(moved.by),
            escape(moved.reason),
        )
        for moved in status.promotions
    )
    return tabulate(columns, cells, wide=wide)
