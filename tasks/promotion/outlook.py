"""What to expect of a retrain, said before anybody is asked: what a quick fit gains. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tasks.ledger.records import Observation

_NOISE = "persistent_label_noise"
_REPAIRS = ("broken_scaling", "margin_collapse", "constant_came_alive")
_WHOLE = 0.02  # an interval as wide as this is told in whole points

OutlookAnswer = Literal["gain", "undecided", "none"]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a quick fit gains over the champion on the same held-out rows.

    `champion` and `fitted` are the shares of right decisions, `low` and `high` the ends of the
    interval of their difference. `since` is the time of the oldest row that fit.
    """

    measure: str
    champion: float
    fitted: float
    low: float
    high: float
    rows: int
    held_out: int
    since: datetime

    @property
    def answer(self) -> OutlookAnswer:
        """Return what the interval says: shown to gain, shown not to, or neither."""
        if self.low > 0:
            return "gain"
        return "none" if self.high <= 0 else "undecided"


@dataclass(frozen=True)
class Outlook:
    """What is to be expected of a retrain, or the `problem` for which that is not known.

    `diagnosis` names what was found that a retrain does not mend, None if nothing was.
    """

    estimate: Estimate | None
    diagnosis: str | None = None
    problem: str | None = None

    @property
    def sentence(self) -> str:
        """Return for people what to expect; without a full stop."""
        found = self.estimate
        if found is None:
            return f"not known: {self.problem}"
        range_, by = _points(found.low, found.high), f"points of {found.measure}"
        rows = (
            f"(fit on {found.rows:,} rows since {found.since:%Y-%m-%d}, {found.held_out:,} held "
            f"out; {found.champion:.3f} → {found.fitted:.3f})"
        )
        said = {
            "gain": f"a retrain is expected to regain {range_} {by} {rows}",
            "undecided": f"between {range_.replace(' to ', ' and ')} {by}: it may not help {rows}",
            "none": f"none: a quick fit is no better, {range_} {by} {rows}",
        }[found.answer]
        if self.diagnosis in _REPAIRS:
            name = self.diagnosis.replace("_", " ")
            return f"repair first ({name}): a retrain would learn what is broken. Else {said}"
        if self.diagnosis == _NOISE:
            if found.answer == "gain":
                return f"{said}: what the labels contradict can be learnt, and is more than noise"
            return (
                "none: labels contradict confident decisions, look at how they are made; a quick "
                f"fit gains {range_} {by} {rows}"
            )
        return said


def _points(low: float, high: float) -> str:
    """Return an interval of shares in points, with as many digits as its width bears."""
    digits = 0 if round(high - low, 3) >= _WHOLE else 1
    # Adding 0 makes no 0 negative.
    ends = (f"{round(100 * end, digits) + 0.0:.{digits}f}".replace("-", "−") for end in (low, high))
    return " to ".join(ends)


def diagnosis(windows: Iterable[Observation]) -> str | None:
    """Return what the newest measured window shows that a retrain does not mend, by name."""
    measured = [o for o in windows if o.numbers.statistics]
    there = {d.name for d in measured[-1].numbers.diagnoses or ()} if measured else set()
    return next((name for name in (*_REPAIRS, _NOISE) if name in there), None)
