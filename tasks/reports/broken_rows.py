"""Data faults in the rows to learn from, named to whoever allows to learn from them. Pure."""

from __future__ import annotations

from tasks.ledger.records import Proposal
from tasks.ledger.status import Status
from tasks.promotion.data_faults import DataFault, data_faults
from tasks.reports.markdown import as_text


def broken_rows(known: Status, proposal: Proposal) -> list[str]:
    """Return a warning on each fault that the champion's windows show in a proposal's rows."""
    return [_told(fault) for fault in data_faults(known, proposal)]


def _told(fault: DataFault) -> str:
    judged = "The newest rows hold it too, so that no gate can show it. " if fault.judged else ""
    return (
        f"**The rows to learn from hold a data fault, {fault.name}:** "
        f"{as_text(fault.newest.finding)}, {fault.where}. A model that learns them learns the "
        f"fault. {judged}*Rather reject, {as_text(fault.newest.advice)}; an expectation on the "
        "column keeps such rows out.*"
    )
