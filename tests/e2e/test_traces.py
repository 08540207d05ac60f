"""What real runs leave behind: no row but in the quarantine, no secret, nothing for others to read.

Logs, Airflow's database with XComs and rendered templates, MLflow's database and artifacts, ledger,
store, what the commands print, and the command lines of all processes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import stack_processes
from tests.support import pieces
from tests.support.sink import SECRET
from tests.support.terminal import run

from . import logged, traced
from .conftest import Running
from .landed import DAY, LETHAL, START

# What the tests themselves wrote into the home, and what is there to keep a secret.
LANDED = {
    "landing",
    "mortal",
    LETHAL,
    logged.MODEL,
    "owners",
    "traced",
    "data",
    "models",
    "channels.yaml",
    "reviewed.csv",
    "traced.html",
    "traced.prom",
}
KEPT = {"settings.json", "passwords.json", "signing.pem"}


def _written(home: Path) -> Iterator[Path]:
    """Yield what the stack wrote into its home, folders included."""
    for path in home.rglob("*"):
        if path.relative_to(home).parts[0] not in LANDED:
            yield path


def _pieces(home: Path) -> Iterator[tuple[str, bytes]]:
    for path in _written(home):
        name = path.relative_to(home)
        if path.is_file() and not path.is_symlink() and str(name) not in KEPT:
            yield from pieces.parts(str(name), path.read_bytes())


def _where(home: Path, words: dict[str, bytes]) -> dict[str, set[str]]:
    """Return in which files each word stands, in any case."""
    return pieces.where(_pieces(home), words)


def _log_of(running: Running, dag: str, task: str) -> str:
    logs = (running.home / "airflow" / "logs").rglob("*.log")
    mine = [log for log in logs if f"dag_id={dag}" in str(log) and f"task_id={task}" in str(log)]
    return "\n".join(log.read_text() for log in mine)


@pytest.fixture(scope="module")
def played(running: Running) -> Running:
    """Train on rows with canaries, watch odd windows, and ask a database that lets nobody in."""
    refused = running.bootstrap("shut_out")
    boot = running.bootstrap("traced")
    assert running.operator.finished("retrain.traced", boot) == "success"
    days = [START + day * DAY for day in (traced.ODD, traced.TYPED_OTHERWISE, traced.CUT)]
    runs = [
        running.operator.trigger("monitor.traced", {"conf": {"window": day.isoformat()}})
        for day in days
    ]
    for name in runs:
        assert running.operator.finished("monitor.traced", name) == "success"
    assert running.operator.finished("retrain.shut_out", refused) == "failed"
    return running


def test_a_row_is_nowhere_but_in_its_source_and_in_the_quarantine(played: Running) -> None:
    words = {
        "a key, category or word": traced.CANARY.encode(),
        "a value": str(traced.OUTLIER).encode(),
        "a label": str(traced.STRANGE).encode(),
    }
    found = _where(played.home, words)
    for word, places in found.items():
        assert any(name.startswith("store/quarantine/traced/") for name in places), word
        assert [n for n in places if not n.startswith("store/quarantine/traced/")] == [], word
    xcoms = "dags/monitor.traced/dagRuns/~/taskInstances/~/xcomEntries"
    assert played.operator.call("GET", xcoms)["total_entries"] > 3


def test_no_command_prints_a_row(played: Running) -> None:
    with played.inside(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATELATCH_MODELS", str(played.home / "models"))
        page, metrics = played.home / "traced.html", played.home / "traced.prom"
        said = [
            *(run("status", "traced"), run("status", "traced", "--json")),
            *(run("audit", "traced", "--json"), run("doctor"), run("notify", "--dry-run")),
            run("metrics", "--textfile", str(metrics)),
            run("report", "traced", "--to-file", str(page)),
        ]
    told = "\n".join(done.output for done in said) + page.read_text() + metrics.read_text()
    assert "traced" in told
    for word in (traced.CANARY, str(traced.OUTLIER), str(traced.STRANGE)):
        assert word not in told.lower()


def test_no_secret_is_in_what_the_stack_writes_nor_in_a_command_line(played: Running) -> None:
    settings = played.settings
    key = (played.home / "signing.pem").read_text().splitlines()[1]
    secrets = {
        "the JWT secret": settings.jwt_secret[:32],
        "MLflow's password": settings.mlflow_password,
        "the database's password": traced.PASSWORD,
        "a channel's address": SECRET,
        "the workers' key": key,
        **{f"the password of {user}": word for user, word in settings.passwords.items()},
    }
    found = _where(played.home, {name: word.encode() for name, word in secrets.items()})
    assert {name: places for name, places in found.items() if places} == {}
    assert "failed to resolve host '***@127.0.0.1'" in _log_of(
        played, "retrain.shut_out", "propose"
    )
    processes = stack_processes._orphans(played.home, set())
    assert len(processes) >= 5
    for process in processes:
        for name, word in secrets.items():
            assert word not in " ".join(process.cmdline()), name


def test_nobody_else_on_the_machine_can_read_what_the_stack_writes(played: Running) -> None:
    assert played.home.stat().st_mode & 0o077 == 0
    found = {
        str(path.relative_to(played.home)): oct(path.lstat().st_mode & 0o777)
        for path in _written(played.home)
        if not path.is_symlink() and path.lstat().st_mode & 0o077
    }
    assert json.dumps(found, indent=1) == "{}"
