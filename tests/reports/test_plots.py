"""The lines of the charts: broken where nothing can be said."""

from __future__ import annotations

from tasks.reports.plots import plots
from tests.support.stood import seen, statistic


def test_a_window_of_which_nothing_can_be_said_breaks_the_line() -> None:
    drawn = {p.name: p for p in plots([seen(0), seen(1, None), seen(2, 0.8)])}
    assert drawn["pressure"].lines[0].values == [0.5, None, 0.8]
    assert drawn["statistic-hinge_loss-"].lines[0].values == [0.05, None, 0.08]
    assert drawn["hinge_loss"].lines[1].values == [0.3, None, 0.3]


def test_each_statistic_of_each_class_has_a_chart_with_its_limit() -> None:
    of_class = [statistic("class_loss", 2.0, of=name) for name in ("0", "1")]
    drawn = plots([seen(0, figures={"statistics": of_class})])
    titles = [p.title for p in drawn if p.group == "Statistics of each class"]
    assert titles == ["class loss of 0", "class loss of 1"]
    limits = [line for p in drawn for line in p.lines if line.style == "limit"]
    assert all(line.values == [1.0] or line.values == [0.1] for line in limits)


def test_rows_in_quarantine_have_a_chart_for_each_rule_that_they_broke() -> None:
    windows = [
        seen(0, figures={"quarantined": 3, "reasons": {"no x": 2, "no key": 1}}),
        seen(1, figures={"quarantined": 0, "reasons": None}),
        seen(2, figures={"quarantined": None, "reasons": None}),
    ]
    drawn = {p.title: p.lines[0].values for p in plots(windows) if "quarantined by" in p.title}
    assert drawn == {"quarantined by no x": [2, 0, None], "quarantined by no key": [1, 0, None]}


def test_what_was_never_measured_has_no_empty_chart() -> None:
    names = {p.name for p in plots([seen(0, figures={"labelled": None})])}
    assert not names & {"brier", "labelled", "calibration_pressure"}


def test_what_is_no_number_is_a_gap() -> None:
    (drawn, *_) = plots([seen(0, pressure=float("inf")), seen(1)])
    assert drawn.lines[0].values == [None, 0.5]
