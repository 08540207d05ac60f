"""How a proposal ends if no step records its end: its run died, was removed, or stands still.

A step that fails says so itself (`end`); what nobody is left to say, the next run of the monitor
notices (`notice`). See docs/decisions/020-a-proposal-always-ends.md.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from tasks.errors import GatelatchError
from tasks.ledger import kept_fold, status
from tasks.ledger.conflicts import Conflict
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Decision, Proposal
from tasks.promotion import proposals
from tasks.promotion.time_left import time_is_up
from tasks.spec.model import ModelSpec
from tasks.spec.part import format_duration

Run = Literal["active", "over", "gone"]
RunOf = Callable[[str, str], Run]  # of a DAG and a run id

END_STEP = "run"
GRACE = timedelta(minutes=15)  # for what has no run yet, as a rollback from a terminal
_LONGEST = 2000  # characters of an error that are kept


def flow_of(proposal: Proposal) -> str:
    """Return the DAG in which a proposal is asked about and carried out."""
    return f"{'rollback' if proposal.kind == 'rollback' else 'retrain'}.{proposal.model}"


def end(spec: ModelSpec, proposal: str, by: str, why: str) -> Decision | None:
    """End a live proposal that nobody refused; None if it is not live.

    It does not rest the latch: what it was about is asked again, see `Status.turn`.
    """
    ledger = Ledger.open()
    known = status.read(spec, ledger)
    found = next((p for p in known.live if p.proposal == proposal), None)
    if found is None:
        return None
    try:
        return ledger.decide(
            Decision(
                model=spec.model,
                proposal=proposal,
                step=END_STEP,
                answer="ended",
                by=by,
                comment=why[:_LONGEST],
                evidence="",
                effective_from=known.decided_at(found),
            )
        )
    except Conflict:
        return None  # somebody else said it, just now


def end_told(spec: ModelSpec, proposal: str) -> str:
    """Return how a proposal ended, for people."""
    known = status.read(spec, Ledger.open())
    if last := proposals.ended(known, proposal):
        return f"{last.step}: {last.answer} by {last.by}. {last.comment}"
    if any(p.proposal == proposal for p in known.promotions):
        return "it was promoted"
    return "nothing was proposed under this name"


def reason(step: str, error: BaseException | str | None) -> str:
    """Return a sentence on the error that a step failed with.

    Only our own errors are quoted: the text of another may hold a row.
    """
    told = type(error).__name__ if isinstance(error, BaseException) else "an error"
    airflows = type(error).__module__ == "airflow.sdk.exceptions"
    if (airflows or isinstance(error, GatelatchError)) and str(error):
        return f"{step}: {error}"
    return f"{step} failed with {told}; its log in Airflow says more"


def notice(
    spec: ModelSpec, run_of: RunOf, now: datetime, known: status.Status | None = None
) -> list[str]:
    """End the live proposals that nobody works on any more; return a sentence on each.

    Parameters
    ----------
    run_of
        Says what became of a DAG's run.
    now
        Wall clock: a run that is gone, or that waits, is known by its age alone.
    known
        A reading of the newest windows; without one the ledger is read.
    """
    ledger = Ledger.open()
    known = known or kept_fold.read_newest(spec, ledger)
    touched = ledger.touched(spec.model) if known.live else {}
    told = []
    for proposal in known.live:
        run = run_of(flow_of(proposal), proposal.proposal)
        why = _why(known, ledger, proposal, run, touched[proposal.proposal], now)
        if why and end(spec, proposal.proposal, "monitor", why):
            told.append(f"{proposal.proposal} has ended: {why}")
    return told


def _why(
    known: status.Status,
    ledger: Ledger,
    proposal: Proposal,
    run: Run,
    touched: datetime,
    now: datetime,
) -> str | None:
    """Return why nothing more comes of a live proposal; None if something may."""
    spec, flow, idle = known.spec, flow_of(proposal), now - touched
    if run == "gone":
        return f"its run of {flow} is gone: it was deleted, or died" if idle > GRACE else None
    if run == "over":
        return f"its run of {flow} is over, and decided nothing"
    if proposal.spec_digest != spec.digest:
        return f"the spec of {spec.model} has changed since it was proposed"
    if proposal.champion != known.champion:  # a promotion would be refused, after all the work
        return f"version {known.champion} became champion since it was proposed"
    until = time_is_up(known, ledger, proposal, touched)
    if until is None or now <= until:
        return None
    return (
        f"nothing came of it for {idle.days} days, longer than approval.timeout "
        f"({format_duration(spec.approval.timeout)}) allows; is {flow} paused?"
    )
