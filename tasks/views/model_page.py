"""The page of one model: what was measured against its limits, and what happened. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks.ledger.recorded import RecordedTimes
from tasks.ledger.records import Observation, Question
from tasks.ledger.status import Status
from tasks.notices.untold import who_is_told
from tasks.reports import timeline
from tasks.reports.as_read import how_many
from tasks.reports.plots import Plot, plots
from tasks.reports.strip import at_a_glance, runs_of, strip
from tasks.spec.model import ModelSpec
from tasks.views.addresses import brief, window_name
from tasks.views.attention import WORDS, attention
from tasks.views.chart_script import as_script
from tasks.views.chart_table import chart_table
from tasks.views.standing import Standing, late
from tasks.views.templating import fill_page

SHOWN_WINDOWS = 365  # of a page, unless a visitor asks for another number of WINDOW_CHOICES
WINDOW_CHOICES = (90, SHOWN_WINDOWS, 1000)  # with more neither browsers nor people can deal


@dataclass(frozen=True, kw_only=True)
class PagePeriod:
    """The windows of one page: where it begins and ends, and how many have which verdict."""

    since: datetime
    until: datetime
    counts: Counter[str]

    @property
    def told(self) -> str:
        """Return for people what there is to see; what is steady needs no word."""
        measured = sum(n for verdict, n in self.counts.items() if verdict != "missing")
        worth_a_word = ("drifting", "insufficient", "missing")
        parts = [f"{n:,} {verdict}" for verdict in worth_a_word if (n := self.counts[verdict])]
        return ", ".join([how_many(measured, "window"), *parts])


@dataclass(frozen=True, kw_only=True)
class Part:
    """The windows of a page: those that end at `until` or before, and how many lie around them.

    `most` is how many there may be, `periods` are the pages of all windows, the newest first.
    """

    seen: Sequence[Observation]
    earlier: int
    later: int
    most: int
    periods: Sequence[PagePeriod]

    @property
    def before(self) -> datetime | None:
        """Return the moment until which the page of the earlier windows reaches."""
        return self.seen[0].window_start if self.seen and self.earlier else None

    def shows(self, since: datetime, until: datetime) -> bool:
        """Return whether the page is about some of a time; its ends are open if none is beyond."""
        first, last = self.seen[0].window_start, self.seen[-1].window_end
        return (not self.earlier or until >= first) and (not self.later or since <= last)


def part_of(
    spec: ModelSpec,
    seen: Sequence[Observation],
    until: datetime | None,
    most: int = SHOWN_WINDOWS,
) -> Part:
    """Return the newest windows up to a moment of event time, `most` of them at the most."""
    found = [o for o in seen if until is None or o.window_end <= until]
    return Part(
        seen=found[-most:],
        earlier=max(len(found) - most, 0),
        later=len(seen) - len(found),
        most=most,
        periods=[
            _period(spec, seen[max(end - most - 1, 0) : end], end > most)
            for end in range(len(seen), 0, -most)
        ],
    )


def _period(spec: ModelSpec, seen: Sequence[Observation], one_before: bool) -> PagePeriod:
    """Return what a page has; the window before it shows how many are missing in between."""
    counts = Counter[str]()
    for run in runs_of(spec, seen):
        counts[run.verdict] += run.windows
    if one_before:
        counts[runs_of(spec, seen[:1])[0].verdict] -= 1
    return PagePeriod(since=seen[one_before].window_start, until=seen[-1].window_end, counts=counts)


def model_page(
    known: Status,
    standing: Standing,
    now: datetime,
    *,
    base: str,
    times: RecordedTimes,
    questions: Iterable[Question] = (),
    until: datetime | None = None,
    most: int = SHOWN_WINDOWS,
    mlflow: str | None = None,
    missed: Iterable[str] = (),
) -> str:
    """Return the page.

    Parameters
    ----------
    times
        When the windows were recorded.
    questions
        What was asked about the model: each question had a brief.
    until
        Where the newest shown window ends; None: all the way.
    most
        How many windows are shown at the most.
    mlflow
        The address of the champion in MLflow's UI.
    missed
        Sentences on what channels were not told.
    """
    part = part_of(known.spec, known.observations, until, most)
    happened = timeline.happenings(known)
    inside = [e for e in happened if not part.seen or part.shows(e.at, e.at)]
    drawn = plots(part.seen, times)
    groups = _groups(drawn)
    lanes = [
        ("verdict", timeline.verdicts_of(part.seen)),
        ("latch", _shown(part, timeline.latch_of(known.history))),
        ("champion", timeline.champions_of(part.seen)),
    ]
    if any(latch.state != "closed" for _, latch in known.calibration.steps):
        lanes.insert(2, ("calibration", _shown(part, timeline.latch_of(known.calibration))))
    if revised := timeline.revised_of(part.seen):
        lanes.append(("revised", revised))
    need = attention(standing, now)
    return fill_page(
        "model.html",
        base=base,
        spec=known.spec,
        standing=standing,
        attention=need,
        word=WORDS[need],
        late=late(standing, now),
        strip=strip(standing.runs, wide=True),
        glance=at_a_glance(standing.runs),
        part=part,
        choices=WINDOW_CHOICES,
        newest=part.seen[-1] if part.seen else None,
        times=times,
        events=inside[::-1],
        elsewhere=len(happened) - len(inside),
        groups=groups,
        tables={name: chart_table(name, of, part.seen) for name, of in groups.items()},
        script=as_script(part.seen, drawn, lanes, inside),
        given_up=known.given_up,
        mlflow=mlflow,
        told=who_is_told(known.spec),
        missed=missed,
        briefs={(q.proposal, q.step): brief(q.model, q.proposal, q.step) for q in questions},
        window_name=window_name,
        now=now,
    )


def _shown(part: Part, stretches: Iterable[timeline.Stretch]) -> list[timeline.Stretch]:
    return [one for one in stretches if part.seen and part.shows(one.since, one.until)]


def _groups(drawn: Sequence[Plot]) -> dict[str, list[Plot]]:
    """Return the charts under their headings, in the order in which those come first."""
    found: dict[str, list[Plot]] = {}
    for plot in drawn:
        found.setdefault(plot.group, []).append(plot)
    return found


def problem_page(title: str, problem: str, *, base: str) -> str:
    """Return the page that says why there is nothing to show, and the way out."""
    return fill_page("problem.html", base=base, title=title, problem=problem)
