"""What briefs share: how they begin and end; where pages of the store are served."""

from __future__ import annotations

import hashlib
import re

from tasks.ledger.freezes import freeze_told
from tasks.ledger.records import Observation, Proposal
from tasks.ledger.status import Status
from tasks.quoting import as_text
from tasks.registry import registry
from tasks.spec.model import ModelSpec
from tasks.spec.part import format_duration

REPORTS = "/gatelatch/reports"  # where plugins/served/reports.py serves the store's `reports/`
MARGINS = "/gatelatch/margins"  # where plugins/served/margins.py serves the margin view
_LONGEST_FOLDER = 200  # characters of a proposal's name in a path


def slug(proposal: str) -> str:
    """Return a proposal's name as it may stand in a path, another one for each proposal."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "-", proposal)
    if plain == proposal and plain.strip(".") and len(plain) <= _LONGEST_FOLDER:
        return plain
    # Of `a:b` and `a-b`, neither may write over the pages of the other.
    return f"{plain[:_LONGEST_FOLDER]}-{hashlib.sha256(proposal.encode()).hexdigest()[:8]}"


def seen_windows(known: Status, proposal: Proposal) -> list[Observation]:
    """Return the observations of the windows up to the end of a proposal's rows."""
    return [o for o in known.observations if o.window_end <= proposal.trained_until]


def links(known: Status, proposal: Proposal, run_link: str) -> str:
    """Return the line of links that ends a brief."""
    parts = [f"Owner {as_text(known.spec.owner.name)}"]
    parts.append(f"proposed by {as_text(proposal.proposer)}, who cannot approve it")
    parts.append(f"[this run]({run_link})")
    parts.append(margins_link(known.spec.model))
    if proposal.champion is not None:
        address = registry.version_url(known.spec.model, proposal.champion)
        parts.append(f"[version {proposal.champion} in MLflow]({address})")
    windows = seen_windows(known, proposal)
    if windows:
        report = windows[-1].numbers.report or ""
        parts.append(f"[data report]({address_of(report)})")
    return " · ".join(parts)


def margins_link(model: str) -> str:
    """Return the link to where a model stands now, window by window."""
    return f"[all windows]({MARGINS}/{model})"


def if_refused(spec: ModelSpec, then: str) -> str:
    """Return what becomes of a question that is rejected, or that nobody answers in time."""
    timeout = format_duration(spec.approval.timeout)
    return f"**If you reject, or nobody answers within {timeout}:** {then}"


def if_frozen(known: Status) -> list[str]:
    """Return what a brief begins with while a freeze holds the model; nothing if none does."""
    if known.frozen is None:
        return []
    return [
        f"**{as_text(freeze_told(known.frozen))}.** An answer counts, and what it allows is done "
        "after the thaw. If nobody answers in time while the model is frozen, that is no refusal."
    ]


def address_of(report: str) -> str:
    """Return the address at which the Airflow UI serves a report of the store."""
    return f"{REPORTS}/{report.removeprefix('reports/')}"
