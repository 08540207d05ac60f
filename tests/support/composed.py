"""The MLflow of the compose file as a process that tests may attack: its very commands.

Names of databases and roles, folders and ports are replaced by those of one test. tests/team runs
the whole file as it is.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from ops.team import make_secrets
from tests.conftest import POSTGRES
from tests.ops.test_compose import environment
from tests.support.attack import Server
from tests.support.compose import ROOT, SERVICES

_DATABASES = ("airflow", "gatelatch", "mlflow")
_ROLES = ("airflow", "mlflow", "ledger", "ledger_owner", "ledger_reader")
_NAMES = re.compile(rf"\b({'|'.join({*_DATABASES, *_ROLES})})\b")


@contextmanager
def composed(folder: Path, port: int) -> Iterator[tuple[list[str], dict[str, str], Server]]:
    """Yield the service's command and environment, on databases that its neighbour has made."""
    mark = uuid4().hex[:8]
    admin = sa.create_engine(
        POSTGRES, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3}
    )
    try:
        admin.connect().close()
    except sa.exc.OperationalError:
        pytest.skip(f"PostgreSQL does not answer at {POSTGRES}")
    make_secrets.make(folder / "secrets")
    try:
        for _ in range(2):  # as at each `up`
            _make_databases(folder, mark)
        yield _mlflow(folder, port, mark)
    finally:
        with admin.connect() as link:
            for name in _DATABASES:
                link.execute(sa.text(f"drop database if exists {name}_{mark} with (force)"))
            for name in _ROLES:
                link.execute(sa.text(f"drop role if exists {name}_{mark}"))
        admin.dispose()


def _make_databases(folder: Path, mark: str) -> None:
    """Run the command of the service `databases`."""
    service = SERVICES["databases"]
    scripts = folder / "databases"
    scripts.mkdir(exist_ok=True)
    for file in (ROOT / "ops" / "team" / "databases").iterdir():
        # The superuser's own database belongs to others, too, on a machine of many tests.
        text = file.read_text().replace("ON DATABASE postgres, ", "ON DATABASE ")
        (scripts / file.name).write_text(
            _NAMES.sub(rf"\1_{mark}", text).replace("/run/secrets", str(folder / "secrets"))
        )
    shell, options, script = service["command"]
    script = script.replace("/run/secrets", str(folder / "secrets"))
    script = script.replace("/databases/", f"{scripts}/")
    env = {**service["environment"], "PATH": os.environ["PATH"]}
    env |= {"PGHOST": "127.0.0.1", "PGUSER": "postgres"}
    done = subprocess.run(
        [shell, options, script], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def _mlflow(folder: Path, port: int, mark: str) -> tuple[list[str], dict[str, str], Server]:
    service = SERVICES["mlflow"]
    inside = "/var/lib/gatelatch"
    places = [Path(v.split(":")[1].replace(inside, str(folder))) for v in service["volumes"]]
    for place in places:
        place.mkdir(parents=True)
    root = places[0]
    secrets = folder / "secrets"
    shell, options, script = service["command"]
    script = script.replace(inside, str(folder)).replace("5000", str(port))
    script = script.replace("0.0.0.0", "127.0.0.1").replace("/run/secrets", str(secrets))
    database = f"postgresql+psycopg2://mlflow_{mark}@127.0.0.1:5432/mlflow_{mark}"
    env = {
        name: value.replace("5000", str(port))
        for name, value in environment("mlflow", folder).items()
    }
    for name, value in service["environment"].items():
        if name.endswith("_FILE"):
            env[name] = value.replace("/run/secrets", str(secrets))
    env["MLFLOW_BACKEND_STORE_URI"] = database
    server = Server(
        f"http://127.0.0.1:{port}",
        (secrets / "mlflow_password").read_text(),
        database,
        root,
        folder,
        (secrets / "mlflow_reader_password").read_text(),
    )
    return [shell, options, script], env, server
