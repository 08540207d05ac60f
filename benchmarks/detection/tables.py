"""The results as tables, for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Literal

from rich.table import Table

from benchmarks.detection.budget import BUDGET, Rate, Stationary
from benchmarks.detection.delays import CONTROL, SHIFTED, Delays, Trial
from benchmarks.detection.retrains import Outcome
from benchmarks.detection.streams import SHIFTS


@dataclass(frozen=True)
class Sheet:
    """A table's title, header and cells."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def _right(self) -> list[bool]:
        """Return which columns hold figures; the first one holds names."""
        columns = list(zip(*self.rows, strict=True))
        return [
            i > 0 and any(c.lstrip("+-")[:1].isdigit() for c in column)
            for i, column in enumerate(columns)
        ]

    def rich(self) -> Table:
        table = Table(title=self.title, title_justify="left")
        for index, name in enumerate(self.header):
            justify: Literal["left", "right"] = "right" if self._right[index] else "left"
            table.add_column(name, justify=justify, no_wrap=not index)
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        line = " | ".join("---:" if right else "---" for right in self._right)
        body = [self.header, *self.rows]
        first, *others = (f"| {' | '.join(row)} |" for row in body)
        return "\n".join([f"**{self.title}**", "", first, f"| {line} |", *others])


def false_alarms(found: Sequence[Stationary]) -> Sheet:
    """Return openings a year, by stream and policy."""
    policies = list(dict.fromkeys((row.policy, row.labelled) for row in found))
    header = [f"{policy}{'' if labelled else ', no labels'}" for policy, labelled in policies]
    cells: dict[str, dict[tuple[str, bool], str]] = {}
    for row in found:
        cells.setdefault(row.stream, {})[row.policy, row.labelled] = _rate(row.rate)
    years = {row.stream: f"{row.rate.years:.0f}" for row in found}
    return Sheet(
        f"Openings of the latch a year; the budget is {BUDGET:g}",
        ("windows of", "years", *header),
        tuple((s, years[s], *(cells[s][p] for p in policies)) for s in cells),
    )


def _rate(rate: Rate) -> str:
    low, high = rate.interval
    above = " **above**" if low > BUDGET else ""
    return f"{rate.a_year:.2f} [{low:.2f}, {high:.2f}]{above}"


def shifts(trials: Sequence[Trial]) -> Sheet:
    """Return what the shifts are and what they do to the model."""
    before = fmean(trial.accuracy[""] for trial in trials)
    return Sheet(
        f"The shifts; accuracy before them is {before:.3f}",
        ("shift", "what", "accuracy then"),
        tuple(
            (s.name, s.what, f"{fmean(trial.accuracy[s.name] for trial in trials):.3f}")
            for s in SHIFTS
        ),
    )


def delays(found: Sequence[Delays]) -> Sheet:
    """Return the median delay of each detector for each shift, and its false alarms."""
    names = list(dict.fromkeys(one.detector for one in found))
    rows = []
    for name in names:
        mine = [one for one in found if one.detector == name]
        cells = [_delay([one.delay[s.name] for one in mine]) for s in SHIFTS]
        false = fmean(one.false_alarms for one in mine)
        rows.append((name, str(len(mine)), *cells, f"{false:.2f}"))
    return Sheet(
        f"Median windows until the alarm (share of trials without one in {SHIFTED}; —: no median)",
        ("detector", "trials", *(s.name for s in SHIFTS), f"false alarms in {CONTROL}"),
        tuple(rows),
    )


def _delay(found: list[int | None]) -> str:
    missed = sum(one is None for one in found) / len(found)
    middle = median(SHIFTED + 1 if one is None else one for one in found)
    said = "—" if middle > SHIFTED else f"{middle:g}"
    return f"{said} ({missed:.0%})" if 0 < missed < 1 else said


def retrains(found: Sequence[Outcome], title: str) -> Sheet:
    """Return what each policy brought on one scenario."""
    rows = []
    for one in found:
        each = one.gain_per_retrain
        rows.append(
            (
                one.policy,
                f"{one.accuracy:.4f}",
                _retrains(one),
                f"{one.gain:+.2f}",
                "" if each is None else f"{each:+.2f}",
                f"{one.labels:.0%}",
            )
        )
    header = ("policy", "accuracy", "retrains", "gain, points", "gain per retrain", "labels read")
    return Sheet(title, header, tuple(rows))


def controls(found: Sequence[Outcome], titles: dict[str, str]) -> Sheet:
    """Return the retrains where none was needed, and what they brought."""
    names = list(dict.fromkeys(one.policy for one in found))
    by = {(one.scenario, one.policy): one for one in found}
    rows = []
    for name in names:
        cells: list[str] = []
        for scenario in titles:
            one = by[scenario, name]
            cells += [_retrains(one), f"{one.gain:+.2f}"]
        rows.append((name, *cells))
    header = [part for t in titles.values() for part in (f"{t}: retrains", "gain, points")]
    return Sheet("Controls: every retrain is a false alarm", ("policy", *header), tuple(rows))


def _retrains(one: Outcome) -> str:
    return f"{one.retrains} (+ {one.refused} refused)" if one.refused else f"{one.retrains}"
