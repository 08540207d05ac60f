"""What the script of a model's page draws, as JSON within the page. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from markupsafe import Markup

from tasks.ledger.records import Observation
from tasks.reports.plots import Plot
from tasks.reports.timeline import Happening, Stretch


def as_script(
    seen: Sequence[Observation],
    drawn: Sequence[Plot],
    lanes: Sequence[tuple[str, Sequence[Stretch]]],
    marks: Iterable[Happening],
) -> Markup:
    """Return all that the script draws as the content of a JSON `<script>` element.

    Times are seconds since 1970, UTC.
    """
    told: dict[str, Any] = {
        "starts": [_seconds(o.window_start) for o in seen],
        "ends": [_seconds(o.window_end) for o in seen],
        "plots": [{**vars(plot), "lines": [vars(line) for line in plot.lines]} for plot in drawn],
        "lanes": [
            {
                "name": name,
                "stretches": [[_seconds(s.since), _seconds(s.until), s.state] for s in of],
            }
            for name, of in lanes
        ],
        "marks": [
            {"at": _seconds(e.at), "letter": e.letter, "everywhere": e.changes_measure}
            for e in marks
        ],
    }
    # `</script>` and `<!--` end or change a script element, whatever JSON says.
    text = json.dumps(told, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
