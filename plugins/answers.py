"""Keeps each answer to an approval at the moment that it is given, in the API server.

Airflow 3.3 may fail the task that was just answered, and drop the answer with it, or leave it
parked: docs/decisions/010-answers-are-kept-when-given.md. A rejection whose form has no reason goes
back to who sent it.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LARGEST = 1_000_000  # bytes of an answer; a form holds one comment
_QUESTION = re.compile(
    r"/api/v2/dags/(?P<flow>retrain|rollback)\.(?P<model>[^/]+)/dagRuns/(?P<proposal>[^/]+)"
    r"/taskInstances/approve_(?P<step>retrain|promote|rollback)/-1/hitlDetails/?$"
)
_log = logging.getLogger(__name__)


class KeepAnswers:
    """ASGI middleware around Airflow's API: looks at answers to our approvals and nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = _question(scope)
        if asked is None:
            await self._app(scope, receive, send)
            return
        # Here, as every task process loads this file.
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import JSONResponse

        given = await _read(receive)
        if given is None:
            await JSONResponse({"detail": "this answer is too long"}, 413)(scope, receive, send)
            return
        if _lacks_reason(given):
            told = {"detail": "A rejection needs a reason: write it into the form."}
            await JSONResponse(told, 422)(scope, receive, send)
            return
        known = await _sees(scope, asked["model"])  # Airflow refuses everybody else
        if known and (over := await run_in_threadpool(_over, asked)):
            await JSONResponse({"detail": over}, 409)(scope, receive, send)
            return
        status, reply = 0, b""

        async def forward(message: Message) -> None:
            nonlocal status, reply
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                reply += message.get("body", b"")
                if status == 200 and not message.get("more_body"):
                    await run_in_threadpool(_keep, asked, reply)
                    await run_in_threadpool(_resume, asked)
            await send(message)

        await self._app(scope, _again(given, receive), forward)


def _question(scope: Scope) -> dict[str, str] | None:
    if scope["type"] != "http" or scope["method"] != "PATCH":
        return None
    found = _QUESTION.search(scope["path"])
    return found.groupdict() if found else None


async def _sees(scope: Scope, model: str) -> bool:
    """Return whether whoever sends this may read one of the model's DAGs."""
    from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
    from airflow.api_fastapi.core_api.security import resolve_user_from_token
    from fastapi import HTTPException
    from served.rights import may_read
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request

    request = Request(scope)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = request.cookies.get(COOKIE_NAME_JWT_TOKEN, "")
    try:
        user = await resolve_user_from_token(token)
    except HTTPException:
        return False
    return await run_in_threadpool(may_read, model, user)


async def _read(receive: Receive) -> bytes | None:
    """Return the request's body; None if it is larger than an answer can be."""
    body = bytearray()  # it may come in any number of parts
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _LARGEST:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def read() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return read


def _lacks_reason(body: bytes) -> bool:
    """Return whether it rejects with a form whose reason is empty.

    A program that sends no form at all rejects without a reason: better than no rejection.
    """
    from tasks.formats import parsed_json
    from tasks.promotion.answers import REJECT, comment_of

    try:
        given = parsed_json(body)
        form = given["params_input"]
        return given["chosen_options"] == [REJECT] and "comment" in form and not comment_of(form)
    except (ValueError, TypeError, LookupError):
        return False  # what is wrong with it is Airflow's to say


def _over(asked: dict[str, str]) -> str | None:
    """Return how a proposal has ended that this answer would be about; None if it has not."""
    from tasks.ledger import status
    from tasks.ledger.ledger import Ledger
    from tasks.promotion import proposals
    from tasks.spec import spec_files

    try:
        known = status.read(spec_files.find(asked["model"]), Ledger.open())
        end = proposals.ended(known, asked["proposal"])
    except Exception:
        _log.exception("Whether %s has ended could not be looked up", asked["proposal"])
        return None
    if end is None or end.step == asked["step"]:
        return None  # of a step that is decided, Airflow says so
    return (
        f"Nothing comes of an answer any more: {end.step}: {end.answer} by {end.by}. {end.comment}"
    )


def _keep(asked: dict[str, str], told: bytes) -> None:
    """Record an answer that Airflow has accepted.

    If that fails, the answer still goes Airflow's way, to the task that waits for it.
    """
    from tasks.promotion import decisions
    from tasks.promotion.answers import response_of
    from tasks.spec import spec_files

    try:
        spec = spec_files.find(asked["model"])
        decisions.decide(spec, asked["proposal"], asked["step"], response_of(told))
    except Exception:
        _log.exception("The answer to %s of %s was not recorded", asked["step"], asked["proposal"])


def _resume(asked: dict[str, str]) -> None:
    """Resume a task that Airflow left parked, as it can if it was parked while it was answered.

    The answer's transaction then saw the task as still running; once more, after it, is enough.
    """
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import handle_event_submit
    from airflow.triggers.base import TriggerEvent
    from airflow.utils.session import create_session
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy import select
    from sqlalchemy.orm import joinedload

    parked = (
        select(TaskInstance)
        .where(
            TaskInstance.dag_id == f"{asked['flow']}.{asked['model']}",
            TaskInstance.run_id == asked["proposal"],
            TaskInstance.task_id == f"approve_{asked['step']}",
            TaskInstance.state == TaskInstanceState.AWAITING_INPUT,
        )
        .options(joinedload(TaskInstance.hitl_detail))
        .with_for_update(of=TaskInstance)
    )
    try:
        with create_session() as session:
            for task in session.scalars(parked):
                if task.hitl_detail.response_received:
                    event = TriggerEvent(task.hitl_detail.as_resume_event_payload())
                    handle_event_submit(event, task_instance=task, session=session)
    except Exception:
        _log.exception("%s of %s may wait until its timeout", asked["step"], asked["proposal"])


class AnswersPlugin(AirflowPlugin):
    name = "gatelatch_answers"
    fastapi_root_middlewares = [{"middleware": KeepAnswers, "name": "Gatelatch answers"}]
