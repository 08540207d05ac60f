"""The frame of every page: a template of `templates/`, filled in."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tasks import __version__
from tasks.reports.as_read import FILTERS

_HERE = Path(__file__).parent
STATIC = _HERE / "static"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["gatelatch"] = __version__
    environment.filters.update(FILTERS)
    return environment


def fill_page(template: str, *, base: str, **values: Any) -> str:
    """Return the page; every value is escaped.

    Parameters
    ----------
    base
        The path at which the pages are served, such as `/gatelatch`.
    """
    return _environment().get_template(template).render(base=base, **values)
