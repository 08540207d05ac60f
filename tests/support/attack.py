"""What somebody tries who reaches MLflow's port, with its password or without."""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

EVIL = b"raise SystemExit('owned')\n"
SECRET = "BEGIN PRIVATE KEY"
CREATE = "/api/2.0/mlflow/experiments/create"


@dataclass(frozen=True)
class Server:
    """A running MLflow server, and what surrounds it.

    `around` holds what it must neither change nor read: DAGs, plugins, models, keys. `root` is
    where its artifacts are.
    """

    url: str
    password: str
    database: str
    root: Path
    around: Path
    reader: str = ""

    def client(self, user: str = "", **headers: str) -> httpx.Client:
        """Return a client with the login of `gatelatch`, of `reader`, or with none."""
        passwords = {"gatelatch": self.password, "reader": self.reader}
        login = (user, passwords[user]) if user else None
        return httpx.Client(base_url=self.url, auth=login, headers=headers, timeout=30)

    def raw(self, method: str, path: str, body: bytes, user: str = "") -> tuple[int, str]:
        """Send a path as it stands: another client would resolve `..` itself."""
        login = base64.b64encode(f"{user}:{self.password}".encode()).decode()
        headers = {"content-type": "application/json"}
        headers |= {"authorization": f"Basic {login}"} if user else {}
        link = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        link.request(method, path, body, headers)
        answer = link.getresponse()
        told = answer.read().decode(errors="replace")
        link.close()
        return answer.status, told

    def places(self) -> list[str]:
        """Return locations outside the root, in every spelling that MLflow might take."""
        dags = str(self.around / "dags")
        up = "/".join([".."] * len(self.root.parts))
        return [
            *(dags, f"file:{dags}", f"file://{dags}", f"file://localhost{dags}", f"FILE:{dags}"),
            *(f"{self.root}/../../..{dags}", f"file://{self.root}/{up}{dags}", f"file:{up}{dags}"),
            *(f"{up}{dags}", "dags", "./models", f"file://{dags.replace('d', '%64')}", "file:///"),
            *(f"mlflow-artifacts:/{up}{dags}", f"mlflow-artifacts:/%2e%2e/%2e%2e{dags}"),
            *("mlflow-artifacts://evil.example/x", "mlflow-artifacts:/x/%252e%252e/%252e%252e/y"),
            *("http://127.0.0.1:9/", "https://evil.example/x", "s3://evil/x", "gs://evil/x"),
            *("ftp://127.0.0.1:9/x", "sftp://evil.example/x", "hdfs://127.0.0.1:9/x", "dbfs:/x"),
            *("wasbs://a@b.blob.core.windows.net/x", "abfss://a@b.example/x", "r2://a@b/x"),
            *("b2://a@b/x", "runs:/0/x", "models:/x/1", "file:///proc/self", "/etc", "//etc"),
        ]


@contextmanager
def stands_still(server: Server) -> Iterator[None]:
    """See that nothing changes meanwhile: no file, no row."""
    before = state(server)
    yield
    assert state(server) == before


def state(server: Server) -> dict[str, str]:
    """Return a digest of each file of MLflow and around it, and of each table."""
    found = {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in (server.around, server.root)
        for path in folder.rglob("*")
        # The database is looked at below, row by row.
        if path.is_file() and path.suffix != ".log" and not path.name.startswith("mlflow.db")
    }
    engine = sa.create_engine(server.database)
    tables = sa.MetaData()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of types that MLflow's own tables use
        tables.reflect(engine)
    with engine.connect() as link:
        for name, table in tables.tables.items():
            rows = sorted(map(repr, link.execute(sa.select(table))))
            found[name] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    engine.dispose()
    return found


def routes() -> set[tuple[str, str]]:
    """Return every method and path that MLflow's server offers, each parameter filled in."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.server import app
        from mlflow.server.fastapi_app import app as outer

    found = {
        (method, re.sub(r"<[^>]+>", "x", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    found |= {
        (method, re.sub(r"\{[^}]+\}", "x", path)) for method, path in _routes(outer.routes, "")
    }
    return {(method, path) for method, path in found if method not in ("OPTIONS", "HEAD")}


def _routes(listed: Any, prefix: str) -> Iterator[tuple[str, str]]:
    for route in listed:
        path = prefix + getattr(route, "path", "")
        if getattr(route, "methods", None):
            yield from ((method, path) for method in route.methods)
        else:
            yield from _routes(getattr(route, "routes", None) or (), path)


def knock(server: Server, client: httpx.Client, method: str, path: str) -> httpx.Response:
    """Try one route with all that an attacker would want of it."""
    dags = str(server.around / "dags")
    wish = {
        **{"name": "evil", "experiment_name": "evil", "artifact_location": dags, "source": dags},
        **{"experiment_id": "0", "run_id": "0" * 32, "run_uuid": "0" * 32, "path": "evil.py"},
        **{"key": "evil", "value": "evil", "version": "1", "alias": "champion", "url": dags},
        **{"message": "write evil.py", "location": dags, "target_uri": dags, "max_results": 1},
        "experiment_ids": ["0"],
    }
    if method in ("GET", "DELETE"):
        return client.request(method, path, params={k: str(v) for k, v in wish.items()})
    if "artifact" in path:
        params = {"run_uuid": "0" * 32, "path": "evil.py"}
        return client.request(method, path, params=params, content=EVIL)
    return client.request(method, path, json=wish)


def run_in(server: Server, place: str, kind: str = "experiment") -> str:
    """Write into MLflow's database itself what no door lets in, and return the run's id.

    An older home may hold it, and so does one whose database somebody else can write to.
    """
    with server.client("gatelatch") as client:
        name = f"planted {time.monotonic_ns()}"
        made = client.post(CREATE, json={"name": name}).raise_for_status().json()
        run = client.post(
            "/api/2.0/mlflow/runs/create", json={"experiment_id": made["experiment_id"]}
        ).raise_for_status()
    run_id = str(run.json()["run"]["info"]["run_id"])
    engine = sa.create_engine(server.database)
    with engine.begin() as link:
        link.execute(
            sa.text("update runs set artifact_uri = :place where run_uuid = :run"),
            {"place": place, "run": run_id},
        )
        link.execute(
            sa.text("update experiments set artifact_location = :place where name = :name"),
            {"place": place, "name": name},
        )
    engine.dispose()
    return run_id
