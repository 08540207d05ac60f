"""What Airflow's API server runs for whoever sends a request: kept answers, and reports."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from fastapi import HTTPException

from ops.stack_settings import ROOT
from tasks import bounds, store
from tasks.errors import GatelatchError
from tasks.formats import parsed_json
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Decision
from tasks.promotion import proposals, questions
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN
from tests.fuzz.target import Fault, Target
from tests.support import forging
from tests.support.attack import SECRET as ROW

PLUGINS = str(ROOT / "plugins")
_QUESTION = b"/api/v2/dags/retrain.churn/dagRuns/%s/taskInstances/approve_%s/-1/hitlDetails"
_YES = {"chosen_options": ["Approve"], "params_input": {"comment": "go"}}
_NO = {"chosen_options": ["Reject"], "params_input": {"comment": "too early"}}
_BY = {"responded_by": {"id": "ada", "name": "ada"}, "responded_at": "2026-01-01"}
_DIGITS = [str(number).encode() for number in range(1, 10)]
_NEXT = b"\x1e"  # between two headers
_TOKEN = "t0ken"  # of who may read the model's DAGs
_SEES = b"Authorization: Bearer t0ken"
_COOKIE = b"Cookie: a=b; _token=t0ken" + _NEXT + b"Content-Type: application/json"
_STRANGER = b"Authorization: Bearer other"


class _Logged(logging.Handler):
    """The errors that the middleware logs, and goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException | None] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.errors.append(record.exc_info[1] if record.exc_info else None)


