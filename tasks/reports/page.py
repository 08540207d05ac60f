"""The HTML pages that a run leaves: a template of `templates/`, filled in."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks import __version__
from tasks.reports.as_read import FILTERS

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **values: Any) -> str:
    """Return the page, which ends with the version of this code; every value is escaped.

    Raises UndefinedError if the page needs another value.
    """
    return environment().get_template(template).render(**values, gatelatch=__version__)


@cache
def environment() -> Environment:
    """Return where the templates are: each is compiled once in a process."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS)
    return made
