"""What each service may and may not: roles of the database, secrets, rights, what is watched."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.ledger.test_roles import UNDONE

from .conftest import Team

pytestmark = pytest.mark.timeout(1200)  # the first one starts all services

CONNECT = """
import psycopg, sys
secret, role, *databases = sys.argv[1:]
for name in databases:
    try:
        psycopg.connect(host="postgres", user=role, dbname=name, connect_timeout=5,
                        password=open(f"/run/secrets/{secret}").read() if secret != "none" else "x")
        print(name, "opened")
    except psycopg.OperationalError as error:
        known = ("permission denied", "password authentication failed")
        print(name, any(text in str(error) for text in known))
"""
UNDO = """
import json, sys
import sqlalchemy as sa
from tasks.ledger import engine
link, said = sa.create_engine(engine.address()), {}
for statement in json.loads(sys.argv[1]):
    try:
        with link.begin() as one:
            one.exec_driver_sql(statement)
        said[statement] = "done"
    except sa.exc.DBAPIError as error:
        said[statement] = error.orig.sqlstate
print(json.dumps(said))
"""


def test_every_service_of_the_file_is_up_and_what_cannot_be_had_here_is_skipped_by_name(
    team: Team,
) -> None:
    states = {name: one["state"] for name, one in team.states().items()}
    assert states.pop("grafana") == "skipped: grafana/grafana is in no package of Debian"
    assert {name for name, state in states.items() if state == "done"} == {"databases", "init"}
    standing = {name for name, state in states.items() if state == "healthy"}
    assert standing == states.keys() - {"databases", "init"}
    assert {"scheduler-1", "scheduler-2", "worker-1", "worker-2"} <= standing


def test_two_schedulers_work_at_once(team: Team) -> None:
    jobs = team.people["admin"].call(
        "GET", "jobs", params={"job_type": "SchedulerJob", "is_alive": True}
    )["jobs"]
    assert {job["hostname"] for job in jobs} == {"scheduler-1", "scheduler-2"}


@pytest.mark.parametrize("container", ["worker-1", "api-server"])
def test_who_works_on_the_ledger_can_undo_nothing_in_it(team: Team, container: str) -> None:
    said = json.loads(team.says(container, "python", "-c", UNDO, json.dumps(UNDONE)))
    assert said.keys() == set(UNDONE)
    assert set(said.values()) == {"42501"}, said  # insufficient privilege


def test_mlflow_sees_its_own_database_and_no_other(team: Team) -> None:
    words = ("mlflow_db_password", "mlflow", "mlflow", "airflow", "gatelatch", "postgres")
    said = team.says("mlflow", "python", "-c", CONNECT, *words).splitlines()
    assert said == ["mlflow opened", "airflow True", "gatelatch True", "postgres True"]


def test_the_ledgers_role_sees_neither_airflow_nor_mlflow(team: Team) -> None:
    words = ("ledger_password", "ledger", "gatelatch", "airflow", "mlflow", "postgres")
    said = team.says("worker-1", "python", "-c", CONNECT, *words).splitlines()
    assert said == ["gatelatch opened", "airflow True", "mlflow True", "postgres True"]


def test_no_role_opens_a_database_with_another_password(team: Team) -> None:
    said = team.says("metrics", "python", "-c", CONNECT, "none", "gatelatch", "postgres", "airflow")
    assert said.splitlines() == ["postgres True", "airflow True"]


def test_from_the_first_start_on_no_command_line_holds_a_secret_and_only_listed_environments_do(
    team: Team,
) -> None:
    team.seen.look()
    # What ran once was looked at, too: the services `postgres` and `databases` began with these.
    assert {"initdb", "psql"} <= team.seen.programs
    assert team.seen.looks > 100
    assert not team.seen.on_command_lines
    # docs/deployment.md lists them. A program may be taken for the shell that becomes it.
    shells = {"sh", "cat"}
    allowed = {"postgres_password": {"psql", *shells}, "redis_password": {"redis-cli", *shells}}
    for secret, program in team.seen.in_environments:
        if secret not in ("mlflow_db_password", "mlflow_password"):
            assert program in allowed.get(secret, ()), (secret, program)


def test_mlflow_asks_for_a_password_and_knows_its_reader(team: Team) -> None:
    address = f"{team.url('MLFLOW')}/api/2.0/mlflow/registered-models/search"
    assert httpx.get(address).status_code == 401
    login = ("reader", team.secret("mlflow_reader_password"))
    assert httpx.get(address, auth=login).status_code == 200


def test_prometheus_scrapes_with_the_token_evaluates_our_rules_and_knows_alertmanager(
    team: Team,
) -> None:
    def asked(path: str, **parameters: str) -> dict[str, object]:
        url = f"{team.url('PROMETHEUS')}/api/v1/{path}"
        data: dict[str, object] = httpx.get(url, params=parameters, timeout=30).json()["data"]
        return data

    (target,) = asked("targets")["activeTargets"]  # type: ignore[misc]
    assert (target["labels"]["job"], target["health"]) == ("gatelatch", "up")
    (answer,) = asked("query", query="gatelatch_ledger_up")["result"]  # type: ignore[misc]
    assert answer["value"][1] == "1"
    groups = asked("rules")["groups"]
    assert any(r["name"] == "GatelatchDrifting" for g in groups for r in g["rules"])  # type: ignore[attr-defined]
    (manager,) = asked("alertmanagers")["activeAlertmanagers"]  # type: ignore[misc]
    assert manager["url"] == "http://alertmanager:9093/api/v2/alerts"
    ready = httpx.get(f"{team.url('ALERTMANAGER')}/-/ready")
    assert ready.status_code == 200
