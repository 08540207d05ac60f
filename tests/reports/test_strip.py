"""The strip: as wide as its windows are many, never larger than a screen shows, told in words."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.reports.strip import CELLS, VerdictRun, strip, told

runs = st.lists(
    st.builds(
        lambda verdict, windows: VerdictRun(verdict=verdict, windows=windows),
        st.sampled_from(["steady", "drifting", "insufficient", "missing"]),
        st.integers(1, 400),
    ),
    min_size=1,
    max_size=60,
)


@settings(deadline=None)
@given(runs)
def test_a_strip_is_well_formed_small_and_hides_no_drift(many: list[VerdictRun]) -> None:
    drawn = str(strip(many))
    parsed = ElementTree.fromstring(drawn)
    assert len(parsed) <= CELLS
    classes = {bar.get("class") for bar in parsed}
    assert ("drifting" in classes) == any(run.verdict == "drifting" for run in many)
    width = int(parsed.get("viewBox", "").split()[2])
    assert width == min(sum(run.windows for run in many), CELLS)
    assert all(0 <= int(b.get("x", "")) + int(b.get("width", "")) <= width for b in parsed)


@settings(deadline=None)
@given(runs, st.integers(1, 900))
def test_of_the_newest_windows_just_those_are_told(many: list[VerdictRun], newest: int) -> None:
    total = sum(run.windows for run in many)
    said = re.search(r'aria-label="([\d,]+) windows', str(strip(many, newest)))
    assert said is not None
    assert int(said[1].replace(",", "")) == min(newest, total)


def test_verdicts_are_told_by_their_height_and_not_by_their_colour_alone() -> None:
    each = [VerdictRun(verdict=v, windows=1) for v in ("drifting", "steady", "insufficient")]
    heights = [bar.get("height") for bar in ElementTree.fromstring(str(strip(each)))]
    assert len(set(heights)) == 3


def test_the_words_say_what_is_newest() -> None:
    said = told(
        [VerdictRun(verdict="steady", windows=5), VerdictRun(verdict="drifting", windows=2)]
    )
    assert said == "7 windows: 2 drifting, 5 steady; the newest 2 drifting"


def test_a_model_without_windows_has_no_empty_picture() -> None:
    assert "no window yet" in strip([])
