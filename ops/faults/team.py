"""The services of `docker-compose.yaml` on this machine, with a model for each life to disturb.

What only watches is left out: no step of a flow waits for it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ops.faults import clock, full
from ops.landing import land_electricity
from ops.native import __main__ as native
from ops.native.images import ROOT
from ops.rest import Airflow
from ops.team import make_secrets

_WATCHERS = ("alertmanager", "grafana", "metrics", "prometheus", "triggerer")
# Nobody waits for their health, and to ask after it costs seconds of the processor each time.
_UNASKED = ("dag-processor", "scheduler", "worker")
_START_SECONDS = 600  # of a machine on which other programs run, too
ACCEPTED = "1996-12-03T00:00:00+00:00"  # the first champion is trained on what is before
WINDOW = "1997-07-01T00:00:00+00:00"  # its margins have drifted: the interstate market is open


@dataclass(frozen=True)
class Team:
    """The folder of services that run, and clients of Airflow as two of its users."""

    home: Path
    operator: Airflow
    approver: Airflow
    database: str  # of Airflow, as who may read all of it

    def says(self, container: str, *words: str) -> str:
        """Return what a program prints beside a container. Raises CalledProcessError."""
        command = native.beside(self.home / "run", container, list(words))
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{words} beside {container}: {done.stdout}{done.stderr}")
        return done.stdout

    def states(self) -> dict[str, dict[str, Any]]:
        """Return the state of each container."""
        return native.states(self.home / "run")


@contextmanager
def up(home: Path, models: dict[str, dict[str, Any]], *, clocks: bool = False) -> Iterator[Team]:
    """Start the services with these models, each given by what its spec has of its own.

    With `clocks`, what time it is for them can be set.
    """
    home.mkdir(parents=True)
    land_electricity(home / "data" / "landing")
    for name, own in models.items():
        _write_model(home / "models" / f"{name}.yaml", {"model": name, **own})
    make_secrets.make(home / "secrets")
    port, database = _free_port(), _free_port()
    (home / "compose.yaml").write_text(_altered(database, home, clocks))
    settings = {
        "GATELATCH_SECRETS_DIR": str(home / "secrets"),
        "GATELATCH_MODELS_DIR": str(home / "models"),
        "GATELATCH_DATA_DIR": str(home / "data"),
        "AIRFLOW_PORT": str(port),
        "MLFLOW_PORT": str(_free_port()),
        # A life holds a place of a worker while it waits for the others.
        "GATELATCH_WORKER_CONCURRENCY": str(max(4, 1 + len(models))),
    }
    words = (sys.executable, "-m", "ops.native", "up", "--home", str(home / "run"))
    command = full.mounting(home / "run", [*words, "--file", str(home / "compose.yaml")])
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        time.sleep(1)
        native.wait_until_up(home / "run", _START_SECONDS)
        password = (home / "secrets" / "postgres_password").read_text()
        address = f"postgresql://gatelatch:{password}@127.0.0.1:{database}/airflow"
        yield _with_people(home, f"http://127.0.0.1:{port}", list(models), address)
    finally:
        process.kill()  # and the kernel ends all that is in its namespaces
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _altered(database: int, home: Path, clocks: bool) -> str:
    """Return the compose file without what only watches, and with a port of PostgreSQL's."""
    raw = yaml.safe_load(native.FILE.read_text())
    raw["services"]["postgres"]["ports"] = [f"127.0.0.1:{database}:5432"]
    for name in _WATCHERS:
        del raw["services"][name]
    for name in _UNASKED:
        del raw["services"][name]["healthcheck"]
    if clocks:
        clock.prepare(raw["services"], home)
    return yaml.safe_dump(raw, sort_keys=False)


def _write_model(file: Path, own: dict[str, Any]) -> None:
    """Write the demo's model, whose latch opens with the first window that drifted."""
    raw = yaml.safe_load((ROOT / "models" / "electricity.yaml").read_text())
    raw["source"]["path"] = "data/landing/date={date}/*.parquet"
    del raw["scoring"], raw["source"]["margin"], raw["source"]["version_column"]
    raw["owner"] = {"name": "team", "approvers": ["2:ada"]}
    # One window is enough to ask, and a candidate of little more than its rows to go on.
    raw["latch"] = {"open": {"breaches": 1, "of": 1}, "wait": 1, "rest": "28d"}
    raw["gates"] = {"error_rate": {"not_worse_than": "champion", "by": 0.2}}
    raw["approval"] = {
        **dict.fromkeys(("retrain", "promote", "rollback"), "human"),
        "timeout": "3d",  # longer than the clock jumps
    }
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump({**raw, **own}, sort_keys=False))


def _with_people(home: Path, url: str, models: list[str], database: str) -> Team:
    secret = (home / "secrets" / "admin_password").read_text()
    team = Team(home, Airflow(url, "admin", secret), Airflow(url, "ada", "ada"), database)
    person = ["--firstname", "ada", "--lastname", "-", "--email", "ada@localhost"]
    account = ["--role", "Admin", "--username", "ada", "--password", "ada"]
    team.says("api-server", "airflow", "users", "create", *account, *person)
    flows = [f"{flow}.{m}" for m in models for flow in ("monitor", "retrain", "rollback")]
    team.operator.wait_for_dags(flows, 180)
    for dag in flows:
        team.operator.call("PATCH", f"dags/{dag}", json={"is_paused": False})
    _accept(team, models)
    return team


def _accept(team: Team, models: list[str]) -> None:
    """Give each model its first champion, on two cores."""
    words = ("python", "-m", "ops.faults.inside", "accept", ACCEPTED, "140")
    halves = [half for half in (models[::2], models[1::2]) if half]
    with ThreadPoolExecutor(len(halves)) as pool:
        for told in pool.map(lambda half: team.says("worker-1", *words, *half), halves):
            if "accepted" not in told:
                raise RuntimeError(told)
