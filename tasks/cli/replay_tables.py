"""What `python -m tasks replay` shows to people: verdicts, retrains, policies, a sweep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tasks.cli.console import STYLES, err, table
from tasks.data.guess import Guess
from tasks.drift.attribution import INTERCEPT
from tasks.replay import replay_report
from tasks.replay.replay_report import Report
from tasks.replay.schedules import stride
from tasks.replay.trial import Policy, Trial, frontier, hindsight
from tasks.spec.model import format_duration


def show_columns(guesses: Sequence[Guess], label: Mapping[str, Any]) -> None:
    """Print what each column of a file is taken for, and why."""
    shown = Table("column", "taken as", "because", box=None)
    for found in guesses:
        style = "yellow" if found.kind == "left out" else ""
        shown.add_row(
            escape(found.column or "(no name)"), found.kind, escape(found.why), style=style
        )
    shown.add_row(escape(label["column"]), "label", f"{len(label['classes'])} classes")
    err.print(shown)
    err.print("to change it: --as COLUMN=numeric, categorical or text; --ignore COLUMN\n")


def show(report: Report, out: Console) -> None:
    """Print the report for people."""
    tried = report.tried
    windows, first = tried.history.windows, tried.played.first
    count = len(windows) - first
    days = f"{windows[first].start:%Y-%m-%d} → {windows[-1].end:%Y-%m-%d}"
    length = format_duration(tried.spec.window.every)
    out.print(
        f"[bold]{tried.spec.model}[/]  {count} windows of {length}, {days}  "
        f"spec {tried.spec.digest}"
    )
    verdicts: Counter[str] = Counter(step.judgement.verdict for step in tried.played.steps)
    told = [f"[{style}]{verdicts[name]} {name}[/]" for name, style in STYLES.items()]
    speed = f"{count / tried.seconds:,.0f} windows a second, without training"
    out.print(f"{', '.join(told)}; {speed}")
    reasons = Counter(
        step.judgement.reason.partition("; ")[0]
        for step in tried.played.steps
        if step.judgement.verdict == "insufficient"
    )
    for reason, times in reasons.most_common(3):
        out.print(f"  [yellow]{times} ×[/] {escape(reason)}")
    advice = replay_report.advice(tried)
    if advice:
        out.print(f"[yellow]To do:[/] {escape(advice)}")
    failed = [g for g in tried.played.bootstrap.accepted.gates if not g.passed]
    if failed:
        names = ", ".join(f"{g.title} ({g.reason})" for g in failed)
        out.print(f"[yellow]The first champion would not have passed its gates:[/] {escape(names)}")
    out.print(_retrains(tried) if tried.played.retrains else "\nThe latch never opened.\n")
    for back in tried.played.rollbacks:
        at = windows[back.index].end
        out.print(f"{at:%Y-%m-%d}  back to version {back.target}: {back.reason}", highlight=False)
    for what, line in _unpromised(tried):
        out.print(f"[yellow]{what}:[/] {escape(line)}")
    out.print(_policies(report))
    apart = stride(count)
    if apart > 1:
        out.print(f"The others retrain at most every {apart} windows: there are {count} of them.")
    if report.sweep:
        out.print(_sweep(report))


def _unpromised(tried: Trial) -> Iterator[tuple[str, str]]:
    """Yield what the first champion and each promoted candidate could not promise."""
    for line in tried.played.bootstrap.accepted.metrics["warnings"]:
        yield "The first champion", line
    for retrain in tried.played.retrains:
        if retrain.version is not None:
            when = f"{tried.history.windows[retrain.index].end:%Y-%m-%d}"
            yield from ((f"That of {when}", line) for line in retrain.warnings)


def _retrains(tried: Trial) -> Table:
    shown = table(
        "retrains", "at the end of", "above the limit", "moved by", "learnt from", "gates"
    )
    shown.add_column("accuracy until the next: old → new", justify="right", no_wrap=True)
    for retrain, known in zip(tried.played.retrains, hindsight(tried.played), strict=True):
        moved = [(n, c) for n, c in retrain.causes.items() if n != INTERCEPT][:2]
        failed = [gate.title for gate in retrain.gates if not gate.passed]
        gates = "[green]passed[/]"
        if retrain.version is None:
            gates = f"[yellow]{escape(', '.join(failed) or retrain.refusal or '')}[/]"
        told = f"{_three(known.old)} → {_three(known.new)}" if retrain.version else "–"
        shown.add_row(
            f"{tried.history.windows[retrain.index].end:%Y-%m-%d}",
            ", ".join(retrain.above),
            escape(", ".join(f"{name} {change:+.2f}" for name, change in moved)),
            retrain.tried[retrain.taken].name if retrain.tried else "–",
            gates,
            f"[red]{told}[/]" if known.false_alarm and retrain.version else told,
        )
    return shown


def _policies(report: Report) -> Table:
    shown = table("policies", "policy")
    for name in ("retrains", "accuracy", "hinge loss", "violations", "points per retrain"):
        shown.add_column(name, justify="right")
    for name in ("labels used", "in vain"):
        shown.add_column(name, justify="right")
    never = report.tried.never
    for policy in (report.tried.ours, *replay_report.chosen(report.tried.ours, report.others)):
        name = escape(policy.name)
        shown.add_row(
            f"[bold]{name}[/]" if policy is report.tried.ours else name,
            *_figures(policy, never),
            f"{policy.labels_used:.0%}",
            str(policy.false_alarms),
        )
    return shown


def _sweep(report: Report) -> Table:
    shown = table("sweep (● no other point beats it)", "settings", "")
    for name in ("retrains", "accuracy", "hinge loss", "violations", "points per retrain"):
        shown.add_column(name, justify="right")
    shown.add_column("in vain", justify="right")
    good = frontier([point.ours for _, point in report.sweep])
    for (settings, point), on in zip(report.sweep, good, strict=True):
        shown.add_row(
            escape(", ".join(f"{path}={value}" for path, value in settings.items())),
            "●" if on else "",
            *_figures(point.ours, point.never),
            str(point.ours.false_alarms),
        )
    return shown


def _figures(policy: Policy, never: float | None) -> tuple[str, ...]:
    gain = policy.gain_per_retrain(never)
    rates = [_three(rate) for rate in policy.means]
    return str(len(policy.retrains)), *rates, "–" if gain is None else f"{gain:+.2f}"


def _three(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
