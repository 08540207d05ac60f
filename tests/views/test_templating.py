"""Nothing that anybody wrote becomes part of a page's own code."""

from __future__ import annotations

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
