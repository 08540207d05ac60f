"""The error budget window by window is the one that each window ended with."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from tasks.drift.loss_sums import MeanLosses
from tasks.drift.reference import reference_to_json
from tasks.ledger import status
from tasks.ledger.budget import budgets_between, error_budget_of
from tasks.ledger.ledger import Ledger
from tasks.ledger.status import Status
from tasks.spec.model import ModelSpec
from tests.support import forging
from tests.support.judged import reference_from
from tests.support.rows import proposal, registered
from tests.support.stood import MakeSpec, at, ledger_in, seen

LOSSES = [0.3, 0.6, None, 0.9, 0.4, 0.8, 0.5]


def with_budget(spec: ModelSpec, ledger: Ledger) -> Status:
    """Return the status of windows with losses under two versions whose references are real."""
    scores = np.random.default_rng(0).normal(size=2000) * 2
    reference: dict[str, Any] = reference_to_json(reference_from(scores))
    windows = [_window(number, loss) for number, loss in enumerate(LOSSES)]
    for version, first, last in ((1, 0, 4), (2, 4, 7)):
        name, before = f"p{version}", version - 1 or None
        ledger.propose(proposal(name, champion=before, trained_until=at(first)))
        forging.approve(ledger, name, "retrain")
        ledger.add_candidate(registered(proposal=name, version=version, reference=reference))
        forging.approve(ledger, name, "promote", "grace")
        ledger.promote(
            "churn",
            name,
            version=version,
            expected=before,
            effective_from=at(first),
            by="grace",
            reason="drift",
        )
        for one in windows[first:last]:
            ledger.observe(replace(one, version=version))
    return status.read(spec, ledger)


def losses_of(hinge_loss: float) -> dict[str, float]:
    """Return the losses of a window as the ledger holds them."""
    same = dict.fromkeys((f.name for f in fields(MeanLosses)), 0.5)
    return {**same, "hinge_loss": hinge_loss, "effective_rows": 90.0}


def _window(number: int, loss: float | None) -> Any:
    figures = {} if loss is None else {"losses": losses_of(loss), "hinge_loss": loss}
    return seen(number, None if loss is None else 0.5, figures=figures)


def test_each_window_has_the_budget_that_stood_after_it(spec: MakeSpec, tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)
    read = with_budget(spec(slo={"window": 2}), ledger)
    told = budgets_between(read, 0, len(LOSSES) - 1)
    for number, one in enumerate(told):
        then = replace(read, observations=read.observations[: number + 1])
        assert one == error_budget_of(then)
    assert budgets_between(read, 3, 5) == told[3:6]
    assert budgets_between(replace(read, spec=spec()), 0, 5) == []
    ledger._engine.dispose()
