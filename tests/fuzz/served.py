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
_SEES, _STRANGER = b"sees", b"stranger"  # whether who sends it may read the model's DAGs


class _Logged(logging.Handler):
    """The errors that the middleware logs, and goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException | None] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.errors.append(record.exc_info[1] if record.exc_info else None)


def answers_target(folder: Path) -> Target:
    """Return the middleware that keeps answers: lines of who and status, path, body and reply.

    The app behind it replies what the input says, as an Airflow at its most generous would. Three
    proposals wait: for a retrain, for a promotion, and for nothing any more. What an input decides
    is undone before the next.
    """
    if PLUGINS not in sys.path:
        sys.path.insert(0, PLUGINS)
    import answers

    logged = _Logged()
    log = logging.getLogger("answers")
    log.handlers, log.propagate = [logged], False
    answers._resume = lambda asked: None  # Airflow's own database
    ledger, undo = Ledger.open(), _asked(Ledger.open(), folder)

    def read(content: bytes) -> str:
        who, path, body, reply = ([*content.split(b"\n", 3), b"", b"", b""])[:4]
        sent: list[dict[str, Any]] = []
        reached: list[bytes] = []
        known, _, said = who.partition(b" ")
        told = 200 if said != b"403" else 403

        async def sees(scope: Any, model: str) -> bool:
            return known == _SEES

        async def app(scope: Any, receive: Any, send: Any) -> None:
            reached.append((await receive())["body"])
            await send({"type": "http.response.start", "status": told, "headers": []})
            await send({"type": "http.response.body", "body": reply})

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        where = path.decode("utf-8", "replace")
        scope = {"type": "http", "method": "PATCH", "path": where, "headers": []}
        answers._sees = sees
        logged.errors.clear()
        before = len(ledger.decisions("churn"))
        asyncio.run(answers.KeepAnswers(app)(scope, receive, send))  # type: ignore[arg-type]  # plain dicts
        status = sent[0]["status"]
        new = ledger.decisions("churn")[before:]
        if new:
            undo()
        _check(status, told, known == _SEES, reached, body)
        for error in logged.errors:
            if not isinstance(error, GatelatchError):  # a reply that is not as Airflow writes it
                raise Fault(f"not foreseen: {error!r}") from error
        for one in new:
            _check_kept(one, where, status, reply)
        return f"{status}{''.join(f', {one.step} {one.answer}' for one in new)}"

    return Target(seeds=_seeds(), read=read, folder=folder)


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
    def line(who: bytes, name: bytes, step: bytes, body: Any, reply: Any = None) -> bytes:
        texts = [x if isinstance(x, bytes) else json.dumps(x).encode() for x in (body, reply)]
        return b"\n".join([who, _QUESTION % (name, step), *texts])

    reject_without = {**_NO, "params_input": {"comment": ""}}
    marks = {**_NO, "params_input": {"comment": "\u0301\u0316" * 400}}
    grace = {"responded_by": {"id": "2", "name": "grace"}}
    deep = b'{"chosen_options": ' + b"[" * 3000
    return [
        line(_STRANGER, b"next", b"retrain", _YES, {**_YES, **_BY}),
        line(_SEES, b"later", b"promote", _YES, {**_YES, **_BY}),
        line(_SEES, b"next", b"retrain", _NO, {**_NO, **_BY}),
        line(_SEES, b"next", b"retrain", _YES, {**_YES, **grace}),
        line(_SEES + b" 403", b"next", b"retrain", _YES, {**_YES, **_BY}),
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
    """Return the route of reports, for somebody who may read the DAGs of every model."""
    if PLUGINS not in sys.path:
        sys.path.insert(0, PLUGINS)
    from served import reports

    reports.may_read = lambda model, user: True  # the most that Airflow can grant
    root = Path(store.url("reports/")).resolve()
    store.write("reports/churn/p/retrain.html", "a report")
    store.write("quarantine/churn/x/y", ROW)
    (root.parent / "secret.txt").write_text(ROW)

    def read(content: bytes) -> str:
        path = content.decode("utf-8", "surrogateescape")
        try:
            found = reports.report(path, None)  # type: ignore[arg-type]  # nobody in particular
        except HTTPException as error:
            if error.status_code != 404:
                raise Fault(f"status {error.status_code}") from error
            return "not found"
        if ROW.encode() in found.body or not (root / path).resolve().is_relative_to(root):
            raise Fault(f"{path!r} left the reports")
        return "served"

    seeds = [
        b"churn/p/retrain.html",
        b"churn/../../quarantine/churn/x/y",
        b"churn/..%2fsecret.txt",
        b"file:///etc/passwd",
        b"churn/p::file:///etc/passwd",
    ]
    return Target(seeds=seeds, read=read, folder=folder, longest=600)
