"""From which rows a candidate learns: the spans that are tried, and the one that is taken.

After an abrupt change old rows mislead, after an outage new ones do, a slow change wants both, and
nobody knows which it was. So a candidate is fit on each span, and the rows that calibrate choose:
they come after all rows that fit, from after the change as far as there are any, and judge nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from tasks.arrays import Ints
from tasks.classifier import scoring, training
from tasks.classifier.cut import Cut, cut_rows
from tasks.classifier.margins import hinge, margin
from tasks.classifier.training_rows import TrainingRows
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window, stamp

ALL, RECENT, CHANGE, BREACH = "all rows", "the newer half", "since the change", "since the breach"
SECOND = 5  # rows of a second class in what calibrates, and in what judges
_LEAST = 0.02  # of the rows to fit by which spans must differ to be tried apart


@dataclass(frozen=True)
class Span:
    """Rows to fit, by the name that people read and the place of the first of them."""

    name: str
    first: int


@dataclass(frozen=True)
class Tried:
    """What came of fitting on a span: its rows, and the mean hinge loss on those that choose.

    `loss` is None, and `problem` says why, where nothing could be fit.
    """

    name: str
    rows: int
    loss: float | None
    problem: str | None = None


def cut_of(spec: ModelSpec, times: Ints, label: Ints, changes: Sequence[datetime]) -> Cut:
    """Return which rows fit at most, calibrate and judge.

    What calibrates and judges reaches further back than its share, also to before the change, where
    it would else hold less than two classes: of one class nothing can be learnt.

    Parameters
    ----------
    times
        Of all labelled rows, oldest first, microseconds since 1970, shape (n,).
    changes
        As `remembered.changes` returns them; empty: nothing is known to have changed.

    Raises
    ------
    TrainingError
        If a part would be empty.
    """
    since = int(np.searchsorted(times, stamp(changes[0]))) if changes else 0
    share = {"calibrate": spec.calibration.share, "judge": spec.training.judge}
    cut = cut_rows(len(times), **share, since=since)
    last = _back(label[: cut.judge.stop], cut.judge.start)
    middle = _back(label[:last], last - (cut.judge.start - cut.calibrate.start))
    if not 0 < middle < last:
        return cut
    rows = slice(0, middle), slice(middle, last), slice(last, len(times))
    return Cut(*rows, min(cut.since, middle))


def _back(label: Ints, start: int) -> int:
    """Return from where on the newest rows hold a second class, `start` at the latest."""
    places = [np.flatnonzero(label == name)[-SECOND:] for name in np.unique(label)]
    enough = sorted(int(found[0]) for found in places if len(found) == SECOND)
    return min(start, enough[-2]) if len(enough) > 1 else start


def spans_of(times: Ints, cut: Cut, window: Window, changes: Sequence[datetime]) -> list[Span]:
    """Return the spans to try, the longest first, three at most.

    Of one change: all rows, the newer half of the training window, those since the breach. If the
    level was lost before and not regained, those since then take the place of the half.
    """
    middle = window.start + (window.end - window.start) / 2
    asked = [(ALL, window.start)]
    asked += [(RECENT, middle)] if len(changes) < 2 else [(CHANGE, changes[0])]
    asked += [(BREACH, changes[-1])] if changes else []
    found: list[Span] = []
    last = cut.fit.stop
    for name, since in sorted(asked, key=lambda one: max(one[1], window.start)):
        first = 0 if name == ALL else int(np.searchsorted(times[:last], stamp(since)))
        if first < last and (not found or first - found[-1].first > _LEAST * last):
            found.append(Span(name, first))
    return found


def of(cut: Cut, span: Span) -> Cut:
    """Return the slices of a candidate that learns from a span."""
    return replace(cut, fit=slice(span.first, cut.fit.stop))


def best_span(tried: Sequence[Tried]) -> int:
    """Return the place of the best: the least loss, and of equals the longest span."""
    known = [(t.loss, place) for place, t in enumerate(tried) if t.loss is not None]
    return min(known)[1]


@dataclass(frozen=True, kw_only=True)
class Learning:
    """From which rows a candidate learnt: what each span came to, and the slices of the best.

    `taken` is its place among those tried; `fit`, `calibrate` and `judge` are the first rows of its
    slices, `since` as `Cut` has it.
    """

    tried: tuple[Tried, ...]
    taken: int
    fit: int
    calibrate: int
    judge: int
    since: int

    def cut(self, rows: int) -> Cut:
        """Return its slices of this number of rows."""
        return Cut(
            slice(self.fit, self.calibrate),
            slice(self.calibrate, self.judge),
            slice(self.judge, rows),
            self.since,
        )

    @property
    def told(self) -> list[str]:
        """Return a line for people on each span that was tried: its rows, and how it did."""
        lines = []
        for place, one in enumerate(self.tried):
            did = one.problem if one.loss is None else f"hinge loss {one.loss:.3f}"
            mark = ", taken" if place == self.taken and len(self.tried) > 1 else ""
            lines.append(f"{one.name}, {one.rows:,} rows: {did}{mark}")
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return it as the run and the ledger keep it."""
        return asdict(self) | {"tried": [asdict(one) for one in self.tried]}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Learning:
        """Return what `to_json` gave."""
        tried = tuple(Tried(**one) for one in kept["tried"])
        places = ("taken", "fit", "calibrate", "judge", "since")
        return cls(tried=tried, **{name: kept[name] for name in places})


def unfitted(cut: Cut) -> Learning:
    """Return the slices of a candidate that was fit elsewhere: nobody here knows on what."""
    return Learning(tried=(), taken=0, fit=0, calibrate=0, judge=cut.judge.start, since=0)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """The best of what was fit: the pipeline, its slices, and what it learnt from."""

    pipeline: Any
    cut: Cut
    learning: Learning


def fit_spans(
    spec: ModelSpec, rows: TrainingRows, window: Window, changes: Sequence[datetime]
) -> Fit:
    """Fit on each span, and return the best of them.

    Raises
    ------
    TrainingError
        If none can be fit: why the longest cannot.
    """
    frame, label, times = rows.frame, rows.label, rows.facts.time
    cut = cut_of(spec, times, label, changes)
    training.need_enough_to_calibrate(spec, label[cut.calibrate])
    spans = spans_of(times, cut, window, changes)
    found: dict[int, Any] = {}
    tried = []
    for place, span in enumerate(spans):
        mine = of(cut, span).fit
        loss, problem = None, None
        try:
            found[place] = training.fit(spec, frame[mine], label[mine])
        except training.TrainingError as error:
            problem = str(error)
        else:
            decision = scoring.decision_values(found[place], frame[cut.calibrate])
            loss = float(hinge(margin(decision, label[cut.calibrate])).mean())
        tried.append(Tried(span.name, mine.stop - mine.start, loss, problem))
    if not found:
        raise training.TrainingError(tried[0].problem)
    best = best_span(tried)
    taken = of(cut, spans[best])
    learning = Learning(
        tried=tuple(tried),
        taken=best,
        fit=taken.fit.start,
        calibrate=taken.calibrate.start,
        judge=taken.judge.start,
        since=taken.since,
    )
    return Fit(pipeline=found[best], cut=taken, learning=learning)
