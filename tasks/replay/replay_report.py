"""What a replay says: tables for people, JSON for programs (docs/replay.md names each field)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tasks.data.guess import Guess
from tasks.drift.advice import Seen, advise
from tasks.drift.attribution import INTERCEPT
from tasks.gates import declared_gates
from tasks.replay.play import Retrain, Step
from tasks.replay.schedules import stride
from tasks.replay.trial import Hindsight, Policy, Trial, frontier, hindsight
from tasks.spec.model import format_duration

SCHEMA = "gatelatch.replay/1"
_RATES = ("accuracy", "hinge_loss", "violation_rate")
_STYLES = {"steady": "green", "drifting": "red", "insufficient": "yellow"}


@dataclass(frozen=True)
class Report:
    """A trial, the policies it stands against, and the points of a sweep with their settings.

    `columns` are what those of a file were taken for, where no spec said it.
    """

    tried: Trial
    others: Sequence[Policy]
    sweep: Sequence[tuple[Mapping[str, Any], Trial]] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    columns: Sequence[Guess] = ()


def as_json(report: Report) -> dict[str, Any]:
    """Return the report as JSON-ready values: times in ISO 8601, UTC; None where not known."""
    tried = report.tried
    windows, first = tried.history.windows, tried.played.first
    trained = tried.played.bootstrap
    never = tried.never
    good = frontier([point.ours for _, point in report.sweep])
    return {
        "schema": SCHEMA,
        "model": tried.spec.model,
        "spec": tried.spec.digest,
        "settings": dict(report.settings),
        "columns": [{"column": g.column, "as": g.kind, "why": g.why} for g in report.columns],
        "range": {
            "start": windows[0].start.isoformat(),
            "first": windows[first].start.isoformat(),
            "end": windows[-1].end.isoformat(),
            "windows": len(windows) - first,
            "stride": stride(len(windows) - first),
        },
        "bootstrap": {
            "rows": len(trained.trained),
            "passed": trained.accepted.passed,
            "warnings": list(trained.accepted.metrics["warnings"]),
            "gates": [declared_gates.as_json(gate) for gate in trained.accepted.gates],
        },
        "advice": _advice(tried),
        "windows": [_window(tried, step) for step in tried.played.steps],
        "retrains": [
            _retrain(tried, retrain, known)
            for retrain, known in zip(tried.played.retrains, hindsight(tried.played), strict=True)
        ],
        "rollbacks": [
            {
                "at": windows[back.index].end.isoformat(),
                "version": back.version,
                "target": back.target,
                "reason": back.reason,
            }
            for back in tried.played.rollbacks
        ],
        "policies": [_policy(tried, policy, never) for policy in (tried.ours, *report.others)],
        "sweep": [
            {
                "settings": dict(settings),
                "spec": point.spec.digest,
                "frontier": on,
                **_policy(point, point.ours, point.never),
            }
            for (settings, point), on in zip(report.sweep, good, strict=True)
        ],
    }


def _advice(tried: Trial) -> str | None:
    seen = []
    for step in tried.played.steps:
        rows, said = tried.history.rows(step.index), step.judgement
        labelled = int((tried.history.label[rows] >= 0).sum())
        statistics = [s.as_json() for s in said.statistics]
        seen.append(Seen(said.verdict, said.reason, rows.stop - rows.start, labelled, statistics))
    return advise(tried.spec, seen)


def _window(tried: Trial, step: Step) -> dict[str, Any]:
    window, said = tried.history.windows[step.index], step.judgement
    rows = tried.history.rows(step.index)
    rates = tried.ours.rates[:, step.index - tried.played.first]
    return {
        "start": window.start.isoformat(),
        "end": window.end.isoformat(),
        "version": step.version,
        "verdict": said.verdict,
        "reason": said.reason,
        "pressure": said.pressure,
        "rows": rows.stop - rows.start,
        "labelled": int((tried.history.label[rows] >= 0).sum()),
        "latch": step.latch.state,
        "episode": step.latch.episode,
        **{n: None if r != r else float(r) for n, r in zip(_RATES, rates, strict=True)},
        "statistics": [s.as_json() for s in said.statistics],
    }


def _retrain(tried: Trial, retrain: Retrain, known: Hindsight) -> dict[str, Any]:
    return {
        "at": tried.history.windows[retrain.index].end.isoformat(),
        "episode": retrain.episode,
        "version": retrain.version,
        "refusal": retrain.refusal,
        "rows": len(retrain.trained),
        "spans": [
            {"name": t.name, "rows": t.rows, "loss": t.loss, "problem": t.problem}
            for t in retrain.tried
        ],
        "span": retrain.tried[retrain.taken].name if retrain.tried else None,
        "warnings": list(retrain.warnings),
        "above": list(retrain.above),
        "features": [{"name": name, "change": change} for name, change in retrain.causes.items()],
        "gates": [declared_gates.as_json(gate) for gate in retrain.gates],
        "accuracy_old": known.old,
        "accuracy_new": known.new,
        "false_alarm": known.false_alarm,
    }


def _policy(tried: Trial, policy: Policy, never: float | None) -> dict[str, Any]:
    windows, first = tried.history.windows, tried.played.first
    # A retrain at the end of the last window has no window to rule.
    ends = [windows[first + index - 1].end for index in policy.retrains]
    return {
        "name": policy.name,
        "retrains": len(policy.retrains),
        "retrained_at": [end.isoformat() for end in ends],
        **dict(zip(_RATES, policy.means, strict=True)),
        "gain_per_retrain": policy.gain_per_retrain(never),
        "labels_used": policy.labels_used,
        "false_alarms": policy.false_alarms,
    }


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
    told = [f"[{style}]{verdicts[name]} {name}[/]" for name, style in _STYLES.items()]
    speed = f"{count / tried.seconds:,.0f} windows a second, without training"
    out.print(f"{', '.join(told)}; {speed}")
    reasons = Counter(
        step.judgement.reason.partition("; ")[0]
        for step in tried.played.steps
        if step.judgement.verdict == "insufficient"
    )
    for reason, times in reasons.most_common(3):
        out.print(f"  [yellow]{times} ×[/] {escape(reason)}")
    advice = _advice(tried)
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
    table = _table(
        "retrains", "at the end of", "above the limit", "moved by", "learnt from", "gates"
    )
    table.add_column("accuracy until the next: old → new", justify="right", no_wrap=True)
    for retrain, known in zip(tried.played.retrains, hindsight(tried.played), strict=True):
        moved = [(n, c) for n, c in retrain.causes.items() if n != INTERCEPT][:2]
        failed = [gate.title for gate in retrain.gates if not gate.passed]
        gates = "[green]passed[/]"
        if retrain.version is None:
            gates = f"[yellow]{escape(', '.join(failed) or retrain.refusal or '')}[/]"
        told = f"{_three(known.old)} → {_three(known.new)}" if retrain.version else "–"
        table.add_row(
            f"{tried.history.windows[retrain.index].end:%Y-%m-%d}",
            ", ".join(retrain.above),
            escape(", ".join(f"{name} {change:+.2f}" for name, change in moved)),
            retrain.tried[retrain.taken].name if retrain.tried else "–",
            gates,
            f"[red]{told}[/]" if known.false_alarm and retrain.version else told,
        )
    return table


def _policies(report: Report) -> Table:
    table = _table("policies", "policy")
    for name in ("retrains", "accuracy", "hinge loss", "violations", "points per retrain"):
        table.add_column(name, justify="right")
    for name in ("labels used", "in vain"):
        table.add_column(name, justify="right")
    never = report.tried.never
    for policy in (report.tried.ours, *chosen(report.tried.ours, report.others)):
        name = escape(policy.name)
        table.add_row(
            f"[bold]{name}[/]" if policy is report.tried.ours else name,
            *_figures(policy, never),
            f"{policy.labels_used:.0%}",
            str(policy.false_alarms),
        )
    return table


def chosen(ours: Policy, others: Sequence[Policy]) -> list[Policy]:
    """Return the others, but of the oracles those with one retrain, with as many as ours, most."""
    oracles = [p for p in others if p.name.startswith("oracle")]
    wanted = {1, len(ours.retrains), len(oracles)}
    return [p for p in others if p not in oracles or len(p.retrains) in wanted]


def _sweep(report: Report) -> Table:
    table = _table("sweep (● no other point beats it)", "settings", "")
    for name in ("retrains", "accuracy", "hinge loss", "violations", "points per retrain"):
        table.add_column(name, justify="right")
    table.add_column("in vain", justify="right")
    good = frontier([point.ours for _, point in report.sweep])
    for (settings, point), on in zip(report.sweep, good, strict=True):
        table.add_row(
            escape(", ".join(f"{path}={value}" for path, value in settings.items())),
            "●" if on else "",
            *_figures(point.ours, point.never),
            str(point.ours.false_alarms),
        )
    return table


def _figures(policy: Policy, never: float | None) -> tuple[str, ...]:
    gain = policy.gain_per_retrain(never)
    rates = [_three(rate) for rate in policy.means]
    return str(len(policy.retrains)), *rates, "–" if gain is None else f"{gain:+.2f}"


def _table(title: str, *columns: str) -> Table:
    return Table(*columns, title=title, title_justify="left", box=box.SIMPLE_HEAD)


def _three(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
