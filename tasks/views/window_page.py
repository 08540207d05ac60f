"""The page of one window, or of two beside each other: all that is known of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tasks.drift.reference import Reference
from tasks.drift.summary import Summary
from tasks.ledger.figures import WindowFigures
from tasks.ledger.records import Observation
from tasks.ledger.status import Status
from tasks.reports.statistic_rows import StatisticRow, statistic_row
from tasks.views import pictures
from tasks.views.addresses import window_name
from tasks.views.templating import fill_page

NEAR = 60  # windows that are offered to be put beside


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a page needs beside the ledger's row of a window.

    `missing` says why there is no histogram. `runs` are ids of the monitor's runs of this window,
    `mlflow` is the address of the version.
    """

    seen: Observation
    summary: Summary | None = None
    reference: Reference | None = None
    missing: str | None = None
    runs: tuple[str, ...] = ()
    mlflow: str | None = None


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One window as the page shows it."""

    seen: Observation
    numbers: WindowFigures
    rows: list[StatisticRow]
    histograms: list[Markup]
    reliability: Markup
    moved: list[tuple[str, float, Markup]]
    report: str | None
    material: Material


@dataclass(frozen=True, kw_only=True)
class Near:
    """A window that can be put beside: what it is called, and how the address names it."""

    name: str
    text: str


def window_page(
    known: Status,
    shown: Sequence[Material],
    others: Sequence[Observation],
    *,
    base: str,
) -> str:
    """Return the page of one window, or of two.

    Parameters
    ----------
    others
        What else the ledger has of the first window: other versions and earlier revisions.
    """
    first, beside = shown[0].seen, [one.seen for one in shown[1:]]
    ruling = known.observations
    place = next((i for i, o in enumerate(ruling) if o.window == first.window), None)
    return fill_page(
        "window.html",
        base=base,
        spec=known.spec,
        panels=[panel(one, [other for other in shown if other is not one]) for one in shown],
        beside=window_name(beside[0]) if beside else None,
        first=first,
        before=ruling[place - 1] if place else None,
        after=ruling[place + 1] if place is not None and place + 1 < len(ruling) else None,
        everything=[first, *others],
        near=_near(ruling, others, beside, place),
        proposals=[p for p in known.proposals if p.trained_until == first.window_end],
        name=window_name,
    )


def panel(material: Material, beside: Sequence[Material] = ()) -> Panel:
    """Return a window with its tables and pictures; they can be compared with what is beside it."""
    seen = material.seen
    numbers = seen.numbers
    held = numbers.calibration
    table = held.reliability if held else None
    moved = list((numbers.moved.features if numbers.moved else {}).items())
    most = max((abs(value) for _, value in moved), default=0.0)
    return Panel(
        seen=seen,
        numbers=numbers,
        rows=[statistic_row(s) for s in (*numbers.statistics, *(held.statistics if held else ()))],
        histograms=_histograms(material, beside),
        reliability=pictures.reliability_picture(table) if table else Markup(""),
        moved=[(name, value, pictures.bar(value, most)) for name, value in moved],
        report=numbers.report.removeprefix("reports/") if numbers.report else None,
        material=material,
    )


def _histograms(material: Material, beside: Sequence[Material]) -> list[Markup]:
    drawn = _drawn(material)
    if not drawn:
        return []
    summary, accepted = drawn
    pairs = [pair for other in beside if (pair := _drawn(other))]
    others = [one for pair in pairs for one in pair]
    labelled = [one for pair in pairs if all(d.labelled for d in pair) for one in pair]
    found = []
    if summary.labelled and accepted.labelled:
        found.append(
            pictures.histogram(
                summary.grid.margins,
                summary.margins,
                accepted.margins,
                "labelled margin y·f(x)",
                [(one.grid.margins, one.margins) for one in labelled],
            )
        )
    scores = pictures.histogram(
        summary.grid.scores,
        summary.scores,
        accepted.scores,
        "score f(x)",
        [(one.grid.scores, one.scores) for one in others],
    )
    return [*found, scores]


def _drawn(material: Material) -> tuple[Summary, Summary] | tuple[()]:
    """Return the summaries of a window and of its reference, if they can be drawn together."""
    summary, reference = material.summary, material.reference
    if summary is None or reference is None or summary.grid != reference.summary.grid:
        return ()
    return summary, reference.summary


def _near(
    ruling: Sequence[Observation],
    others: Sequence[Observation],
    beside: Sequence[Observation],
    place: int | None,
) -> list[Near]:
    middle = len(ruling) if place is None else place
    around = [o for i, o in enumerate(ruling) if abs(i - middle) <= NEAR // 2 and i != place]
    offered = {window_name(o): o for o in [*others, *reversed(around), *beside]}
    return [
        Near(
            name=name,
            text=f"{o.window_start:%Y-%m-%d %H:%M} · v{o.version} · {o.verdict}",
        )
        for name, o in offered.items()
    ]
