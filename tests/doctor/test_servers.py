"""What is wrong with servers: roles of PostgreSQL, MLflow's login, clocks, Airflow, silence."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
import yaml

from ops import stack_settings
from tasks.doctor.airflow_check import airflow_findings, look_at_airflow
from tasks.doctor.checkups import CHECKUPS
from tasks.doctor.examination import Examined, examine
from tasks.doctor.finding import Finding
from tasks.doctor.patient import Patient
from tasks.ledger.ledger import Ledger
from tests.conftest import CHURN
from tests.support.api_server import SIMPLE, answers
from tests.support.forging import version
from tests.support.served import by_compose

ON_POSTGRESQL = pytest.mark.parametrize("url", ["postgresql"], indirect=True)
Looked = Callable[..., dict[str, Examined]]


@pytest.fixture
def models(stores: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with one spec, beside a ledger and a store of this test's own."""
    folder = stores / "models"
    folder.mkdir()
    (folder / "churn.yaml").write_text(yaml.safe_dump(CHURN))
    monkeypatch.setenv("GATELATCH_MODELS", str(folder))
    return folder


@pytest.fixture
def looked(models: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Looked:
    """Return what looks at the ledger at `url`, with some of the checks and a clock."""
    monkeypatch.setenv("GATELATCH_LEDGER", url)

    def look(ahead: timedelta = timedelta(0)) -> dict[str, Examined]:
        stack = Patient(None, dict(os.environ), lambda: datetime.now(UTC) + ahead)
        names = ("specs", "keys", "ledger", "rights", "triggers", "chain", "models", "clock")
        wanted = [one for one in CHECKUPS if one.name in names]
        with stack as patient:
            return {one.name: one for one in examine(wanted, patient)}

    return look


def only(found: Examined) -> Finding:
    (finding,) = found.findings
    return finding


@pytest.fixture
def role(ledger: Ledger, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return a role that may read and append, as which the ledger is then opened."""
    name = f"writer_{uuid4().hex[:12]}"
    with ledger._engine.begin() as db:
        schema = db.execute(sa.text("select current_schema()")).scalar_one()
        db.execute(sa.text(f"create role {name} login"))
        db.execute(sa.text(f"grant usage on schema {schema} to {name}"))
        db.execute(sa.text(f"grant select, insert on all tables in schema {schema} to {name}"))
        db.execute(sa.text(f"grant usage on all sequences in schema {schema} to {name}"))
    monkeypatch.setenv("GATELATCH_LEDGER", url.replace("postgres@", f"{name}@"))
    yield name
    with ledger._engine.begin() as db:
        db.execute(sa.text(f"drop owned by {name}"))
        db.execute(sa.text(f"drop role {name}"))


@ON_POSTGRESQL
def test_a_role_that_only_appends_is_well(ledger: Ledger, looked: Looked, role: str) -> None:
    version(ledger, 1)
    found = looked()
    assert {name for name, one in found.items() if one.state != "well"} == set()


@ON_POSTGRESQL
def test_a_role_that_might_change_rows_is_warned_of(
    ledger: Ledger, looked: Looked, role: str
) -> None:
    with ledger._engine.begin() as db:
        db.execute(sa.text(f"grant update, trigger on decisions to {role}"))
    found = only(looked()["rights"])
    assert found.state == "warning"
    assert f"the role {role} may change what is recorded" in found.finding
    assert "(update, trigger)" in found.finding
    assert "another role own the tables" in found.remedy


@ON_POSTGRESQL
def test_a_role_that_cannot_append_is_ill_and_told_which_right_it_lacks(
    ledger: Ledger, looked: Looked, role: str
) -> None:
    with ledger._engine.begin() as db:
        db.execute(sa.text(f"revoke insert on decisions from {role}"))
        db.execute(sa.text(f"revoke usage on sequence promotions_id_seq from {role}"))
    found = only(looked()["rights"])
    assert found.state == "ill"
    assert f"the role {role} cannot append to decisions, " in found.finding
    assert "promotions_id_seq" in found.finding
    assert f"grant select, insert on all tables in schema … to {role}" in found.remedy


@ON_POSTGRESQL
def test_a_role_that_cannot_read_is_told_so_and_the_others_are_not_begun(
    ledger: Ledger, looked: Looked, role: str
) -> None:
    with ledger._engine.begin() as db:
        db.execute(sa.text(f"revoke select on promotions from {role}"))
    found = looked()
    assert "permission denied" in only(found["ledger"]).finding
    assert "select, insert" in only(found["ledger"]).remedy
    assert found["chain"].barred_by == "ledger"
    assert found["keys"].state == "well"


@ON_POSTGRESQL
def test_a_database_that_takes_no_row_is_ill(ledger: Ledger, looked: Looked, role: str) -> None:
    with ledger._engine.begin() as db:
        db.execute(sa.text(f"alter role {role} set default_transaction_read_only = on"))
    found = only(looked()["rights"])
    assert (found.state, "takes no row" in found.finding) == ("ill", True)


@ON_POSTGRESQL
def test_the_owner_of_the_database_is_warned_that_it_could_change_anything(
    ledger: Ledger, looked: Looked
) -> None:
    found = only(looked()["rights"])
    assert (found.state, "(superuser)" in found.finding) == ("warning", True)


@ON_POSTGRESQL
def test_triggers_that_are_switched_off_are_found(ledger: Ledger, looked: Looked) -> None:
    with ledger._engine.begin() as db:
        db.execute(sa.text("alter table decisions disable trigger decisions_append_only"))
        db.execute(sa.text("drop trigger freezes_append_only on freezes"))
    missing, off = looked()["triggers"].findings
    assert "triggers are missing (freezes_append_only)" in missing.finding
    assert "python -m tasks init" in missing.remedy
    assert "triggers are switched off (decisions_append_only)" in off.finding
    assert "enable trigger" in off.remedy


@ON_POSTGRESQL
@pytest.mark.parametrize(
    ("ahead", "state", "said"),
    [
        (timedelta(minutes=10), "ill", "600 s ahead of"),
        (-timedelta(seconds=30), "warning", "30 s behind"),
        (timedelta(seconds=1), "well", ""),
    ],
)
def test_a_clock_apart_from_the_database_servers_is_found(
    ledger: Ledger, looked: Looked, ahead: timedelta, state: str, said: str
) -> None:
    found = looked(ahead=ahead)["clock"]
    assert found.state == state
    if said:
        assert f"{said} that of the ledger's server" in only(found).finding
        assert "NTP" in only(found).remedy


def run_in(folder: Path, *words: str, **settings: str) -> tuple[int, list[dict[str, Any]]]:
    """Run the command as an operator does; return the exit code and what was found."""
    done = subprocess.run(
        [sys.executable, "-m", "tasks", "doctor", "--json", *words],
        env={**os.environ, **settings},
        cwd=stack_settings.ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)["checks"]


def test_a_check_that_hangs_keeps_no_other_from_its_look(stores: Path, models: Path) -> None:
    Ledger.open()
    (stores / "store").mkdir()
    pipe = stores / "keys.pub"
    os.mkfifo(pipe)  # nobody writes to it, so that reading it has no end
    code, found = run_in(stores, "--seconds", "4", GATELATCH_VERIFY_KEY=str(pipe))
    assert code == 1
    (keys,) = [f for f in found if f["check"] == "keys"]
    assert keys["state"] == "ill"
    assert "no end after 4 s" in keys["finding"]
    assert "give more --seconds" in keys["remedy"]
    well = {f["check"] for f in found if f["state"] == "well"}
    assert {"specs", "ledger", "triggers", "models", "windows", "disk", "store"} <= well


def test_mlflows_server_refuses_a_wrong_login_and_its_clock_is_compared(
    tmp_path: Path, stores: Path, models: Path
) -> None:
    Ledger.open()
    home = tmp_path / "home"
    home.mkdir()
    with by_compose(home) as (server, _):
        login = {
            "MLFLOW_TRACKING_URI": server.url,
            "MLFLOW_TRACKING_USERNAME": "gatelatch",
            "MLFLOW_TRACKING_PASSWORD": server.password,
        }
        code, found = run_in(stores, **login)
        state = {f["check"]: f["state"] for f in found}
        assert (code, state["mlflow"], state["alias"], state["clock"]) == (0, *["well"] * 3)
        code, found = run_in(stores, **login | {"MLFLOW_TRACKING_PASSWORD": "hunter2hunter2"})
        (mlflow,) = [f for f in found if f["check"] == "mlflow"]
        assert (code, mlflow["state"]) == (1, "ill")
        assert "is the login in MLFLOW_TRACKING_USERNAME" in mlflow["finding"]
        assert "a login that may write" in mlflow["remedy"]
        assert "hunter2hunter2" not in json.dumps(found)
        settings = {**os.environ, **login}
        late = Patient(None, settings, lambda: datetime.now(UTC) - timedelta(hours=1))
        clock = [one for one in CHECKUPS if one.name in ("ledger", "clock")]
        with late as patient:
            _, found_late = examine(clock, patient)
        assert "behind that of MLflow's server" in only(found_late).finding


def test_an_mlflow_that_takes_connections_and_answers_none_is_named_within_seconds(
    stores: Path, models: Path
) -> None:
    Ledger.open()
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        address = f"http://127.0.0.1:{hangs.getsockname()[1]}"
        begun = time.monotonic()
        code, found = run_in(stores, MLFLOW_TRACKING_URI=address)
        assert time.monotonic() - begun < 60  # MLflow's own patience is minutes
    (mlflow,) = [f for f in found if f["check"] == "mlflow"]
    assert (code, mlflow["state"]) == (1, "ill")
    assert address in mlflow["finding"]
    assert "timed out" in mlflow["finding"]
    assert "start MLflow's server" in mlflow["remedy"]


def test_an_airflow_without_a_scheduler_is_named(tmp_path: Path) -> None:
    told = answers(SIMPLE, tmp_path, [("GET", "/api/v2/monitor/health")])
    found = list(airflow_findings(json.loads(told[0]["text"])))
    assert [f.state for f in found] == ["ill", "ill"]
    assert "scheduler is unhealthy" in found[0].finding
    assert "airflow scheduler" in found[0].remedy
    assert "dag_processor is " in found[1].finding


def test_airflow_is_asked_where_tasks_reach_it_and_not_where_a_browser_does(tmp_path: Path) -> None:
    with served_health(tmp_path) as address:
        elsewhere = "http://127.0.0.1:9"  # nobody answers there
        execution = f"{address}/execution/"
        found = list(
            look_at_airflow(
                {
                    "AIRFLOW__API__BASE_URL": elsewhere,
                    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": execution,
                }
            )
        )
        assert found == []
        (away,) = look_at_airflow({"AIRFLOW__API__BASE_URL": elsewhere})
        assert f"does not answer at {elsewhere}" in away.finding


@contextmanager
def served_health(folder: Path) -> Iterator[str]:
    """Yield the address of a server that says of itself what a healthy Airflow does."""
    parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
    place = folder / "api" / "v2" / "monitor"
    place.mkdir(parents=True)
    (place / "health").write_text(json.dumps({part: {"status": "healthy"} for part in parts}))
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
