"""What a person reads who decides on a rollback: a version beside the one before it."""

from __future__ import annotations

from collections.abc import Iterable

from tasks.ledger.records import Observation, Proposal
from tasks.ledger.status import Status
from tasks.promotion.canary import served
from tasks.promotion.paired import pairs
from tasks.quoting import as_text
from tasks.reports.brief_links import if_frozen, if_refused, links
from tasks.reports.markdown import versions_table

_SHOWN = 12  # windows of an earlier champion that was only measured beside


def ask_for_rollback(
    known: Status,
    proposal: Proposal,
    new: Iterable[Observation],
    old: Iterable[Observation],
    run_link: str,
) -> tuple[str, str]:
    """Return subject and body of the request to roll back."""
    spec = known.spec
    subject = f"{spec.model}: roll back version {proposal.champion} to {proposal.target}?"
    both = [
        pair
        for pair in pairs(new, old, known.promotions[-1].effective_from)
        if pair.window.end <= proposal.trained_until
    ]
    serves = any(served(pair, proposal.target) for pair in both)
    shown = [p for p in both if p.window.start >= proposal.trained_from] if serves else both
    again = "if it is still worse" if serves else f"if version {proposal.target} is better then"
    since = known.effective_from(known.promotions[-1].effective_from)
    parts = [
        *if_frozen(known),
        *(_served(spec.model, proposal) if serves else _returned(known, proposal)),
        versions_table(shown if serves else shown[-_SHOWN:]),
        f"**If you approve:** version {proposal.target} is champion for windows from "
        f"{since:%Y-%m-%d %H:%M} UTC on, with its own reference, and the latch rests for "
        f"{spec.latch.rest_told}. Let production score with it{' alone' if serves else ''}.",
        if_refused(
            spec,
            f"version {proposal.champion} stays, and you are asked again after "
            f"{spec.latch.rest_told} {again}.",
        ),
        links(known, proposal, run_link),
    ]
    return subject, "\n\n".join(parts)


def _served(model: str, proposal: Proposal) -> list[str]:
    return [
        f"**Version {proposal.champion} of `{model}` is worse than version {proposal.target}**, "
        f"which still serves some rows: {as_text(proposal.reason)}.",
        f"Each version on the rows that it scored, version {proposal.target} → "
        f"{proposal.champion}:",
    ]


def _returned(known: Status, proposal: Proposal) -> list[str]:
    """Return the sentences on an earlier champion that serves no row and is better again."""
    reigns = [p.effective_from for p in known.promotions if p.version == proposal.target]
    reigned = f", champion from {reigns[-1]:%Y-%m-%d} on," if reigns else ""
    return [
        f"**Version {proposal.target} of `{known.spec.model}`{reigned} is better again than "
        f"version {proposal.champion}**. What version {proposal.champion} was trained for seems to "
        f"be over: {as_text(proposal.reason)}.",
        f"Version {proposal.target} serves no row: it was measured beside version "
        f"{proposal.champion}, both on the same rows. Version {proposal.target} → "
        f"{proposal.champion}:",
    ]