def answers_target(folder: Path) -> Target:
    """Return the middleware that keeps answers.

    An input is a line of words (method, Airflow's status, in how many parts body and reply come,
    whether the sender goes away), a line of headers, the path, the body, and the reply. The app
    behind it replies what the input says, as an Airflow at its most generous would. Three proposals
    wait: for a retrain, for a promotion, and for nothing any more. What an input decides is undone
    before the next.
    """
    if PLUGINS not in sys.path:
        sys.path.insert(0, PLUGINS)
    import answers
    from airflow.api_fastapi.core_api import security
    from served import rights

    logged = _Logged()
    log = logging.getLogger("answers")
    log.handlers, log.propagate = [logged], False
    ledger, undo = Ledger.open(), _asked(Ledger.open(), folder)

    def read(content: bytes) -> str:
        words, headers, path, body, reply = ([*content.split(b"\n", 4), *[b""] * 4])[:5]
        method, *more = words.split(b" ")
        told = 403 if b"403" in more else 200
        parts = next((int(word) for word in more if word in _DIGITS), 1)
        known = False
        sent: list[dict[str, Any]] = []
        reached: list[bytes] = []

        async def user_of(token: str) -> str:
            nonlocal known
            known = token == _TOKEN
            if not known:
                raise HTTPException(401)
            return "ada"

        async def app(scope: Any, receive: Any, send: Any) -> None:
            got = b""
            while True:
                message = await receive()
                got += message.get("body", b"")
                if not message.get("more_body"):
                    break
            reached.append(got)
            await send({"type": "http.response.start", "status": told, "headers": []})
            for one in _messages("http.response.body", reply, parts):
                await send(one)

        coming = _messages("http.request", body, parts)
        if b"gone" in more:  # before the last part of it
            coming[-1:] = [{"type": "http.disconnect"}]
        came = b"".join(one.get("body", b"") for one in coming)
        waiting = iter(coming)

        async def receive() -> dict[str, Any]:
            return next(waiting, {"type": "http.disconnect"})

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        where = path.decode("utf-8", "replace")
        scope = {
            "type": "http",
            "method": method.decode("latin-1"),
            "path": where,
            "headers": _headers(headers),
        }
        logged.errors.clear()
        before = len(ledger.decisions("churn"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(security, "resolve_user_from_token", user_of)
            patch.setattr(rights, "may_read", lambda model, user: True)
            patch.setattr(answers, "_resume", lambda asked: None)  # Airflow's own database
            asyncio.run(answers.KeepAnswers(app)(scope, receive, send))  # type: ignore[arg-type]  # plain dicts
        status = sent[0]["status"]
        new = ledger.decisions("churn")[before:]
        if new:
            undo()
        _check(status, told, known, reached, came)
        replied = b"".join(one.get("body", b"") for one in sent[1:])
        if reached and replied != reply:
            raise Fault(f"Airflow replied {reply!r} and the sender got {replied!r}")
        for error in logged.errors:
            if not isinstance(error, GatelatchError):  # a reply that is not as Airflow writes it
                raise Fault(f"not foreseen: {error!r}") from error
        for one in new:
            if method != b"PATCH":
                raise Fault(f"an answer was kept of {method!r}")
            _check_kept(one, where, status, reply)
        return f"{status}{''.join(f', {one.step} {one.answer}' for one in new)}"

    return Target(seeds=_seeds(), read=read, folder=folder)


def _messages(kind: str, content: bytes, parts: int) -> list[dict[str, Any]]:
    """Return what ASGI passes on of a body that comes in parts."""
    size = max(1, -(-len(content) // parts))
    cut = [content[at : at + size] for at in range(0, len(content), size)] or [b""]
    last = len(cut) - 1
    return [{"type": kind, "body": one, "more_body": n < last} for n, one in enumerate(cut)]


def _headers(line: bytes) -> list[tuple[bytes, bytes]]:
    """Return headers as a server passes them on: names in lower case, values without blanks."""
    pairs = (one.partition(b":") for one in line.split(_NEXT) if one)
    return [(name.strip().lower(), value.strip()) for name, _, value in pairs]


def _asked(ledger: Ledger, folder: Path) -> Callable[[], None]:
    """Ask about three proposals; return what brings ledger and store back to this."""
    spec = ModelSpec.model_validate(CHURN)
    forging.version(ledger, 1)
    for name in ("next", "later", "gone"):
        ledger.propose(forging.proposal(name, champion=1, spec_digest=spec.digest))
        questions.ask(spec, ledger, name, "retrain")
    proposals.withdraw(spec, "gone", "ada", "not needed")
    forging.approve(ledger, "later", "retrain")
    ledger.add_candidate(forging.registered(proposal="later", version=2, spec_digest=spec.digest))
    questions.ask(spec, ledger, "later", "promote")
    kept = sqlite3.connect(":memory:", check_same_thread=False)
    live = folder / "kept.db"
    with sqlite3.connect(live) as link:
        link.backup(kept)
    heads, aside = folder / "store", folder / "store-before"
    if heads.exists():
        shutil.copytree(heads, aside)

    def undo() -> None:
        with sqlite3.connect(live) as link:
            kept.backup(link)
        shutil.rmtree(heads, ignore_errors=True)
        if aside.exists():
            shutil.copytree(aside, heads)

    return undo


def _seeds() -> list[bytes]:
    def line(
        who: bytes,
        name: bytes,
        step: bytes,
        body: Any,
        reply: Any = None,
        how: bytes = b"PATCH 200",
    ) -> bytes:
        texts = [x if isinstance(x, bytes) else json.dumps(x).encode() for x in (body, reply)]
        return b"\n".join([how, who, _QUESTION % (name, step), *texts])

    reject_without = {**_NO, "params_input": {"comment": ""}}
    marks = {**_NO, "params_input": {"comment": "\u0301\u0316" * 400}}
    grace = {"responded_by": {"id": "2", "name": "grace"}}
    deep = b'{"chosen_options": ' + b"[" * 3000
    return [
        line(_STRANGER, b"next", b"retrain", _YES, {**_YES, **_BY}),
        line(_SEES, b"later", b"promote", _YES, {**_YES, **_BY}),
        line(_SEES, b"next", b"retrain", _NO, {**_NO, **_BY}),
        line(_SEES, b"next", b"retrain", _YES, {**_YES, **grace}),
        line(_SEES, b"next", b"retrain", _YES, {**_YES, **_BY}, b"PATCH 403"),
        line(_COOKIE, b"later", b"promote", _YES, {**_YES, **_BY}, b"PATCH 200 3"),
        line(_SEES, b"next", b"retrain", _NO, {**_NO, **_BY}, b"PATCH 200 9 gone"),
        line(_SEES, b"next", b"retrain", _NO, {**_NO, **_BY}, b"POST 200 2"),
        line(_COOKIE, b"gone", b"retrain", _YES, {**_YES, **_BY}, b"PATCH 200 5"),
        line(_SEES, b"gone", b"retrain", _YES, {**_YES, **_BY}),
        line(_SEES, b"nobodys", b"retrain", _YES, {**_YES, **_BY}),
        line(_SEES, b"next", b"promote", _YES, {**_YES, **_BY}),
        line(_STRANGER, b"next", b"retrain", reject_without),
        line(_STRANGER, b"next", b"retrain", marks),
        line(_SEES, b"next", b"retrain", _NO, {**_NO, "responded_by": {"id": "\ud800\0"}}),
        line(_STRANGER, b"next", b"retrain", deep, deep),
    ]


def _check(status: int, told: int, sees: bool, reached: list[bytes], body: bytes) -> None:
    """Raise a Fault unless Airflow got what was sent, or the sender one of our refusals."""
    if reached not in ([], [body]):
        raise Fault("Airflow got another body than was sent")
    if reached and status != told:
        raise Fault(f"Airflow said {told} and the sender got {status}")
    if not reached and status not in (409, 413, 422):
        raise Fault(f"status {status}")
    if status == 409 and not sees:
        raise Fault("a stranger was told how a proposal ended")


def _check_kept(new: Decision, path: str, status: int, reply: bytes) -> None:
    """Raise a Fault unless this decision is what Airflow said of who was asked."""
    if status != 200:
        raise Fault(f"{new.answer} was kept of what Airflow refused ({status})")
    if f"dagRuns/{new.proposal}/" not in path or f"approve_{new.step}/" not in path:
        raise Fault(f"an answer to {path!r} became one to {new.step} of {new.proposal}")
    if new.answer == "approved" and not (new.by == "ada" and _is_yes(reply)):
        raise Fault(f"a yes was made of {reply!r}")
    if bounds.NOT_IN_PROSE.search(new.comment.replace("\n", " ")) or len(new.comment) > 2100:
        raise Fault(f"a comment that nothing can show: {new.comment!r}")


def _is_yes(reply: bytes) -> bool:
    """Return whether Airflow said that one who was asked chose Approve and nothing else."""
    told = parsed_json(reply)
    return bool(told["chosen_options"] == ["Approve"] and told["responded_by"]["id"] == "ada")


def reports_target(folder: Path) -> Target:
    """Return the app that serves reports, for somebody who may read the DAGs of every model.

    An input is what a request names behind `/reports/`, as it stands in its first line.
    """
    if PLUGINS not in sys.path:
        sys.path.insert(0, PLUGINS)
    from airflow.api_fastapi.core_api.security import get_user
    from served import reports
    from served.app import app

    root = Path(store.url("reports/")).resolve()
    store.write("reports/churn/p/retrain.html", "a report")
    store.write("quarantine/churn/x/y", ROW)
    (root.parent / "secret.txt").write_text(ROW)
    runner = asyncio.Runner()

    async def anybody() -> str:
        return "ada"

    def read(content: bytes) -> str:
        raw, _, query = content.partition(b"?")
        path = unquote(raw.decode("latin-1"))  # as Uvicorn does
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "root_path": "",
            "path": f"/reports/{path}",
            "raw_path": b"/reports/" + raw,
            "query_string": query,
            "headers": [(b"host", b"localhost")],
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reports, "may_read", lambda model, user: True)  # the most there is
            patch.setitem(app.dependency_overrides, get_user, anybody)
            runner.run(app(scope, receive, send))
        status = sent[0]["status"]
        if status == 404:
            return "not found"
        if status != 200:
            raise Fault(f"status {status}")
        body = b"".join(one.get("body", b"") for one in sent[1:])
        if ROW.encode() in body or not (root / path).resolve().is_relative_to(root):
            raise Fault(f"{path!r} left the reports")
        if b"content-security-policy" not in dict(sent[0]["headers"]):
            raise Fault(f"{path!r} is served without a policy")
        return "served"

    seeds = [
        b"churn/p/retrain.html",
        b"churn/p/retrain.html?x=1",
        b"churn/../../quarantine/churn/x/y",
        b"churn/%2e%2e/..%2fsecret.txt",
        b"file:///etc/passwd",
        b"churn/p::file:///etc/passwd",
    ]
    return Target(seeds=seeds, read=read, folder=folder, longest=600)
