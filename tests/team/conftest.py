"""All services of `docker-compose.yaml`, once for all tests here, with people and rows."""

from __future__ import annotations

import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Page, expect, sync_playwright

from ops.native import __main__ as native
from ops.rest import Airflow
from ops.team import make_secrets
from tests.e2e.browser import CHROMIUM
from tests.e2e.landed import WINDOW, land
from tests.support.native import need_images, says, up
from tests.support.seen_secrets import SeenSecrets, secrets_of_team

from . import more_models

START_SECONDS = 600  # of a machine on which other tests run, too
PUBLISHED = ("AIRFLOW", "MLFLOW", "PROMETHEUS", "ALERTMANAGER", "GRAFANA")
# What everybody needs who answers approvals, whichever models are theirs.
PERSON = [
    *(("can_read", name) for name in ("Website", "DAG Runs", "DAG Versions", "Task Instances")),
    *(("can_read", "HITL Detail"), ("can_edit", "HITL Detail")),
    *(("menu_access", "HITL Detail"), ("menu_access", "DAGs"), ("can_read", "My Profile")),
]


@dataclass(frozen=True)
class Team:
    """The services that run, where they answer, and the people."""

    home: Path
    ports: dict[str, int]
    secrets: Path
    # What processes showed while the services came up and people were made.
    seen: SeenSecrets
    people: dict[str, Airflow] = field(default_factory=dict)

    @property
    def airflow_url(self) -> str:
        return f"http://localhost:{self.ports['AIRFLOW']}"

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text()

    def url(self, service: str) -> str:
        return f"http://localhost:{self.ports[service]}"

    def says(self, container: str, *words: str, code: int = 0) -> str:
        """Return what a program prints beside a container, which ends with that code."""
        return says(self.home, container, *words, code=code)

    def states(self) -> dict[str, dict[str, Any]]:
        return native.states(self.home)

    def log_in(self, name: str) -> Airflow:
        self.people[name] = Airflow(self.airflow_url, name, self.secret(f"{name}_password"))
        return self.people[name]

    def asked(self, dag: str, run: str, step: str) -> dict[str, Any]:
        """Wait for an approval and return it."""
        ada = self.people["ada"]

        def find() -> dict[str, Any] | None:
            for one in ada.waiting(dag):
                task = one["task_instance"]
                if (task["dag_run_id"], task["task_id"]) == (run, f"approve_{step}"):
                    return one
            return None

        return ada.until(find, f"approve_{step} of {run}", 300)

    def decided(self, dag: str, run: str, step: str) -> None:
        """Wait until the run goes on after a step that was answered."""
        path = f"dags/{dag}/dagRuns/{run}/taskInstances/decide_{step}"
        done = partial(self.people["otto"].call, "GET", path)
        self.people["otto"].until(lambda: done()["state"] == "success", f"{step} decided", 300)


def _ports() -> dict[str, int]:
    found, held = {}, []
    for name in PUBLISHED:
        held.append(socket.create_server(("127.0.0.1", 0)))
        found[name] = int(held[-1].getsockname()[1])
    for one in held:
        one.close()
    return found


def _write_models(folder: Path) -> None:
    """Write a model of ada's, one of bob's and one that nobody is asked about, on the same rows."""
    folder.mkdir()
    for name, approver, decides in (
        ("churn", "2:ada", "human"),
        ("returns", "3:bob", "human"),
        ("orders", "3:bob", "automatic"),
    ):
        spec = {
            "model": name,
            "owner": {"name": "team", "approvers": [approver]},
            "source": {
                "path": "data/landing/date={date}/*.parquet",
                "time": "time",
                "key": "id",
            },
            "window": WINDOW,
            "features": {"numeric": ["x", "z"]},
            "label": {"column": "y", "classes": [0, 1]},
            "drift": {"ks": {"effect": 0.2}, "hinge_loss": {"effect": 0.2}},
            "latch": {"rest": "1d"},
            "training": {"window": "2d"},
            "approval": dict.fromkeys(("retrain", "promote", "rollback"), decides),
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(spec))


