"""The page of one model, whatever its ledger has."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ledger.ledger import Ledger
from tasks.ledger.recorded import RecordedTimes
from tasks.ledger.status import Status
from tasks.views.model_page import SHOWN_WINDOWS, model_page, part_of
from tasks.views.standing import standing
from tests.support.facts import spec_told
from tests.support.stood import MakeSpec, at, known, ledger_in, seen

HOUR = timedelta(hours=1)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = ledger_in(tmp_path)
    yield ledger
    ledger._engine.dispose()


def _page(status: Status, **parts: Any) -> str:
    words = [(o, o.window_end + HOUR) for o in status.observations]
    times = RecordedTimes.of_words(words)
    return model_page(
        status, standing(status, [], {}), at(9), base="/gatelatch", times=times, **parts
    )


def _data(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert found is not None
    told: dict[str, Any] = json.loads(found[1])
    return told


def test_a_model_without_a_champion_says_how_to_get_one(spec: MakeSpec, ledger: Ledger) -> None:
    page = _page(known(spec(), ledger, champion=False))
    assert "trigger the DAG" in page
    assert "No window was measured yet" in page


def test_one_window_makes_a_page(spec: MakeSpec, ledger: Ledger) -> None:
    told = _data(_page(known(spec(), ledger, seen(0))))
    assert len(told["starts"]) == 1
    assert told["lanes"][0]["stretches"][0][2] == "steady"


def test_a_model_without_labels_has_no_loss_and_says_so(spec: MakeSpec, ledger: Ledger) -> None:
    bare = {"labelled": 0, "hinge_loss": None, "accuracy": None}
    page = _page(known(spec(), ledger, seen(0, figures=bare)))
    assert "No labels ever: losses and accuracy are not known" in page


def test_every_chart_has_a_name_a_place_and_a_table(spec: MakeSpec, ledger: Ledger) -> None:
    page = _page(known(spec(), ledger, seen(0), seen(1, 1.4)))
    names = [p["name"] for p in _data(page)["plots"]]
    assert names
    assert re.findall(r'data-plot="([^"]+)"', page) == names
    titles = [p["title"] for p in _data(page)["plots"]]
    heads = [html.unescape(h) for h in re.findall(r'<th scope="col">([^<]+)', page)]
    assert all(any(head.startswith(title) for head in heads) for title in titles)
    assert len(re.findall(r"<figure aria-label=", page)) == len(names) + 1


def test_ten_thousand_windows_come_in_parts_that_meet(spec: MakeSpec) -> None:
    many = [seen(number) for number in range(10_000)]
    newest = part_of(spec(), many, None)
    assert (len(newest.seen), newest.earlier, newest.later) == (
        SHOWN_WINDOWS,
        10_000 - SHOWN_WINDOWS,
        0,
    )
    before = part_of(spec(), many, newest.before)
    assert before.seen[-1].window_end == newest.seen[0].window_start
    assert before.later == SHOWN_WINDOWS
    assert part_of(spec(), many, at(1)).before is None


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.5, 0.5, 1.5, None]), st.integers(0, 2)), max_size=40),
    st.integers(1, 12),
)
def test_every_window_breach_and_gap_is_counted_under_one_page(
    story: list[tuple[float | None, int]], most: int
) -> None:
    many, number, missing = [], 0, 0
    for place, (pressure, gap) in enumerate(story):
        number += gap
        missing += gap if place else 0
        many.append(seen(number, pressure))
        number += 1
    spec = spec_told()
    periods = part_of(spec, many, None, most).periods
    counts = sum((p.counts for p in periods), Counter[str]())
    expected = Counter(o.verdict for o in many) + Counter({"missing": missing})
    assert counts == expected
    for period in periods:
        shown = part_of(spec, many, period.until, most).seen
        assert (shown[0].window_start, shown[-1].window_end) == (period.since, period.until)
        assert len(shown) <= most
        assert ("drifting" in period.told) == any(o.verdict == "drifting" for o in shown)


def test_a_long_model_shows_its_newest_windows_and_says_what_else_there_is(
    spec: MakeSpec, ledger: Ledger
) -> None:
    many = [seen(n, 1.5 if n == 3 else 0.5) for n in range(200)]
    status = known(spec(), ledger, *many)
    page = _page(status, most=90)
    assert len(_data(page)["starts"]) == 90
    assert "90 windows are shown, 110 are earlier." in page
    assert "200 windows: 1 drifting, 199 steady. A bar stands for 2 windows: the worst" in page
    assert ">2026-01-09 to 2026-01-29: 20 windows, 1 drifting</option>" in page
    assert 'href="?most=90&amp;until=2026-04-29T00%3A00%3A00%2B00%3A00"' in page
    early = _page(status, most=90, until=at(20))
    assert "20 windows are shown, 180 are later." in early
    assert len(_data(early)["starts"]) == 20


def test_what_happened_stands_on_the_page_of_its_time_and_the_others_are_counted(
    spec: MakeSpec, ledger: Ledger
) -> None:
    many = [seen(n, 1.5 if 3 <= n < 9 else 0.1) for n in range(200)]
    status = known(spec(), ledger, *many)
    newest, oldest = _page(status, most=90), _page(status, most=90, until=at(20))
    assert "episode churn.v1.20260112T0000 opened" not in newest
    assert "Nothing in the time that is shown." in newest
    assert re.search(r"\d+ more happened in other windows than those shown", newest)
    assert "episode churn.v1.20260112T0000 opened" in oldest
    assert "more happened in other windows" not in oldest
    lanes = {lane["name"]: lane["stretches"] for lane in _data(newest)["lanes"]}
    assert [state for _, _, state in lanes["latch"]] == ["closed"]


def test_the_figures_of_the_charts_stand_in_the_page_without_a_script(
    spec: MakeSpec, ledger: Ledger
) -> None:
    evil = "<b>\"'"
    names = ("share", "share_reference", "hinge_loss", "error_rate", "error_rate_reference")
    classes = {evil: dict.fromkeys(names, 0.5)}
    many = [seen(0, 0.25, figures={"classes": classes}), seen(1, None)]
    page = re.sub(r"<script.*?</script>", "", _page(known(spec(), ledger, *many)), flags=re.DOTALL)
    assert '<tr><th scope="row">2026-01-09<td>0.25<td>1' in page
    assert '<tr><th scope="row">2026-01-10<td>–<td>1' in page
    assert evil not in page
    assert page.count("as a table</summary>") == page.count('<table class="plain">') >= 3


def test_it_says_how_long_after_their_end_windows_and_labels_came(
    spec: MakeSpec, ledger: Ledger
) -> None:
    page = _page(known(spec(), ledger, seen(0), seen(1, figures={"labelled": 0})))
    lag = next(p for p in _data(page)["plots"] if p["name"] == "lag")
    assert lag["unit"] == "hours"
    assert [line["values"] for line in lag["lines"]] == [[1.0, 1.0], [1.0, None]]
    assert "recorded 1 hour after</small>" in page
    assert page.count('<td class="n">1 hour</td>') == 2


def test_a_frozen_model_says_so_first_and_how_it_goes_on(spec: MakeSpec, ledger: Ledger) -> None:
    status = known(spec(), ledger, seen(0))
    assert "Frozen by" not in _page(status)
    ledger.freeze("churn", "frozen", by="ada", reason="<b>holidays")
    page = _page(known(spec(), ledger, champion=False))
    assert "<b>Frozen by ada since 20" in page
    assert "&lt;b&gt;holidays" in page
    assert "<code>python -m tasks thaw churn" in page
    assert page.index("Frozen by") < page.index("Champion")


def test_a_page_says_who_trained_the_champion_that_a_canary_runs_and_what_is_owed(
    spec: MakeSpec, ledger: Ledger
) -> None:
    status = known(spec(training={"window": "3d", "estimator": "external"}), ledger, seen(0))
    times, plain = RecordedTimes({}), standing(status, [], {})
    one = replace(
        plain,
        canary="canary of version 1: 10 % of the keys",
        handed_in_by="carol",
        owed="hand it",
        logged_as="a<b",
    )
    page = model_page(status, one, at(2), base="/gatelatch", times=times)
    for said in (
        "Canary of version 1: 10 % of the keys.</p>",
        "; trained elsewhere, handed in by carol; logged as a&lt;b</small>",
        '<p class="headline">Hand it.</p>',
        "<dt>Trained</dt><dd>elsewhere",
        '<span class="state owed">waits for a model</span>',
    ):
        assert said in page
