"""The databases of the team set-up: made anew, and taken over from release 0.1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ops.native import __main__ as native
from ops.team import make_secrets
from tests.support.compose import RAW
from tests.support.native import need_images, says, up

# As release 0.1 left them: the superuser owned all but MLflow's tables, and everybody might look.
OLD = """
CREATE DATABASE airflow;
CREATE DATABASE gatelatch;
CREATE DATABASE mlflow;
CREATE ROLE mlflow LOGIN;
ALTER DATABASE mlflow OWNER TO mlflow;
\\connect airflow
CREATE TYPE state AS ENUM ('a', 'b');
CREATE TABLE dag (id serial PRIMARY KEY, state state);
CREATE SEQUENCE alone;
CREATE VIEW seen AS SELECT id FROM dag;
INSERT INTO dag (state) VALUES ('a');
\\connect gatelatch
CREATE FUNCTION gatelatch_append_only() RETURNS trigger LANGUAGE plpgsql AS
  $$$$ BEGIN RAISE 'append only'; END $$$$;
CREATE TABLE observations (id serial PRIMARY KEY);
CREATE TRIGGER observations_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON observations
  FOR EACH STATEMENT EXECUTE FUNCTION gatelatch_append_only();
INSERT INTO observations DEFAULT VALUES;
"""
OWNERS = """
SELECT relname, rolname FROM pg_class JOIN pg_roles r ON r.oid = relowner
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S', 'v')
UNION SELECT typname, rolname FROM pg_type JOIN pg_roles r ON r.oid = typowner
WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'
UNION SELECT proname, rolname FROM pg_proc JOIN pg_roles r ON r.oid = proowner
WHERE pronamespace = 'public'::regnamespace
"""


@pytest.fixture(scope="module", params=["new", "old"])
def home(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Return where PostgreSQL runs, with the databases made, twice."""
    home = tmp_path_factory.mktemp("databases")
    need_images(native.project(native.FILE), but=set(RAW["services"]) - {"postgres"})
    make_secrets.make(home / "secrets")
    services = {name: dict(RAW["services"][name]) for name in ("postgres", "databases")}
    made = services["databases"]
    services["again"] = {
        **made,
        "depends_on": {"databases": {"condition": "service_completed_successfully"}},
    }
    if request.param == "old":
        script = made["command"][-1].replace("--file=/databases/databases.sql", "<<'SQL'")
        before = {**made, "command": ["sh", "-euc", f"{script.rstrip()}\n{OLD}SQL\n"]}
        services["before"] = before
        made["depends_on"] = {
            **made["depends_on"],
            "before": {"condition": "service_completed_successfully"},
        }
    names = sorted({name for one in services.values() for name in one["secrets"]})
    project = {
        "services": services,
        "secrets": {name: RAW["secrets"][name] for name in names},
        "volumes": {"postgres": None},
    }
    (home / "compose.yaml").write_text(yaml.safe_dump(project))
    settings = {"GATELATCH_SECRETS_DIR": str(home / "secrets")}
    with up(home / "run", settings, home / "compose.yaml"):
        native.wait_until_up(home / "run", 120)
        yield home / "run"


def psql(home: Path, database: str, query: str) -> list[str]:
    """Return the rows that the superuser sees, over the socket's address."""
    code = 'PGPASSWORD=$(cat /run/secrets/postgres_password) psql --no-psqlrc -qAt -d "$0" -c "$1"'
    return says(home, "databases", "sh", "-euc", code, database, query).splitlines()


def test_each_role_owns_its_own_database_with_all_that_is_in_it(home: Path) -> None:
    owners = {"airflow": "airflow", "mlflow": "mlflow", "gatelatch": "ledger_owner"}
    for database, owner in owners.items():
        query = f"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{database}'"
        assert psql(home, database, query) == [owner]
        assert all(row.endswith(f"|{owner}") for row in psql(home, database, OWNERS)), database


def test_nobody_but_its_roles_may_connect_to_a_database(home: Path) -> None:
    may = {
        database: set(
            psql(
                home,
                "postgres",
                "SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper "
                f"AND has_database_privilege(oid, '{database}', 'CONNECT')",
            )
        )
        for database in ("postgres", "airflow", "mlflow", "gatelatch")
    }
    assert may == {
        "postgres": set(),
        "airflow": {"airflow"},
        "mlflow": {"mlflow"},
        "gatelatch": {"ledger_owner", "ledger", "ledger_reader"},
    }


def test_no_role_of_a_service_may_more_than_log_in(home: Path) -> None:
    query = (
        "SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname <> 'gatelatch' AND "
        "(rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)"
    )
    assert psql(home, "postgres", query) == []


def test_what_release_0_1_left_stays(home: Path) -> None:
    if "before" not in native.states(home):
        assert psql(home, "gatelatch", OWNERS) == []
        return
    assert psql(home, "airflow", "SELECT id, state FROM dag") == ["1|a"]
    assert psql(home, "gatelatch", "SELECT id FROM observations") == ["1"]
    assert len(psql(home, "airflow", OWNERS)) == 5  # table, its sequence, another, view, type
