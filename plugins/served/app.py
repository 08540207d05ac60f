"""The app below /gatelatch: its routes, and what a visitor without a session gets."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlencode

from airflow.api_fastapi.app import get_auth_manager
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import RedirectResponse

from served import margins, reports

app = FastAPI(title="Gatelatch", docs_url=None, redoc_url=None, openapi_url=None)
app.include_router(reports.router)
app.include_router(margins.router)


@app.exception_handler(HTTPException)
async def _to_the_login(request: Request, error: HTTPException) -> Response:
    """Send a person without a session to the login page, and back here; a program gets the code."""
    nobody = error.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    if not nobody or "text/html" not in request.headers.get("accept", ""):
        return await http_exception_handler(request, error)
    asked = f"?{request.url.query}" if request.url.query else ""
    back = urlencode({"next": f"{request.url.path}{asked}"})
    return RedirectResponse(f"{get_auth_manager().get_url_login()}?{back}", HTTPStatus.SEE_OTHER)
