"""What a replay says, as JSON: docs/replay.md names each field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.data.guess import Guess
from tasks.drift.advice import SeenWindow, advise
from tasks.drift.error_budget import BudgetSpent, spent
from tasks.replay.played import Retrain, Step
from tasks.replay.schedules import stride
from tasks.replay.trial import Hindsight, Policy, Trial, frontier, hindsight

REPORT_SCHEMA = "gatelatch.replay/1"
_RATES = ("accuracy", "hinge_loss", "violation_rate")


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


def replay_as_json(report: Report) -> dict[str, Any]:
    """Return the report as JSON-ready values: times in ISO 8601, UTC; None where not known."""
    tried = report.tried
    windows, first = tried.history.windows, tried.played.first
    trained = tried.played.bootstrap
    never = tried.never
    good = frontier([point.ours for _, point in report.sweep])
    return {
        "schema": REPORT_SCHEMA,
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
            "warnings": list(trained.accepted.metrics.warnings),
            "gates": [gate.to_json() for gate in trained.accepted.gates],
        },
        "advice": advice_on_trial(tried),
        "slo": _slo(tried),
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


def advice_on_trial(tried: Trial) -> str | None:
    """Return what to change if nothing can be said of window after window; else None."""
    seen = []
    for step in tried.played.steps:
        rows, said = tried.history.rows(step.index), step.judgement
        labelled = int((tried.history.label[rows] >= 0).sum())
        count = rows.stop - rows.start
        seen.append(SeenWindow(said.verdict, said.reason, count, labelled, said.statistics))
    return advise(tried.spec, seen)


def budget_spent(tried: Trial) -> list[BudgetSpent]:
    """Return the error budget after each window; none where the spec has none."""
    spec = tried.spec
    if spec.slo is None:
        return []
    seen = [step.metric for step in tried.played.steps if step.metric is not None]
    return spent(spec.slo, spec.slo.windows(spec.window.every), seen)


def paged(tried: Trial) -> list[BudgetSpent]:
    """Return where somebody would have been paged: the first window of each run of them."""
    told, before = [], False
    for now in budget_spent(tried):
        if now.pages and not before:
            told.append(now)
        before = now.pages
    return told


def _slo(tried: Trial) -> dict[str, Any] | None:
    slo = tried.spec.slo
    if slo is None:
        return None
    delay = tried.spec.label.delay
    return {
        "metric": slo.metric,
        "budget": slo.budget,
        "windows": slo.windows(tried.spec.window.every),
        "paged_at": [(page.window.end + delay).isoformat() for page in paged(tried)],
        "spent": [
            {"start": now.window.start.isoformat(), "version": now.version, **now.to_json()}
            for now in budget_spent(tried)
        ],
    }


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
        "statistics": [s.to_json() for s in said.statistics],
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
        "gates": [gate.to_json() for gate in retrain.gates],
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


def chosen(ours: Policy, others: Sequence[Policy]) -> list[Policy]:
    """Return the others, but of the oracles those with one retrain, with as many as ours, most."""
    oracles = [p for p in others if p.name.startswith("oracle")]
    wanted = {1, len(ours.retrains), len(oracles)}
    return [p for p in others if p not in oracles or len(p.retrains) in wanted]
