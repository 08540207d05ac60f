"""Data faults in the rows to learn from, named to whoever allows to learn from them. Pure."""

from __future__ import annotations

from tasks.ledger.records import Proposal
from tasks.ledger.status import Status
from tasks.promotion.data_faults import DataFault, data_faults
from tasks.quoting import as_text

# What the rows are for, and what follows from a fault in them, by the kind of the proposal.
_OF_RETRAIN = "to learn from", "A model that learns them learns the fault."
_OTHERS = {
    "recalibrate": (
        "to learn probabilities from",
        "Decisions stay as they are; probabilities that learn them learn the fault.",
    ),
    "adopt": (
        "to calibrate and judge on",
        "Nothing is fit to them, but probabilities, limits and gates follow the fault.",
    ),
}


def broken_rows(known: Status, proposal: Proposal) -> list[str]:
    """Return a warning on each fault that the champion's windows show in a proposal's rows."""
    purpose, follows = _OTHERS.get(proposal.kind, _OF_RETRAIN)
    return [_told(fault, purpose, follows) for fault in data_faults(known, proposal)]


def _told(fault: DataFault, purpose: str, follows: str) -> str:
    judged = "The newest rows hold it too, so that no gate can show it. " if fault.judged else ""
    return (
        f"**The rows {purpose} hold a data fault, {fault.name}:** "
        f"{as_text(fault.newest.finding)}, {fault.where}. {follows} {judged}"
        f"*Rather reject, {as_text(fault.newest.advice)}; an expectation on the "
        "column keeps such rows out.*"
    )
