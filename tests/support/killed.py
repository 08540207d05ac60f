"""One promotion, in processes that kill themselves at a write, or that find the disk full."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from hashlib import sha256
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from tasks.audit import findings
from tasks.flows import asking, retrain, rollback
from tasks.ledger.ledger import Ledger
from tasks.promotion import decisions, promotion
from tasks.registry import registry, tracking
from tests.support.flow import FIRST, MODEL, answer, propose, watch
from tests.support.writes import Writes

# What the steps import when they are run, and what takes long.
_IMPORTED = (
    "great_expectations",
    "mlflow.pyfunc",
    "mlflow.sklearn",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "model_signing.signing",
    "model_signing.verifying",
    "skops.io",
    "tasks.gates.acceptance",
    "tasks.reports.gate_page",
)
_HEAD = re.compile(rb"(Ledger up to link \d+: <code>)\w+")


def _watch() -> None:
    watch(11)


def _prepare() -> None:
    """Leave a calibrated candidate, and its files below this folder."""
    with closing(sqlite3.connect("mlflow.db")) as link, link:
        link.execute("update experiments set artifact_location = ?", (f"{Path.cwd()}/artifacts",))
    propose()
    decisions.decide(MODEL, FIRST, "retrain", answer())
    run = retrain.train(MODEL, FIRST)["candidate_run"]
    retrain.calibrate(MODEL, FIRST, run)


def _gate() -> None:
    judged = retrain.gate(MODEL, FIRST, _run())
    assert judged["passed"], judged["gates"]


def _register() -> None:
    retrain.register(MODEL, FIRST, _run())
    asking.to_promote(MODEL, FIRST, "/dags/here")


def _approve() -> None:
    decision, asked = decisions.question(MODEL, FIRST, "promote")
    if decision is None:
        assert ("ada", "ada") in asked
        decisions.decide(MODEL, FIRST, "promote", answer("ada"))


def _promote() -> None:
    decisions.decide(MODEL, FIRST, "promote", None)
    promotion.promote(MODEL, FIRST)


def _roll_back() -> None:
    assert rollback.target(MODEL, None) == (2, 1)
    rollback.by_hand(MODEL, "back", version=None, by="ada", reason="complaints")
    rollback.promote_back(MODEL, "back")


STEPS: dict[str, Callable[[], None]] = {
    "watch": _watch,
    "prepare": _prepare,
    "gate": _gate,
    "register": _register,
    "approve_promote": _approve,
    "promote": _promote,
    "rollback": _roll_back,
}
FLOW = ("gate", "register", "approve_promote", "promote")  # as the DAG's tasks have it


def _run() -> str:
    """Return the proposal's run, which is there since it was trained."""
    return tracking.start("churn", FIRST, {})


def end() -> dict[str, Any]:
    """Return all that a promotion leaves behind, but the wall clock and what bears it."""
    ledger, client = Ledger.open(), tracking.connect()
    trail = ledger.trail("churn")
    versions = client.search_model_versions("name = 'churn'")
    return {
        "rows": {at: _timeless(row) for at, row in trail.rows.items()},
        "chain": [(link.position, link.table_name, link.row_id) for link in trail.links],
        "fault": findings.verify_trail("churn", trail).fault,
        "aliases": dict(client.get_registered_model("churn").aliases),
        "versions": {int(v.version): (_timeless(v.tags), v.description) for v in versions},
        "candidate": _of_candidate(ledger),
        "store": {
            str(path): "" if path.parent.name == "heads" else _digest(path)
            for path in sorted(Path("store").rglob("*"))
            if path.is_file() and path.suffix != ".partial"  # nobody reads those
        },
    }


def _digest(path: Path) -> str:
    """Return the digest of a file, without the head of the chain that a brief ends with."""
    return sha256(_HEAD.sub(rb"\1", path.read_bytes())).hexdigest()


def _of_candidate(ledger: Ledger) -> Any:
    candidate = next((c for c in ledger.candidates("churn") if c.proposal == FIRST), None)
    if candidate is None:
        return None
    registry.load_version(
        "churn", candidate.version, candidate.artifact_digest
    )  # the files are whole
    handed_over = ("gates", "gate_page", "reference", "metrics")
    return (
        tracking.connect().get_run(candidate.run_id).data.metrics,
        {n: tracking.get_json(candidate.run_id, n) for n in handed_over},
    )


def _timeless(row: Any) -> dict[str, Any]:
    """Return it without times of recording and signatures, no two of which are the same.

    Of the ledger's heads, which seal both, only the names are left.
    """
    return {
        name: "" if "ledger_head" in name else _unsigned(value) if "_record." in name else value
        for name, value in row.items()
        if name != "recorded_at"
    }


def _unsigned(record: str) -> Any:
    """Return what a promotion record says."""
    return json.loads(json.loads(record)["record"])


class Place:
    """A folder in which processes play, one after the other, each killed or not.

    Always the same one, for MLflow keeps absolute paths; what is to be played again is put back.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # One process imports, all others are its forks: no engine, thread or key is open in it.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__, *_IMPORTED])
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))  # its own path lacks this
            forkserver.ensure_running()

    def keep(self, name: str) -> None:
        """Keep what is there under a name."""
        shutil.copytree(self.folder, self._kept(name))

    def back_to(self, name: str) -> None:
        """Put back what was kept under a name."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._kept(name), self.folder)

    def play(
        self,
        *steps: str,
        kill: int | None = None,
        full: int | None = None,
        look: bool = False,
    ) -> tuple[list[str], dict[str, Any] | None]:
        """Play steps in a process of its own; return its writes, and what is there at its end.

        Told to, it is killed at the write of that number, counted from 0: half way through if that
        is a file, and else before it. Then the end is None and that write the last; the end is
        empty if nobody wanted to `look`. Or the disk is `full` from the write of that number on, at
        which the file is left empty: then the end says what was `raised`.
        """
        here, there = self._context.Pipe(duplex=False)
        settings = {k: v for k, v in os.environ.items() if k.startswith(("GATELATCH_", "MLFLOW_"))}
        process = self._context.Process(
            target=_play, args=(self.folder, settings, steps, (kill, full), look, there)
        )
        process.start()
        there.close()
        said = list(_told(here))
        process.join()
        if process.exitcode == -signal.SIGKILL and kill is not None:
            return said, None
        assert process.exitcode == 0, f"{steps} ended with exit code {process.exitcode}"
        return said[:-1], said[-1]

    def _kept(self, name: str) -> Path:
        return self.folder.with_name(f"{self.folder.name} before {name}")


def _told(pipe: Connection) -> Any:
    while True:
        try:
            yield pipe.recv()
        except EOFError:
            return


def _play(
    folder: Path,
    settings: dict[str, str],
    steps: Sequence[str],
    fate: tuple[int | None, int | None],
    look: bool,
    said: Connection,
) -> None:
    os.environ.update(settings)
    os.chdir(folder)
    kill, full = fate
    if full is not None:
        tempfile.tempdir = f"{folder}/tmp"  # is on the disk that is full
        os.makedirs(tempfile.tempdir, exist_ok=True)
    writes = Writes(f"{folder}/", kill, full, said)
    try:
        for step in steps:
            STEPS[step]()
    except Exception as error:
        if full is None:
            raise
        said.send({"raised": (type(error).__name__, str(error))})
        return
    writes.over = True
    said.send(end() if look else {})
