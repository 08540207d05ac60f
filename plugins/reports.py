"""Serves the store's reports at /gatelatch/reports, to people whom Airflow has logged in."""

from __future__ import annotations

import mimetypes
from pathlib import PurePosixPath

from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.plugins_manager import AirflowPlugin
from fastapi import FastAPI, HTTPException, Response

from tasks import store

# A report brings its own style and nothing else; even if one were forged, it could run no script.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-cache",
}

app = FastAPI(title="Gatelatch reports", docs_url=None, redoc_url=None, openapi_url=None)


@app.get("/reports/{path:path}")
def report(path: str, user: GetUserDep) -> Response:
    """Return a report, brief or chart; 404 if there is none."""
    if ".." in PurePosixPath(path).parts:
        raise HTTPException(404, "no such report")
    try:
        content = store.read(f"reports/{path}")
    except (OSError, ValueError):
        raise HTTPException(404, "no such report") from None
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Response(content, media_type=kind, headers=HEADERS)


class ReportsPlugin(AirflowPlugin):
    name = "gatelatch_reports"
    fastapi_apps = [{"app": app, "url_prefix": "/gatelatch", "name": "Gatelatch reports"}]
