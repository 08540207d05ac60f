"""What `python -m tasks replay` shows to people: verdicts, retrains, policies, a sweep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from rich.console import Console
from rich.markup import escape

from tasks.cli.console import STYLES, Column, Fitted, err, tabulate
from tasks.data.guess import Guess
from tasks.drift.attribution import INTERCEPT
from tasks.replay import replay_report
from tasks.replay.replay_report import Report
from tasks.replay.schedules import stride
from tasks.replay.trial import Policy, Trial, frontier, hindsight
from tasks.spec.part import format_duration


def show_columns(guesses: Sequence[Guess], label: Mapping[str, Any]) -> None:
    """Print what each column of a file is taken for, and why."""
    columns = Column("column"), Column("taken as", whole=True), Column("because")
    cells = [(escape(g.column or "(no name)"), g.kind, escape(g.why)) for g in guesses]
    styled = [
        tuple(f"[yellow]{cell}[/]" for cell in row) if row[1] == "left out" else row
        for row in cells
    ]
    learnt = escape(label["column"]), "label", f"{len(label['classes'])} classes"
    err.print(tabulate(columns, [*styled, learnt]))
    err.print("to change it: --as COLUMN=numeric, categorical or text; --ignore COLUMN\n")


def show_replay(report: Report, out: Console, *, wide: bool = False) -> None:
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
    advice = replay_report.advice_on_trial(tried)
    if advice:
        out.print(f"[yellow]To do:[/] {escape(advice)}")
    failed = [g for g in tried.played.bootstrap.accepted.gates if not g.passed]
    if failed:
        names = ", ".join(f"{g.title} ({g.reason})" for g in failed)
        out.print(f"[yellow]The first champion would not have passed its gates:[/] {escape(names)}")
    if tried.played.retrains:
        out.print("\n[bold]retrains[/]  old → new: accuracy until the next one")
        out.print(_retrains(tried, wide))
    else:
        out.print("\nThe latch never opened.")
    for back in tried.played.rollbacks:
        at = windows[back.index].end
        out.print(f"{at:%Y-%m-%d}  back to version {back.target}: {back.reason}", highlight=False)
    for line in _budget(tried):
        out.print(escape(line), highlight=False)
    for what, line in _unpromised(tried):
        out.print(f"[yellow]{what}:[/] {escape(line)}")
    out.print("\n[bold]policies[/]  gain: points of accuracy per retrain, beside never")
    out.print(_policies(report, wide))
    apart = stride(count)
    if apart > 1:
        out.print(f"The others retrain at most every {apart} windows: there are {count} of them.")
    if report.sweep:
        out.print("\n[bold]sweep[/]  ●: no other point beats it")
        out.print(_sweep(report, wide))


def _budget(tried: Trial) -> Iterator[str]:
    """Yield when the error budget would have paged, beside when the latch opened."""
    spec, told = tried.spec, replay_report.budget_spent(tried)
    if spec.slo is None or not told:
        return
    of = f"{spec.slo.metric.replace('_', ' ')} {spec.slo.budget:g} above the reference"
    if not any(now.judged for now in told):
        yield f"no error budget ({of}): no window has labels enough"
        return
    pages = replay_report.paged(tried)
    paged = ", ".join(f"{p.window.end + spec.label.delay:%Y-%m-%d}" for p in pages) or "never"
    steps = tried.played.steps
    states = ["closed", *(step.latch.state for step in steps)]
    opened = (
        f"{now.window.end:%Y-%m-%d}"
        for now, (before, state) in zip(told, pairwise(states), strict=True)
        if state == "open" != before
    )
    yield f"error budget ({of}, over {told[0].windows} windows) would have paged: {paged}"
    yield f"the latch opened: {', '.join(opened) or 'never'}"


def _unpromised(tried: Trial) -> Iterator[tuple[str, str]]:
    """Yield what the first champion and each promoted candidate could not promise."""
    for line in tried.played.bootstrap.accepted.metrics.warnings:
        yield "The first champion", line
    for retrain in tried.played.retrains:
        if retrain.version is not None:
            when = f"{tried.history.windows[retrain.index].end:%Y-%m-%d}"
            yield from ((f"That of {when}", line) for line in retrain.warnings)


def _retrains(tried: Trial, wide: bool) -> Fitted:
    columns = (
        Column("at", whole=True),
        Column("above the limit", only_wide=True),
        Column("moved by"),
        Column("learnt from"),
        Column("gates"),
        Column("old → new", figures=True),
    )
    cells = []
    for retrain, known in zip(tried.played.retrains, hindsight(tried.played), strict=True):
        moved = [(n, c) for n, c in retrain.causes.items() if n != INTERCEPT]
        named = moved[: 2 if wide else 1]
        failed = [gate.title for gate in retrain.gates if not gate.passed]
        gates = "[green]passed[/]"
        if retrain.version is None:
            gates = f"[yellow]{escape(', '.join(failed) or retrain.refusal or '')}[/]"
        told = f"{_three(known.old)} → {_three(known.new)}" if retrain.version else "–"
        cells.append(
            (
                f"{tried.history.windows[retrain.index].end:%Y-%m-%d}",
                ", ".join(retrain.above),
                escape(", ".join(f"{name} {change:+.2f}" for name, change in named)),
                retrain.tried[retrain.taken].name if retrain.tried else "–",
                gates,
                f"[red]{told}[/]" if known.false_alarm and retrain.version else told,
            )
        )
    return tabulate(columns, cells, wide=wide)


def _policies(report: Report, wide: bool) -> Fitted:
    columns = (
        Column("policy", whole=True),
        *_FIGURES,
        Column("labels", figures=True),
        Column("hinge loss", figures=True),
        Column("violations", figures=True, only_wide=True),
    )
    never = report.tried.never
    cells = [
        (
            escape(policy.name),
            *_figures(policy, never),
            f"{policy.labels_used:.0%}",
            *map(_three, policy.means[1:]),
        )
        for policy in (report.tried.ours, *replay_report.chosen(report.tried.ours, report.others))
    ]
    ours, *others = cells
    return tabulate(columns, [(f"[bold]{ours[0]}[/]", *ours[1:]), *others], wide=wide)


def _sweep(report: Report, wide: bool) -> Fitted:
    columns = (
        Column("settings"),
        Column("", whole=True),
        *_FIGURES,
        Column("hinge loss", figures=True, only_wide=True),
        Column("violations", figures=True, only_wide=True),
    )
    good = frontier([point.ours for _, point in report.sweep])
    between = ", " if wide else "\n"
    cells = (
        (
            escape(between.join(f"{path}={value}" for path, value in settings.items())),
            "●" if on else "",
            *_figures(point.ours, point.never),
            *map(_three, point.ours.means[1:]),
        )
        for (settings, point), on in zip(report.sweep, good, strict=True)
    )
    return tabulate(columns, cells, wide=wide)


_FIGURES = (
    Column("retrains", figures=True),
    Column("in vain", figures=True),
    Column("accuracy", figures=True),
    Column("gain", figures=True),
)


def _figures(policy: Policy, never: float | None) -> tuple[str, ...]:
    gain = policy.gain_per_retrain(never)
    return (
        str(len(policy.retrains)),
        str(policy.false_alarms),
        _three(policy.means[0]),
        "–" if gain is None else f"{gain:+.2f}",
    )


def _three(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
