"""The charts of one model: which lines each has, by window in event time. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import isfinite
from typing import Literal, TypeAlias

from tasks.drift.catalogue import unit, words
from tasks.ledger.figures import WindowFigures
from tasks.ledger.recorded import RecordedTimes
from tasks.ledger.records import Observation

_SHOWN_REASONS = 6

Style: TypeAlias = Literal["value", "limit", "other"]
_DIGITS = 4  # that a chart can show
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a chart: a value for each window, None where there is none."""

    label: str
    style: Style
    values: list[float | None]


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One chart; `unit` stands behind its values, `group` is the heading that it is under."""

    name: str
    title: str
    group: str
    unit: str
    lines: list[Line]


def plots(seen: Sequence[Observation], times: RecordedTimes | None = None) -> list[Plot]:
    """Return the charts of a model's windows: those that have a value at all.

    What nothing can be said of has no value, so that a line breaks there. Without `times` there is
    no chart of how late windows and labels came.
    """
    numbers = [o.numbers for o in seen]
    found = [
        _pressure(seen),
        *_losses(numbers),
        *_statistics(numbers),
        *_classes(numbers),
        *_calibration(numbers),
        *_rows(numbers),
        *([] if times is None else [_lags(seen, times)]),
    ]
    return [p for p in found if any(v is not None for line in p.lines for v in line.values)]


def _pressure(seen: Sequence[Observation]) -> Plot:
    values = [o.pressure for o in seen]
    return Plot(
        name="pressure",
        title="pressure: the change that counts, as a share of its limit",
        group="What the latch reads",
        unit="× limit",
        lines=[_line("pressure", values), _line("limit", [1.0] * len(values), "limit")],
    )


def _losses(numbers: Sequence[WindowFigures]) -> Iterable[Plot]:
    group = "Losses of the labelled rows"
    yield Plot(
        name="hinge_loss",
        title="hinge loss",
        group=group,
        unit="",
        lines=[
            _line("now", [n.hinge_loss for n in numbers]),
            _line("when accepted", [_reference(n, "hinge_loss") for n in numbers], "other"),
        ],
    )
    yield Plot(
        name="accuracy",
        title="accuracy",
        group=group,
        unit="",
        lines=[
            _line("accuracy", [n.accuracy for n in numbers]),
            _line("expected without labels", [_expected(n) for n in numbers], "other"),
        ],
    )
    yield Plot(
        name="violation_rate",
        title="violation rate: rows with y·f(x) < 1",
        group=group,
        unit="",
        lines=[_line("violation rate", [n.violation_rate for n in numbers])],
    )


def _expected(numbers: WindowFigures) -> float | None:
    return None if numbers.expected is None else numbers.expected.accuracy


def _reference(numbers: WindowFigures, name: str) -> float | None:
    found = (s.reference for s in numbers.statistics if s.name == name)
    return next(found, None)


def _statistics(numbers: Sequence[WindowFigures]) -> Iterable[Plot]:
    titles: dict[tuple[str, str | None], None] = {}
    for one in numbers:
        titles.update(dict.fromkeys((s.name, s.of) for s in one.statistics))
    by_window = [{(s.name, s.of): s for s in n.statistics} for n in numbers]
    for name, of in titles:
        mine = [window.get((name, of)) for window in by_window]
        yield Plot(
            name=f"statistic-{name}-{of or ''}",
            title=words(name) if of is None else f"{words(name)} of {of}",
            group="Statistics against their limits" if of is None else "Statistics of each class",
            unit=unit(name).strip(),
            lines=[
                _line("change that counts", [None if s is None else s.size for s in mine]),
                _line("limit", [None if s is None else s.limit for s in mine], "limit"),
            ],
        )


def _classes(numbers: Sequence[WindowFigures]) -> Iterable[Plot]:
    names = dict.fromkeys(name for n in numbers for name in n.classes or {})

    def of(name: str, key: str) -> list[float | None]:
        return [getattr((n.classes or {}).get(name), key, None) for n in numbers]

    for name in names:
        yield Plot(
            name=f"class-{name}-error",
            title=f"error rate of class {name}",
            group="Classes",
            unit="",
            lines=[
                _line("now", of(name, "error_rate")),
                _line("when accepted", of(name, "error_rate_reference"), "other"),
            ],
        )
        yield Plot(
            name=f"class-{name}-share",
            title=f"share of class {name}",
            group="Classes",
            unit="",
            lines=[
                _line("now", of(name, "share")),
                _line("when accepted", of(name, "share_reference"), "other"),
            ],
        )


def _calibration(numbers: Sequence[WindowFigures]) -> Iterable[Plot]:
    held = [n.calibration for n in numbers]
    for name, title in (("brier", "Brier score"), ("calibration_error", "calibration error")):
        yield Plot(
            name=name,
            title=title,
            group="Probabilities",
            unit="",
            lines=[
                _line("now", [getattr(h, name, None) for h in held]),
                _line(
                    "when accepted", [getattr(h, f"{name}_reference", None) for h in held], "other"
                ),
            ],
        )
    yield Plot(
        name="calibration_pressure",
        title="pressure of the probabilities",
        group="Probabilities",
        unit="× limit",
        lines=[
            _line("pressure", [getattr(h, "pressure", None) for h in held]),
            _line("limit", [1.0 if h else None for h in held], "limit"),
        ],
    )


def _reasons(numbers: Sequence[WindowFigures]) -> Iterable[Plot]:
    """Yield how many rows broke each rule, of the rules that put most rows aside."""
    found: Counter[str] = Counter()
    for one in numbers:
        found.update(one.reasons or {})
    for reason, _ in found.most_common(_SHOWN_REASONS):
        rows = [
            None if n.quarantined is None else (n.reasons or {}).get(reason, 0) for n in numbers
        ]
        yield Plot(
            name=f"quarantined-{reason}",
            title=f"quarantined by {reason}",
            group="Data",
            unit="rows",
            lines=[_line("rows", rows)],
        )


def _rows(numbers: Sequence[WindowFigures]) -> Iterable[Plot]:
    counts: tuple[tuple[str, str, Callable[[WindowFigures], int | None]], ...] = (
        ("accepted", "rows accepted", lambda n: n.accepted),
        ("quarantined", "rows quarantined", lambda n: n.quarantined),
    )
    for name, title, of in counts:
        yield Plot(
            name=name,
            title=title,
            group="Data",
            unit="rows",
            lines=[_line("rows", [of(n) for n in numbers])],
        )
    yield from _reasons(numbers)
    yield Plot(
        name="labelled",
        title="labelled share of the accepted rows",
        group="Data",
        unit="",
        lines=[
            _line(
                "labelled",
                [
                    n.labelled / n.accepted if n.labelled is not None and n.accepted else None
                    for n in numbers
                ],
            )
        ],
    )


def _lags(seen: Sequence[Observation], times: RecordedTimes) -> Plot:
    windows, labels = [times.lag(o) for o in seen], [times.label_lag(o) for o in seen]
    longest = max((lag for lag in (*windows, *labels) if lag is not None), default=_DAY)
    unit, length = ("hours", _DAY / 24) if longest < 3 * _DAY else ("days", _DAY)

    def told(lags: Iterable[timedelta | None]) -> list[float | None]:
        return [None if lag is None else lag / length for lag in lags]

    return Plot(
        name="lag",
        title="recorded after the end of the window",
        group="Data",
        unit=unit,
        lines=[_line("the window", told(windows)), _line("its labels", told(labels), "other")],
    )


def _line(label: str, values: Iterable[float | None], style: Style = "value") -> Line:
    return Line(label=label, style=style, values=[_short(v) for v in values])


def _short(value: float | None) -> float | None:
    if value is None or not isfinite(value):
        return None
    return float(f"{value:.{_DIGITS}g}")
