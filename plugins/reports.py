"""Serves the store's reports at /gatelatch/reports, to people who may read the model's DAGs."""

from __future__ import annotations

import mimetypes
import re
from http import HTTPStatus
from urllib.parse import urlencode

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.dag import DagModel
from airflow.plugins_manager import AirflowPlugin
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import RedirectResponse

from tasks import store

# A report brings its own style and nothing else; even if one were forged, it could run no script.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-cache",
}
_FLOWS = ("monitor", "retrain", "rollback")
_LONGEST = 500
# What the tasks write: a model, folders, a file. A scheme, `::` or `..` is none of them.
_REPORT = re.compile(r"(?P<model>[a-z][a-z0-9_]*)(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9_.-]+)+")
_NOTHING = "no such report, or none that you may read"

app = FastAPI(title="Gatelatch reports", docs_url=None, redoc_url=None, openapi_url=None)


@app.get("/reports/{path:path}")
def report(path: str, user: GetUserDep) -> Response:
    """Return a report, brief or chart; 404 if there is none, or none for this person."""
    found = _REPORT.fullmatch(path) if len(path) <= _LONGEST else None
    if found is None or not _may_read(found["model"], user):
        raise HTTPException(404, _NOTHING)
    try:
        content = store.read_bytes(f"reports/{path}")
    except (OSError, ValueError):
        raise HTTPException(404, _NOTHING) from None
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Response(content, media_type=kind, headers=HEADERS)


def _may_read(model: str, user: BaseUser) -> bool:
    """Return whether Airflow lets this person read one of the model's DAGs."""
    return any(
        get_auth_manager().is_authorized_dag(
            method="GET",
            details=DagDetails(id=dag, team_name=DagModel.get_team_name(dag)),
            user=user,
        )
        for dag in (f"{flow}.{model}" for flow in _FLOWS)
    )


@app.exception_handler(HTTPException)
async def _to_the_login(request: Request, error: HTTPException) -> Response:
    """Send a person without a session to the login page, and back here; a program gets the code."""
    nobody = error.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    if not nobody or "text/html" not in request.headers.get("accept", ""):
        return await http_exception_handler(request, error)
    back = urlencode({"next": request.url.path})
    return RedirectResponse(f"{get_auth_manager().get_url_login()}?{back}", HTTPStatus.SEE_OTHER)


class ReportsPlugin(AirflowPlugin):
    name = "gatelatch_reports"
    fastapi_apps = [{"app": app, "url_prefix": "/gatelatch", "name": "Gatelatch reports"}]
