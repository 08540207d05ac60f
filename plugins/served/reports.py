"""Serves the store's reports at /gatelatch/reports, to people who may read the model's DAGs."""

from __future__ import annotations

import mimetypes
import re

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, HTTPException, Response

from served.rights import may_read
from tasks import store

# A report brings its own style and nothing else; even if one were forged, it could run no script.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-cache",
}
_LONGEST = 500
# What the tasks write: a model, folders, a file. A scheme, `::` or `..` is none of them.
_REPORT = re.compile(r"(?P<model>[a-z][a-z0-9_]*)(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9_.-]+)+")
_NOTHING = "no such report, or none that you may read"

router = APIRouter()


@router.get("/reports/{path:path}")
def report(path: str, user: GetUserDep) -> Response:
    """Return a report, brief or chart; 404 if there is none, or none for this person."""
    found = _REPORT.fullmatch(path) if len(path) <= _LONGEST else None
    if found is None or not may_read(found["model"], user):
        raise HTTPException(404, _NOTHING)
    try:
        content = store.read_bytes(f"reports/{path}")
    except (OSError, ValueError):
        raise HTTPException(404, _NOTHING) from None
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Response(content, media_type=kind, headers=HEADERS)
