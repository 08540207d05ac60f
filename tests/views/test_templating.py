"""Figures as people read them; and nothing that anybody wrote becomes part of a page's own code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from jinja2 import UndefinedError

from tasks.views import templating

EVIL = "<script>alert(1)</script>"


def test_what_people_wrote_is_shown_as_they_wrote_it() -> None:
    page = templating.fill_page("problem.html", base="/gatelatch", title=EVIL, problem=EVIL)
    assert EVIL not in page
    assert page.count("&lt;script&gt;") == 3


def test_a_page_that_lacks_a_value_is_an_error_and_not_a_hole() -> None:
    with pytest.raises(UndefinedError):
        templating.fill_page("problem.html", base="/gatelatch", title="x")


def test_no_page_has_a_script_or_style_of_its_own() -> None:
    for template in templating.STATIC.parent.joinpath("templates").iterdir():
        text = template.read_text()
        assert "<style" not in text
        assert " style=" not in text
        assert " onclick=" not in text
        for script in text.split("<script")[1:]:
            assert "src=" in script.split(">")[0] or "application/json" in script.split(">")[0]
        assert "http://" not in text
        assert "https://" not in text


@pytest.mark.parametrize(
    ("value", "told"),
    [(None, "–"), (0.12345, "0.123"), (float("inf"), "inf")],
)
def test_a_figure_that_is_not_known_is_a_dash(value: float | None, told: str) -> None:
    assert templating.rounded(value) == told


def test_midnight_is_left_out_and_other_hours_are_not() -> None:
    midnight = datetime(2026, 1, 5, tzinfo=UTC)
    assert templating.minute(midnight) == "2026-01-05"
    assert templating.minute(midnight + timedelta(hours=7)) == "2026-01-05 07:00"
    assert templating.minute(None) == templating.day(None) == templating.counted(None) == "–"
