"""States over event time as one strip: inline SVG that the page colours. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from markupsafe import Markup, escape

from tasks.reports.timeline import Stretch

_WIDTH, _HEIGHT = 1000, 24
# Height and place tell states apart, the colour only helps; what is not known is a gap.
_BARS: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(("drifting", "open"), (0, 24)),
    **dict.fromkeys(("steady", "closed"), (14, 10)),
    "resting": (7, 17),
    "insufficient": (20, 4),
    "revised": (9, 15),
}


def lane(name: str, stretches: Sequence[Stretch], first: datetime, last: datetime) -> Markup:
    """Return the strip between two moments."""
    whole = (last - first).total_seconds()
    bars = []
    for one in stretches:
        left = max((one.since - first).total_seconds() / whole, 0.0)
        right = min((one.until - first).total_seconds() / whole, 1.0)
        if right > left and (bar := _BARS.get(one.state)) is not None:
            y, height = bar
            # A window of years is seen as well, if only as a stroke.
            width = max((right - left) * _WIDTH, 1.0)
            bars.append(
                f'<rect class="{one.state}" x="{left * _WIDTH:.1f}" y="{y}" width="{width:.1f}" '
                f'height="{height}"><title>{_told(one)}</title></rect>'
            )
    return Markup(
        f'<svg class="strip" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" '
        f'role="img" aria-label="{escape(name)} over time">{"".join(bars)}</svg>'
    )


def _told(one: Stretch) -> str:
    return f"{one.state} from {one.since:%Y-%m-%d %H:%M} until {one.until:%Y-%m-%d %H:%M}"
