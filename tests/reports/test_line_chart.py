"""A chart of windows is well formed whatever they hold, and a gap is drawn as a gap."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.reports.line_chart import line_chart
from tasks.reports.plane import WIDTH
from tasks.reports.plots import Line, Plot
from tasks.reports.timeline import Happening
from tests.support.stood import at, seen

VALUES = st.lists(st.none() | st.floats(-1e9, 1e9, allow_subnormal=False), min_size=1, max_size=90)


def _plot(values: list[float | None], title: str = "loss") -> Plot:
    lines = [Line(label="now", style="value", values=values)]
    return Plot(name="loss", title=title, group="", unit="", lines=lines)


@settings(deadline=None)
@given(VALUES, st.text(max_size=20))
def test_a_chart_is_a_picture_within_its_frame(values: list[float | None], title: str) -> None:
    windows = [seen(number, None if v is None else 0.5) for number, v in enumerate(values)]
    drawn = str(line_chart(_plot(values, "".join(filter(str.isprintable, title))), windows))
    if all(value is None for value in values):
        assert drawn == ""
        return
    root = ElementTree.fromstring(drawn)
    for line in root.iter("polyline"):
        for point in line.get("points", "").split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= WIDTH
            assert 0 <= y <= 180


def test_a_line_breaks_where_nothing_can_be_said_and_where_nothing_was_measured() -> None:
    values = [0.1, 0.2, None, 0.4, 0.5, 0.6, 0.7]
    windows = [
        seen(n, None if v is None else 0.5)
        for n, v in zip((0, 1, 2, 3, 4, 9, 10), values, strict=True)
    ]
    root = ElementTree.fromstring(str(line_chart(_plot(values), windows)))
    assert [len(p.get("points", "").split()) for p in root.iter("polyline")] == [2, 2, 2]
    assert [r.get("class") for r in root.iter("rect")] == ["blind"]


def test_letters_at_one_moment_stand_in_a_row() -> None:
    happened = [Happening(at=at(1), kind=kind, text="<b>") for kind in ("opened", "promoted")]
    drawn = str(line_chart(_plot([0.1, 0.2, 0.3]), [seen(n) for n in range(3)], happened))
    letters = [t for t in ElementTree.fromstring(drawn).iter("text") if t.get("class") == "letter"]
    assert [t.text for t in letters] == ["O", "C"]
    assert float(letters[1].get("x", "")) > float(letters[0].get("x", ""))
