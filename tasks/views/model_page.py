"""The page of one model: what was measured against its limits, and what happened. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks.ledger.recorded import RecordedTimes
from tasks.ledger.records import Observation, Question
from tasks.ledger.status import Status
from tasks.notices.untold import who_is_told
from tasks.reports import timeline
from tasks.reports.plots import Plot, plots
from tasks.reports.strip import strip
from tasks.views.addresses import brief, window_name
from tasks.views.attention import WORDS, attention
from tasks.views.chart_script import as_script
from tasks.views.chart_table import chart_table
from tasks.views.standing import Standing, late
from tasks.views.templating import fill_page

SHOWN_WINDOWS = 1000  # of a page: more make a page that browsers and people cannot handle


@dataclass(frozen=True, kw_only=True)
class Part:
    """The windows of a page: those that end at `until` or before, and how many lie around them."""

    seen: Sequence[Observation]
    earlier: int
    later: int

    @property
    def before(self) -> datetime | None:
        """Return the moment until which the page of the earlier windows reaches."""
        return self.seen[0].window_start if self.seen and self.earlier else None


def part_of(seen: Sequence[Observation], until: datetime | None) -> Part:
    """Return the newest windows up to a moment of event time."""
    found = [o for o in seen if until is None or o.window_end <= until]
    return Part(
        seen=found[-SHOWN_WINDOWS:],
        earlier=max(len(found) - SHOWN_WINDOWS, 0),
        later=len(seen) - len(found),
    )


def model_page(
    known: Status,
    standing: Standing,
    now: datetime,
    *,
    base: str,
    times: RecordedTimes,
    questions: Iterable[Question] = (),
    until: datetime | None = None,
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
    mlflow
        The address of the champion in MLflow's UI.
    missed
        Sentences on what channels were not told.
    """
    part = part_of(known.observations, until)
    shown = [o.window_start for o in part.seen]
    happened = timeline.happenings(known)
    first, last = (shown[0], part.seen[-1].window_end) if shown else (None, None)
    inside = [
        e for e in happened if first is not None and last is not None and first <= e.at <= last
    ]
    drawn = plots(part.seen, times)
    groups = _groups(drawn)
    lanes = [
        ("verdict", timeline.verdicts_of(part.seen)),
        ("latch", timeline.latch_of(known.history)),
        ("champion", timeline.champions_of(part.seen)),
    ]
    if any(latch.state != "closed" for _, latch in known.calibration.steps):
        lanes.insert(2, ("calibration", timeline.latch_of(known.calibration)))
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
        part=part,
        newest=part.seen[-1] if part.seen else None,
        times=times,
        events=happened[::-1],
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


def _groups(drawn: Sequence[Plot]) -> dict[str, list[Plot]]:
    """Return the charts under their headings, in the order in which those come first."""
    found: dict[str, list[Plot]] = {}
    for plot in drawn:
        found.setdefault(plot.group, []).append(plot)
    return found


def problem_page(title: str, problem: str, *, base: str) -> str:
    """Return the page that says why there is nothing to show, and the way out."""
    return fill_page("problem.html", base=base, title=title, problem=problem)
