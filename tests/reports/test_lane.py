"""A strip of states is well formed, true to time, and tells states apart without colour."""

from __future__ import annotations

from datetime import timedelta
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.reports.lane import lane
from tasks.reports.timeline import Stretch
from tests.support.stood import at

STATES = ("open", "closed", "resting", "drifting", "steady", "insufficient", "revised")
stretches = st.builds(
    lambda since, length, state: Stretch(
        since=at(0) + timedelta(hours=since),
        until=at(0) + timedelta(hours=since + length),
        state=state,
    ),
    st.integers(-500, 500),
    st.integers(1, 400),
    st.sampled_from([*STATES, "v7"]),
)


@settings(deadline=None)
@given(st.lists(stretches, max_size=30))
def test_every_stretch_lies_within_the_strip(many: list[Stretch]) -> None:
    root = ElementTree.fromstring(str(lane("latch", many, at(-5), at(5))))
    for bar in root.iter("rect"):
        left, width = float(bar.get("x", "")), float(bar.get("width", ""))
        assert 0 <= left <= 1000
        assert 0 < width <= 1001


def test_a_stretch_is_as_wide_as_it_is_long_and_what_lies_outside_is_cut() -> None:
    many = [Stretch(since=at(-9), until=at(1), state="open")]
    many.append(Stretch(since=at(2), until=at(3), state="resting"))
    bars = list(ElementTree.fromstring(str(lane("latch", many, at(0), at(4)))).iter("rect"))
    assert [(b.get("x"), b.get("width")) for b in bars] == [("0.0", "250.0"), ("500.0", "250.0")]


def test_states_of_one_strip_differ_in_height() -> None:
    for states in (("open", "closed", "resting"), ("drifting", "steady", "insufficient")):
        many = [Stretch(since=at(n), until=at(n + 1), state=s) for n, s in enumerate(states)]
        root = ElementTree.fromstring(str(lane("x", many, at(0), at(3))))
        assert len({bar.get("height") for bar in root.iter("rect")}) == 3
