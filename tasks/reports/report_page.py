"""The report on a period as one page, for a review or after an incident. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from tasks.audit.findings import Findings
from tasks.audit.stamps import stamped
from tasks.bounds import shifted
from tasks.errors import GatelatchError
from tasks.ledger.budget import Budget, budgets_between
from tasks.ledger.chain import Trail
from tasks.ledger.figures import WindowFigures
from tasks.ledger.recorded import RecordedTimes
from tasks.ledger.records import Observation
from tasks.ledger.status import Status
from tasks.reports.gate_page import plain_figure
from tasks.reports.lane import lane
from tasks.reports.line_chart import line_chart
from tasks.reports.page import render
from tasks.reports.plots import Line, Plot, plots
from tasks.reports.report_cases import Case, cases_of
from tasks.reports.report_period import Period
from tasks.reports.report_summary import summary_of
from tasks.reports.report_timeline import entries_of, marks_of
from tasks.reports.report_versions import Card, ShownVersion, as_html, versions_of
from tasks.reports.statistic_rows import leading
from tasks.reports.timeline import latch_of, revised_of, verdicts_of
from tasks.reports.unseen_windows import blanks
from tasks.spec.windows import run_time, window_at

# Of the charts of a model those that a review reads; the margin view has all.
_CHARTS = ("pressure", "hinge_loss", "accuracy", "violation_rate", "calibration_pressure")
_COUNTS = ("accepted", "quarantined", "labelled", "lag")


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What became of the verification of a ledger: what was found, or why nothing could be."""

    found: Findings | None = None
    problem: str = ""

    @property
    def fault(self) -> str | None:
        """Return why the ledger is not said to stand; None if it is."""
        return self.problem or (self.found and self.found.fault) or None


@dataclass(frozen=True, kw_only=True)
class Covered:
    """What a ledger has of a period: its windows, proposals and versions."""

    known: Status
    trail: Trail
    period: Period
    seen: Sequence[Observation]
    cases: Sequence[Case]
    versions: Sequence[ShownVersion]


@dataclass(frozen=True, kw_only=True)
class WindowRow:
    """A window as a row of the report's table; `lag` is from its end until it was first recorded.

    `leads` is the statistic that is farthest beyond its limit, of a window that drifts.
    """

    seen: Observation
    numbers: WindowFigures
    leads: str
    lag: timedelta | None
    budget: Budget | None
    latch: str


def covered(known: Status, trail: Trail, period: Period) -> Covered:
    """Return what falls into a period."""
    seen = [o for o in known.observations if period.touches(o)]
    cases = cases_of(known, trail, period)
    return Covered(
        known=known,
        trail=trail,
        period=period,
        seen=seen,
        cases=cases,
        versions=versions_of(known, seen, cases),
    )


def review_html(
    about: Covered, verified: Verified, cards: Mapping[int, Card], now: datetime
) -> str:
    """Return the page: it loads nothing from anywhere, and holds no row.

    Parameters
    ----------
    cards
        The model card of each version, or why there is none.
    now
        The wall clock, at which the ledger was verified.
    """
    known, seen = about.known, about.seen
    words = stamped(about.trail, "observations", Observation)
    times = RecordedTimes.of_words((seen, stamp.recorded_at) for seen, stamp in words)
    try:
        budgets, problem = _budgets(known, seen), ""
    except GatelatchError as error:  # such as a reference of an older release
        budgets, problem = [], f"The error budget is not known: {error}."
    found = blanks(known.spec, seen, times, _expected(about, now))
    drawn = [*plots(seen, times), *_budget_plot(budgets)] if seen else []
    marks = marks_of(known, about.period)
    return render(
        "report.html",
        spec=known.spec,
        about=about,
        verified=verified,
        summary=[
            *summary_of(known, seen, about.cases, found, budgets[-1] if budgets else None),
            *([problem] if problem else []),
        ],
        lanes=_lanes(known, seen),
        charts=[
            (plot, line_chart(plot, seen, marks))
            for name in (*_CHARTS, "budget", *_COUNTS)
            for plot in drawn
            if plot.name == name
        ],
        entries=entries_of(known, about.trail, about.period, about.cases),
        blanks=found,
        rows=_rows(known, seen, times, budgets),
        cards={v: as_html(c.markdown) for v, c in cards.items() if c.markdown is not None},
        missing={v: c.missing for v, c in cards.items() if c.markdown is None},
        head=about.trail.links[-1] if about.trail.links else None,
        plain=plain_figure,
        now=now,
    )


def _lanes(known: Status, seen: Sequence[Observation]) -> list[tuple[str, Markup]]:
    """Return verdict, latches and revisions as strips of one axis; none without a window."""
    if not seen:
        return []
    told = [("verdict", verdicts_of(seen)), ("latch", latch_of(known.history))]
    if any(latch.state != "closed" for _, latch in known.calibration.steps):
        told.append(("calibration", latch_of(known.calibration)))
    if revised := revised_of(seen):
        told.append(("revised", revised))
    first, last = seen[0].window_start, seen[-1].window_end
    return [(name, lane(name, stretches, first, last)) for name, stretches in told]


def _budgets(known: Status, seen: Sequence[Observation]) -> list[Budget]:
    if not seen:
        return []
    first = known.observations.index(seen[0])
    return budgets_between(known, first, first + len(seen) - 1)


def _budget_plot(budgets: Sequence[Budget]) -> list[Plot]:
    spent = [b.now.whole if b.now and b.now.judged else None for b in budgets]
    if all(share is None for share in spent):
        return []
    return [
        Plot(
            name="budget",
            title="error budget: the share that is spent",
            group="Error budget",
            unit="",
            lines=[
                Line(label="spent", style="value", values=spent),
                Line(label="all of it", style="limit", values=[1.0] * len(spent)),
            ],
        )
    ]


def _expected(about: Covered, now: datetime) -> tuple[datetime, datetime] | None:
    """Return from when until when windows should have been measured; None if nobody knows.

    A period that is open ends with its newest window: what is due since then is no matter of it.
    """
    promotions, period, grid = about.known.promotions, about.period, about.known.spec.window
    if not promotions:
        return None
    begin = max(promotions[0].effective_from, period.since or promotions[0].effective_from)
    starts = [window_at(grid, begin).start, *(o.window_start for o in about.seen[:1])]
    ends = [min(starts), *(o.window_end for o in about.seen[-1:])]
    if period.until is not None:
        due = min(period.until, shifted(now, -grid.grace - run_time(grid)), grid.end or now)
        ends.append(window_at(grid, due).start)
    return min(starts), max(ends)


def _rows(
    known: Status, seen: Sequence[Observation], times: RecordedTimes, budgets: Sequence[Budget]
) -> list[WindowRow]:
    shown: Sequence[Budget | None] = budgets or [None] * len(seen)
    latches = {reading.window: latch.state for reading, latch in known.history.steps}
    return [
        WindowRow(
            seen=one,
            numbers=one.numbers,
            leads=leading(one) if one.verdict == "drifting" else "",
            lag=times.lag(one),
            budget=budget,
            latch=latches[one.window],
        )
        for one, budget in zip(seen, shown, strict=True)
    ]
