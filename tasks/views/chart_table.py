"""The table behind the charts of a heading: every figure that they draw, for who needs no picture.

Pure. It is part of the page and needs no script; where there is one, it is held as text until
somebody opens it.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from tasks.ledger.records import Observation
from tasks.reports.as_read import minute
from tasks.reports.plots import Plot


def chart_table(heading: str, drawn: Sequence[Plot], seen: Sequence[Observation]) -> Markup:
    """Return a row for each window, the newest first, and a column for each line of the charts.

    It is joined by hand and leaves out the ends of cells, as HTML may: a model of years has tens of
    thousands of them.
    """
    lines = [(plot, line) for plot in drawn for line in plot.lines]
    titles = "".join(f'<th scope="col">{_title(plot, line.label)}' for plot, line in lines)
    columns = [line.values for _, line in lines]
    rows = []
    for place in range(len(seen) - 1, -1, -1):
        cells = "".join(f"<td>{_told(values[place])}" for values in columns)
        rows.append(f'<tr><th scope="row">{minute(seen[place].window_start)}{cells}')
    return Markup(
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(heading)}">'
        f'<table class="plain"><thead><tr><th scope="col">window from{titles}</thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _title(plot: Plot, label: str) -> Markup:
    unit = f" ({plot.unit})" if plot.unit else ""
    return escape(plot.title if len(plot.lines) == 1 else f"{plot.title}: {label}") + escape(unit)


def _told(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"
