"""What a person reads who decides on a rollback: a version beside the one before it."""

from __future__ import annotations

from collections.abc import Iterable

from tasks.brief import links
from tasks.brief import publish as publish
from tasks.comparison import pairs
from tasks.markdown import as_text, beside
from tasks.records import Observation, Proposal
from tasks.spec import format_duration
from tasks.status import Status


def rollback(
    known: Status,
    proposal: Proposal,
    new: Iterable[Observation],
    old: Iterable[Observation],
    run_link: str,
) -> tuple[str, str]:
    """Return subject and body of the request to roll back."""
    spec = known.spec
    subject = f"{spec.model}: roll back version {proposal.champion} to {proposal.target}?"
    shown = [
        pair
        for pair in pairs(new, old, proposal.trained_from)
        if pair.window.end <= proposal.trained_until
    ]
    since = known.effective_from(known.promotions[-1].effective_from)
    if spec.source.version_column:
        who, whose = "which still serves a share", "Each version on the rows that it scored"
    else:
        who, whose = "an earlier champion", "Both versions on all rows"
    parts = [
        f"**Version {proposal.champion} of `{spec.model}` is worse than version "
        f"{proposal.target}**, {who}: {as_text(proposal.reason)}.",
        f"{whose}, version {proposal.target} → {proposal.champion}:",
        beside(shown),
        f"**If you approve:** version {proposal.target} is champion for windows from "
        f"{since:%Y-%m-%d %H:%M} UTC on, with its own reference, and the latch rests for "
        f"{spec.latch.rest_told}. Let production score with it alone.",
        f"**If you reject, or nobody answers within {format_duration(spec.approval.timeout)}:** "
        f"version {proposal.champion} stays, and you are asked again after "
        f"{spec.latch.rest_told} if it is still worse.",
        links(known, proposal, run_link),
    ]
    return subject, "\n\n".join(parts)
