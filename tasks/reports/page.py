"""The HTML pages that a run leaves: a template of `templates/`, filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks import __version__
from tasks.reports.as_read import FILTERS


def render(template: str, **values: Any) -> str:
    """Return the page, which ends with the version of this code; every value is escaped.

    Raises UndefinedError if the page needs another value.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    return environment.get_template(template).render(**values, gatelatch=__version__)
