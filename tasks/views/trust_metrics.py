"""Samples on what may be relied on: alarms, ends of proposals, chain, and MLflow's alias. Pure.

What nobody looked at is `unseen`, and never fine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tasks.bounds import shifted
from tasks.ledger.alarms import alarms_of
from tasks.ledger.status import Status
from tasks.spec.model import ModelSpec
from tasks.spec.windows import window_at
from tasks.views.metric_family import (
    ALIAS_STATES,
    CHAIN_STATES,
    PROPOSAL_KINDS,
    MetricSample,
    known,
)

ChainState = Literal["intact", "broken", "unseen"]
AliasState = Literal["same", "other", "unseen"]


@dataclass(frozen=True, kw_only=True)
class CheckStates:
    """What was found beside the scrapes: a model's chain, and MLflow's alias against its ledger."""

    chain: ChainState = "unseen"
    alias: AliasState = "unseen"

    @property
    def samples(self) -> list[MetricSample]:
        """Return the states of the model's chain and alias."""
        return [
            MetricSample(metric, (one,), float(one == state))
            for metric, states, state in (
                ("gatelatch_chain_state", CHAIN_STATES, self.chain),
                ("gatelatch_champion_alias_state", ALIAS_STATES, self.alias),
            )
            for one in states
        ]


def alarm_samples(status: Status) -> Iterator[MetricSample]:
    """Yield how often the latches opened in a year, beside what is allowed."""
    for latch, alarms in alarms_of(status).items():
        for outcome, count in alarms.openings.items():
            yield MetricSample("gatelatch_latch_openings", (latch, outcome), count)
        yield MetricSample("gatelatch_latch_openings_allowed", (latch,), alarms.allowed)
        yield MetricSample("gatelatch_latch_openings_by_chance", (latch,), alarms.by_chance)


def end_samples(status: Status, time_is_up: Mapping[str, datetime]) -> Iterator[MetricSample]:
    """Yield when each kind of live proposal has to be ended.

    Parameters
    ----------
    time_is_up
        By proposal, from when on the next run of the monitor ends it (wall clock).
    """
    first: dict[str, datetime] = {}
    for proposal in status.live:
        if (until := time_is_up.get(proposal.proposal)) is not None:
            kind = known(proposal.kind, PROPOSAL_KINDS)
            first[kind] = min(until, first.get(kind, until))
    for kind, until in first.items():
        due = next_run(status.spec, until).timestamp()
        yield MetricSample("gatelatch_proposal_end_due_timestamp_seconds", (kind,), due)


def next_run(spec: ModelSpec, moment: datetime) -> datetime:
    """Return when the monitor runs next after a moment of the wall clock.

    After the grid's own end it never does; then the moment itself.
    """
    grid = spec.window
    window = window_at(grid, shifted(moment, -grid.grace))
    if grid.end is not None and window.end > grid.end:
        return moment
    return shifted(window.end, grid.grace)
