"""Which doors of MLflow's server are open, and for which user: all others are shut.

MLflow offers some 280 routes. Many write to a path that the request names, send a request to an
address that it names, or start programs. Gatelatch and the pages that people open need these few.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from enum import Enum

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

WRITER, READER = "gatelatch", "reader"  # user names
_API = r"/(?:ajax-)?api/[23]\.0/mlflow"
_ARTIFACTS = r"/(?:ajax-)?api/2\.0/mlflow-artifacts/artifacts"
_ONE = r"[^/]+"


class Door(Enum):
    """Who may use a route."""

    OPEN = "open"
    READ = "read"
    WRITE = "write"
    SHUT = "shut"


_DOORS = {
    Door.OPEN: {"GET": ["/health"]},
    Door.READ: {
        "GET": [
            *("/", "/version", "/static-files/.+", "/get-artifact", "/model-versions/get-artifact"),
            rf"{_ARTIFACTS}(?:/.+)?",
            rf"{_API}/server-info",
            rf"{_API}/artifacts/list",
            rf"{_API}/experiments/(?:get|get-by-name|search)",
            rf"{_API}/runs/get",
            rf"{_API}/metrics/get-history(?:-bulk|-bulk-interval)?",
            rf"{_API}/registered-models/(?:get|search|alias|get-latest-versions)",
            rf"{_API}/model-versions/(?:get|search|get-download-uri)",
            rf"{_API}/logged-models/{_ONE}(?:/artifacts/(?:directories|files))?",
        ],
        "POST": [  # searches
            "/graphql",
            rf"{_API}/experiments/(?:search|search-datasets)",
            rf"{_API}/runs/search",
            rf"{_API}/logged-models/search",
            rf"{_API}/registered-models/get-latest-versions",
        ],
    },
    Door.WRITE: {
        "POST": [
            rf"{_API}/experiments/(?:create|set-experiment-tag)",
            rf"{_API}/runs/(?:create|update|log-batch|log-metric|log-parameter|set-tag|delete-tag)",
            rf"{_API}/registered-models/(?:create|set-tag|alias)",
            rf"{_API}/model-versions/(?:create|set-tag)",
        ],
        "PATCH": [rf"{_API}/(?:registered-models|model-versions)/update"],
        # A version is deleted where two have registered the same candidate at once.
        "DELETE": [rf"{_API}/(?:registered-models/alias|model-versions/delete)"],
        "PUT": [rf"{_ARTIFACTS}/.+"],
    },
}
_PATTERNS = {
    (door, method): re.compile("|".join(paths), re.DOTALL)
    for door, methods in _DOORS.items()
    for method, paths in methods.items()
}


def door(method: str, path: str) -> Door:
    """Return who may use a route; it is shut unless it is listed."""
    method = "GET" if method == "HEAD" else method
    for (who, listed), pattern in _PATTERNS.items():
        if listed == method and pattern.fullmatch(path):
            return who
    return Door.SHUT


class Doors:
    """ASGI middleware around MLflow's server.

    Parameters
    ----------
    app
        MLflow
    writer
        password of the user `gatelatch`, who may read and write
    reader
        password of the user `reader`; if None, reading needs no login
    """

    def __init__(self, app: ASGIApp, writer: str, reader: str | None) -> None:
        self._app = app
        self._writer = [_basic(WRITER, writer)]
        self._reader = [*self._writer, _basic(READER, reader)] if reader else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            headers = Headers(scope=scope)
            answer = self._refusal(door(scope["method"], scope["path"]), headers) or self._app
            await answer(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _refusal(self, where: Door, headers: Headers) -> Response | None:
        """Return the answer to who must not pass."""
        if where is Door.SHUT:
            told = "this server offers only what Gatelatch needs; ops/doors.py lists it"
            return _refused(403, "PERMISSION_DENIED", told)
        if where is Door.WRITE and _from_another_page(headers):
            return _refused(403, "PERMISSION_DENIED", "a page of another origin writes nothing")
        wanted = {Door.WRITE: self._writer, Door.READ: self._reader}.get(where)
        if wanted is None:
            return None
        given = headers.get("authorization", "").encode()
        if any(secrets.compare_digest(given, one) for one in wanted):
            return None
        return _refused(401, "UNAUTHENTICATED", f"to {where.value} needs a user and a password")


def _basic(user: str, password: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{user}:{password}".encode())


def _from_another_page(headers: Headers) -> bool:
    """Return whether a browser says that a page of another origin asks."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
    own = origin is None or origin.split("://")[-1] == headers.get("host")
    return not own or site not in ("none", "same-origin")


def _refused(status: int, code: str, message: str) -> Response:
    # As MLflow words its own errors, so that its client and its pages show the sentence.
    body = json.dumps({"error_code": code, "message": message})
    headers = {"WWW-Authenticate": 'Basic realm="MLflow of Gatelatch"'} if status == 401 else {}
    return Response(body, status, headers, "application/json")
