"""Data faults in the rows that a candidate learns from, as the champion's windows show them. Pure.

Gates judge on the newest rows. Where these are broken as those of the fit are, a model that learnt
the fault is better on them, and no gate can tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tasks.drift.diagnosis import Diagnosis
from tasks.ledger.records import Observation, Proposal
from tasks.ledger.status import Status

FAULTS = ("broken_scaling", "margin_collapse")  # findings that speak of how rows are made


@dataclass(frozen=True, kw_only=True)
class DataFault:
    """A fault in `faulty` of the `windows` of a proposal's rows; `newest` is what was last found.

    `judged` is whether the newest window holds it, too.
    """

    newest: Diagnosis
    faulty: int
    windows: int
    since: datetime
    judged: bool

    @property
    def name(self) -> str:
        return self.newest.name.replace("_", " ")

    @property
    def where(self) -> str:
        """Return in which of the rows it was found."""
        return (
            f"in {self.faulty} of {self.windows} windows of these rows, first in that of "
            f"{self.since:%Y-%m-%d %H:%M}"
        )


def data_faults(known: Status, proposal: Proposal) -> list[DataFault]:
    """Return each fault that the champion's windows show in the rows of a proposal."""
    if proposal.champion is None:
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
    return [
        DataFault(
            newest=faulty[-1][1],
            faulty=len(faulty),
            windows=len(windows),
            since=faulty[0][0].window_start,
            judged=faulty[-1][0] is windows[-1],
        )
        for faulty in found.values()
    ]


def _about(one: Diagnosis) -> str:
    """Return the feature that varies otherwise, or `the margins`."""
    return one.finding.partition(" varies ")[0].partition(" vary ")[0]
