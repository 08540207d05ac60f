"""The MLflow of the compose file without a Docker engine: its very commands, on this machine.

Names of databases and users, folders and ports are replaced by those of one test.
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

from tests.conftest import POSTGRES
from tests.ops.test_compose import SECRETS, SERVICES, environment
from tests.support.attack import Server

NAMES = re.compile(r"\b(airflow|gatelatch|mlflow)\b")


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
    try:
        for _ in range(2):  # as at each `up`
            make_databases(mark)
        yield _mlflow(folder, port, mark)
    finally:
        with admin.connect() as link:
            for name in ("airflow", "gatelatch", "mlflow"):
                link.execute(sa.text(f"drop database if exists {name}_{mark} with (force)"))
            link.execute(sa.text(f"drop role if exists mlflow_{mark}"))
        admin.dispose()


def make_databases(mark: str) -> None:
    """Run the command of the service `databases`."""
    service = SERVICES["databases"]
    shell, options, script = service["command"]
    env = {**service["environment"], "PATH": os.environ["PATH"]}
    env |= {"PGHOST": "127.0.0.1", "PGUSER": "postgres"}
    command = [shell, options, NAMES.sub(rf"\1_{mark}", script)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def _mlflow(folder: Path, port: int, mark: str) -> tuple[list[str], dict[str, str], Server]:
    service = SERVICES["mlflow"]
    inside = "/var/lib/gatelatch"
    (volume,) = service["volumes"]
    root = Path(volume.split(":")[1].replace(inside, str(folder)))
    root.mkdir(parents=True)
    for place in service["tmpfs"]:
        if place.startswith(inside):
            Path(place.replace(inside, str(folder))).mkdir()
    shell, options, script = service["command"]
    script = script.replace(inside, str(folder)).replace("5000", str(port))
    script = script.replace("0.0.0.0", "127.0.0.1")
    database = f"postgresql+psycopg2://mlflow_{mark}:x@127.0.0.1:5432/mlflow_{mark}"
    env = {
        name: value.replace("5000", str(port))
        for name, value in environment("mlflow", folder).items()
    }
    env["MLFLOW_BACKEND_STORE_URI"] = database
    server = Server(
        f"http://127.0.0.1:{port}",
        SECRETS["MLFLOW_PASSWORD"],
        database,
        root,
        folder,
        SECRETS["MLFLOW_READER_PASSWORD"],
    )
    return [shell, options, script], env, server