def _people(team: Team) -> None:
    """Make the people and their rights, as an administrator does: docs/deployment.md."""
    admin = team.log_in("admin")
    admin.wait_for_dags(
        ["monitor.churn", "retrain.churn", "monitor.returns", "monitor.orders"], 120
    )
    roles = {"Person": PERSON}
    for model in ("churn", "returns"):
        dags = [f"DAG:{flow}.{model}" for flow in ("monitor", "retrain", "rollback")]
        answered = [("can_edit", dag) for dag in dags[1:]]
        roles[f"Approver of {model}"] = [*(("can_read", dag) for dag in dags), *answered]
    for role, rights in roles.items():
        actions = [{"action": {"name": a}, "resource": {"name": r}} for a, r in rights]
        _fab(admin, "roles", {"name": role, "actions": actions})
    add_person(team, "ada", "Person", "Approver of churn")
    add_person(team, "bob", "Person", "Approver of returns")
    add_person(team, "otto", "Op")
    for dag in admin.call("GET", "dags")["dags"]:
        if dag["dag_id"] != more_models.BY_SCHEDULE:
            admin.call("PATCH", f"dags/{dag['dag_id']}", json={"is_paused": False})


def add_person(team: Team, name: str, *roles: str) -> Airflow:
    """Make a person with these roles; return their client."""
    (team.secrets / f"{name}_password").write_text(f"password-of-{name}")
    person = {"username": name, "first_name": name, "last_name": "-", "email": f"{name}@x"}
    has = {"password": team.secret(f"{name}_password"), "roles": [{"name": r} for r in roles]}
    _fab(team.people["admin"], "users", {**person, **has})
    return team.log_in(name)


def _fab(admin: Airflow, what: str, body: dict[str, Any]) -> None:
    admin._http.post(f"/auth/fab/v1/{what}", json=body).raise_for_status()


@pytest.fixture(scope="session")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Start all services with the people and models of these tests; end them afterwards."""
    need_images(native.project(native.FILE), but=["grafana"])
    home = tmp_path_factory.mktemp("team")
    land(home / "data" / "landing")
    _write_models(home / "models")
    more_models.write(home)
    make_secrets.make(home / "secrets")
    team = Team(home / "run", _ports(), home / "secrets", secrets_of_team(home / "secrets"))
    settings = {
        "GATELATCH_SECRETS_DIR": str(team.secrets),
        "GATELATCH_MODELS_DIR": str(home / "models"),
        "GATELATCH_DATA_DIR": str(home / "data"),
        "GATELATCH_WORKER_CONCURRENCY": "2",
        **{f"{name}_PORT": str(port) for name, port in team.ports.items()},
    }
    with up(team.home, settings):
        with team.seen:
            time.sleep(1)
            native.wait_until_up(team.home, START_SECONDS)
            _people(team)
        yield team
        for client in team.people.values():
            client.close()
    # Gigabytes of databases and artifacts, of which pytest would keep three.
    shutil.rmtree(team.home / "volumes", ignore_errors=True)


@pytest.fixture
def ada(team: Team) -> Iterator[Page]:
    """A browser in which ada has logged in through the login page."""
    with browser_of(team, "ada") as page:
        yield page


@contextmanager
def browser_of(team: Team, name: str) -> Iterator[Page]:
    """Give a browser in which a person has logged in through the login page."""
    if CHROMIUM is None:
        pytest.skip("chromium is missing: apt-get install chromium (or your system's package)")
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        page = browser.new_page(viewport={"width": 1400, "height": 1300})
        page.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        page.goto(team.airflow_url)
        page.locator("input[name=username]").fill(name)
        page.locator("input[name=password]").fill(team.secret(f"{name}_password"))
        page.locator("input[type=submit]").click()
        page.wait_for_url(re.compile(r"/(home)?$"))
        yield page
        browser.close()
