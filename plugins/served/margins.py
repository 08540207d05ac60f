"""Serves the margin view at /gatelatch/margins, to people who may read the models' DAGs."""

from __future__ import annotations

import logging
import mimetypes
from datetime import UTC, datetime
from http import HTTPStatus

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from starlette.background import BackgroundTask

from served.rights import may_read, readable
from served.runs import runs_of
from tasks import bounds
from tasks.errors import GatelatchError
from tasks.registry import registry
from tasks.views import addresses
from tasks.views.board import Board, material, why_unreadable
from tasks.views.model_page import SHOWN_WINDOWS, WINDOW_CHOICES, model_page, problem_page
from tasks.views.overview import Asked, overview
from tasks.views.standing import Standing
from tasks.views.templating import STATIC
from tasks.views.window_page import window_page

# Scripts and styles come from here alone, nothing is sent anywhere, and nobody else may frame it.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'self'; base-uri 'none'; "
    "form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}
_FILES = {file.name: file for file in STATIC.iterdir() if file.suffix in (".js", ".css")}
_NOTHING = "no such model, or none that you may read"
_DELETED = (
    "The spec of {model} was removed: no {model}.yaml is in the folder of specs. The ledger keeps "
    "all that it has of the model. Put the file back to see it here."
)
_log = logging.getLogger(__name__)
router = APIRouter()
_board = Board()


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Return a script or style of the pages; they say nothing about any model."""
    if name not in _FILES:
        raise HTTPException(404, "no such file")
    kind = mimetypes.guess_type(name)[0] or "text/plain"
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "public, max-age=3600"}
    return Response(_FILES[name].read_bytes(), media_type=kind, headers=headers)


@router.get("/margins")
def models(
    request: Request,
    user: GetUserDep,
    q: str = "",
    owner: str = "",
    tag: str = "",
    state: str = "",
    page: int = 1,
) -> Response:
    """Return the page of all models that this person may read, the worst first."""
    base = _base(request)
    specs = _board.specs()
    mine = readable(specs.names, user)
    try:
        seen = _board.standings(spec for name, spec in specs.usable.items() if name in mine)
    except Exception as error:
        return _unreadable("Margins", error, base)
    mistaken = [Standing(model=n, problem=p) for n, p in specs.mistaken.items() if n in mine]
    asked = Asked(text=q[: bounds.NAME], owner=owner, tag=tag, state=state, page=page)
    shown = _page(
        overview(
            [*seen.standings, *mistaken], asked, datetime.now(UTC), base=base, unread=seen.unread
        )
    )
    if seen.unread:
        shown.background = BackgroundTask(_board.read_rest, specs.usable.values())
    return shown


@router.get("/margins/{model}")
def one(
    model: str, request: Request, user: GetUserDep, until: str = "", most: int = SHOWN_WINDOWS
) -> Response:
    """Return the page of one model; 404 if there is none, or none for this person."""
    base = _base(request)
    if len(model) > bounds.NAME or not may_read(model, user):
        return _page(problem_page("Not found", _NOTHING, base=base), HTTPStatus.NOT_FOUND)
    specs = _board.specs()
    if model in specs.mistaken:
        return _page(problem_page(model, specs.mistaken[model], base=base))
    try:
        if model not in specs.usable and _board.remembers(model):
            return _page(problem_page(model, _DELETED.format(model=model), base=base))
        if model not in specs.usable:
            return _page(problem_page("Not found", _NOTHING, base=base), HTTPStatus.NOT_FOUND)
        moment = bounds.moment(until) if until else None
        known = _board.status(specs.usable[model])
        questions = _board.questions(known.spec)
        standing = _board.standing_of(known)
        now = datetime.now(UTC)
        page = model_page(
            known,
            standing,
            now,
            base=base,
            times=_board.recorded(known),
            questions=questions,
            until=moment,
            most=most if most in WINDOW_CHOICES else SHOWN_WINDOWS,
            mlflow=_version(model, known.champion),
            missed=_board.missed(known, now),
        )
    except bounds.OutOfBounds as error:
        return _page(problem_page(model, str(error), base=base), HTTPStatus.BAD_REQUEST)
    except Exception as error:
        return _unreadable(model, error, base)
    return _page(page)


@router.get("/margins/{model}/{window}")
def window(
    model: str, window: str, request: Request, user: GetUserDep, beside: str = ""
) -> Response:
    """Return the page of one window, or of two; 404 if there is none, or none for this person."""
    base = _base(request)
    nothing = _page(problem_page("Not found", _NOTHING, base=base), HTTPStatus.NOT_FOUND)
    if len(model) > bounds.NAME or not may_read(model, user):
        return nothing
    spec = _board.specs().usable.get(model)
    names = [addresses.parsed(name) for name in (window, beside) if name]
    if spec is None or None in names:
        return nothing
    try:
        known = _board.status(spec)
        written = _board.written(known)
        candidates = [*known.observations, *reversed(written)]
        found = [next((o for o in candidates if n and n.fits(o)), None) for n in names]
        seen = [one for one in found if one is not None]
        if len(seen) < len(names):
            return nothing
        others = [o for o in written if o.window == seen[0].window and o != seen[0]]
        shown = [
            material(
                known,
                one,
                runs=runs_of(f"monitor.{model}", one.window_start),
                mlflow=registry.version_url(model, one.version),
            )
            for one in seen
        ]
        return _page(window_page(known, shown, others[::-1], base=base))
    except Exception as error:
        return _unreadable(model, error, base)


def _version(model: str, version: int | None) -> str | None:
    return None if version is None else registry.version_url(model, version)


def _base(request: Request) -> str:
    """Return the path at which this app is mounted, with that of Airflow before it."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def _page(html: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return HTMLResponse(html, status, headers=HEADERS)


def _unreadable(title: str, error: Exception, base: str) -> Response:
    """Return a page that says what cannot be read; of an error that is not ours, only its kind."""
    if not isinstance(error, GatelatchError):
        _log.error("The margin view cannot be shown", exc_info=error)
    said = why_unreadable(error)
    return _page(problem_page(title, said, base=base), HTTPStatus.SERVICE_UNAVAILABLE)
