"""Plays a model window by window, in one process beside a worker: with its role, keys and MLflow.

A container of these services knows no tests, so this file is read and handed to `python -c`.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta

from tasks.flows import asking, monitor, retrain
from tasks.flows.measure import measure
from tasks.promotion import decisions, promotion, proposals
from tasks.spec import spec_files
from tasks.spec.model import ModelSpec
from tasks.spec.windows import windows_between


def accept(spec: ModelSpec, until: datetime) -> None:
    """Train the first champion, as the retrain DAG does where policies decide."""
    name = "first"
    asked = proposals.propose(
        spec,
        name,
        reason="bootstrap",
        proposer="otto",
        training_window=timedelta(days=8),
        until=until,
        now=until,
    )
    asking.to_retrain(spec, asked, "/dags/here")
    decisions.decide(spec, name, "retrain", None)
    run = retrain.train(spec, name)["candidate_run"]
    retrain.calibrate(spec, name, run)
    if not (judged := retrain.gate(spec, name, run))["passed"]:
        raise SystemExit(f"no gate lets it pass: {judged['gates']}")
    retrain.register(spec, name, run)
    asking.to_promote(spec, name, "/dags/here")
    decisions.decide(spec, name, "promote", None)
    promotion.promote(spec, name)


def watch(spec: ModelSpec, since: datetime, until: datetime) -> None:
    """Observe one window after the other, oldest first."""
    for window in windows_between(spec.window, since, until):
        measured = measure(spec, window, monitor.validate(spec, window))
        print(monitor.judge(spec, window, measured).verdict)


if __name__ == "__main__":
    _model, _since, _until = sys.argv[1:]
    _spec = spec_files.find(_model)
    accept(_spec, datetime.fromisoformat(_since))
    watch(_spec, datetime.fromisoformat(_since), datetime.fromisoformat(_until))
