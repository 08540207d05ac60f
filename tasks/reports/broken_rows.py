"""Data faults in the rows that a candidate learns from: named to whoever allows it to learn. Pure.

Gates judge on the newest rows. Where these are broken as those of the fit are, a model that learnt
the fault is better on them, and no gate can tell.
"""

from __future__ import annotations

from collections.abc import Sequence

from tasks.drift.diagnosis import Diagnosis
from tasks.ledger.records import Observation, Proposal
from tasks.ledger.status import Status
from tasks.reports.markdown import as_text

FAULTS = ("broken_scaling", "margin_collapse")  # findings that speak of how rows are made


def broken_rows(known: Status, proposal: Proposal) -> list[str]:
    """Return a warning on each fault that the champion's windows show in a proposal's rows."""
    if proposal.champion is None or proposal.kind != "retrain":
        return []
    windows = [
        o
        for o in known.observations
        if o.version == proposal.champion
        and proposal.trained_from < o.window_end <= proposal.trained_until
    ]
    found: dict[tuple[str, str], list[tuple[Observation, Diagnosis]]] = {}
    for seen in windows:
        for one in seen.numbers.diagnoses or ():
            if one.name in FAULTS:
                found.setdefault((one.name, _about(one)), []).append((seen, one))
    return [_told(faulty, windows) for faulty in found.values()]


def _about(one: Diagnosis) -> str:
    """Return the feature that varies otherwise, or `the margins`."""
    return one.finding.partition(" varies ")[0].partition(" vary ")[0]


def _told(faulty: Sequence[tuple[Observation, Diagnosis]], windows: Sequence[Observation]) -> str:
    newest, last = faulty[-1]
    judged = (
        "The newest rows hold it too, so that no gate can show it. "
        if newest is windows[-1]
        else ""
    )
    count = f"{len(faulty)} of {len(windows)} windows"
    return (
        f"**The rows to learn from hold a data fault, {last.name.replace('_', ' ')}:** "
        f"{as_text(last.finding)}, in {count} of these rows, first in that of "
        f"{faulty[0][0].window_start:%Y-%m-%d %H:%M}. A model that learns them learns the fault. "
        f"{judged}*Rather reject, {as_text(last.advice)}; an expectation on the column keeps such "
        "rows out.*"
    )
