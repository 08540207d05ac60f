"""Gives Airflow the pages of Gatelatch: the reports of the store, and the margin view.

Airflow loads every plugin in every task process, and only an API server serves pages. So this file
imports nothing for them: what serves is imported for the first visitor.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

PREFIX = "/gatelatch"


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as the app of `served/app.py` does."""
    await import_module("served.app").app(scope, receive, send)


def _below() -> str:
    """Return the path below which Airflow is served, without a slash at its end."""
    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")


class PagesPlugin(AirflowPlugin):
    name = "gatelatch_pages"
    fastapi_apps = [{"app": serve, "url_prefix": PREFIX, "name": "Gatelatch pages"}]
    external_views = [
        {
            "name": "Margins",
            "href": f"{_below()}{PREFIX}/margins",
            "destination": "nav",
            "url_route": "margins",
        }
    ]
