"""What Airflow's API server runs for whoever sends a request: kept answers, and reports."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Any

from fastapi import HTTPException

from ops.stack_settings import ROOT
from tasks import store
from tasks.ledger.ledger import Ledger
from tests.fuzz.target import Fault, Target
from tests.support import forging
from tests.support.attack import SECRET as ROW

PLUGINS = str(ROOT / "plugins")
_QUESTION = b"/api/v2/dags/retrain.churn/dagRuns/next/taskInstances/approve_retrain/-1/hitlDetails"
_YES = {"chosen_options": ["Approve"], "params_input": {"comment": "go"}}
_TOLD = {**_YES, "responded_by": {"id": "ada", "name": "ada"}, "responded_at": "2026-01-01"}
LARGEST = 1_000_000


def answers_target(folder: Path) -> Target:
    """Return the middleware that keeps answers: lines of path, body, and what Airflow replies.

    The app behind it accepts everything, as Airflow at its most generous would.
    """
    if PLUGINS not in sys.path:
        sys.path.insert(0, PLUGINS)
    from answers import KeepAnswers

    logging.getLogger("answers").disabled = True
    ledger = Ledger.open()
    forging.version(ledger, 1)
    ledger.propose(forging.proposal("next", champion=1))
    forging.ask(ledger, "next", "retrain")

    def read(content: bytes) -> str:
        path, body, reply = ([*content.split(b"\n", 2), b"", b""])[:3]
        sent: list[dict[str, Any]] = []
        reached: list[bytes] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            reached.append((await receive())["body"])
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": reply})

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "PATCH",
            "path": path.decode("utf-8", "replace"),
            "headers": [],
        }
        before = len(ledger.decisions("churn"))
        asyncio.run(KeepAnswers(app)(scope, receive, send))  # type: ignore[arg-type]  # plain dicts
        if reached not in ([], [body]):
            raise Fault("Airflow got another body than was sent")
        status = sent[0]["status"]
        if status not in (200, 413, 422):
            raise Fault(f"status {status}")
        for new in ledger.decisions("churn")[before:]:
            if (new.answer, new.by) == ("approved", "ada") and not _is_yes(reply):
                raise Fault(f"a yes was made of {reply!r}")
        return f"answered {status}"

    seeds = [
        b"\n".join([_QUESTION, json.dumps(_YES).encode(), json.dumps(_TOLD).encode()]),
        b"\n".join([_QUESTION, b'{"chosen_options": ["Reject"], "params_input": {"comment": ""}}']),
    ]
    return Target(seeds=seeds, read=read, folder=folder)


def _is_yes(reply: bytes) -> bool:
    """Return whether Airflow said that one who was asked chose Approve and nothing else."""
    told = json.loads(reply)
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
