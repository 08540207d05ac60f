"""Make the small store of a release that later releases must be able to upgrade; see README.md.

`python -m tests.upgrade.make_store FILE`, in a checkout of the release in question.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import numpy as np
import pytest
import sqlalchemy as sa
import yaml
from numpy.typing import NDArray

from tasks import store
from tasks.registry import tracking
from tasks.signing import keyring
from tests.conftest import POSTGRES
from tests.support import flow

ASKED = "churn.v2.20260112T0000.1"  # labels follow a third rule from the 12th on
HERE = "@HERE@"  # stands for the folder that a store was made in
_PATHS = re.compile(r"^(/(root|home|tmp|work|usr|var|Users)/)", re.MULTILINE)


def main(target: Path) -> None:
    """Play the flow on both kinds of ledger, and pack what it leaves behind."""
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        root = Path(name).resolve()
        for folder in ("data", "models", "sqlite", "postgresql"):
            (root / folder).mkdir()
        spec = yaml.safe_dump(flow.MODEL.model_dump(mode="json", exclude_defaults=True))
        (root / "models/churn.yaml").write_text(spec)
        patch.chdir(root)
        patch.setenv("GATELATCH_SIGNING_KEY", str(root / "keys/signing.pem"))
        patch.delenv("GATELATCH_VERIFY_KEY", raising=False)
        keyring.create_keys()
        for number in range(1, 16):
            flow.land(number, **({"y": _anew(number)} if number >= 12 else {}))
        _play(root / "sqlite", f"sqlite:///{root / 'sqlite/ledger.db'}", patch)
        _closed(root / "sqlite/ledger.db")
        with _database() as url:
            _play(root / "postgresql", url, patch)
            (root / "postgresql/ledger.sql").write_text(_dumped(url))
        for kind in ("sqlite", "postgresql"):
            _relocatable(root, kind)
        with tarfile.open(target, "w:xz", preset=9) as packed:
            for path in sorted(root.iterdir()):
                packed.add(path, path.name, filter=_anonymous)


def _play(place: Path, url: str, patch: pytest.MonkeyPatch) -> None:
    """Leave two champions, an episode that led to the second, and another that is asked about."""
    patch.setenv("GATELATCH_LEDGER", url)
    patch.setenv("GATELATCH_STORE", str(place / "store"))
    patch.setenv("GATELATCH_ARTIFACTS", str(place / "artifacts"))
    patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place / 'mlflow.db'}")
    patch.setenv("GATELATCH_MLFLOW_UI", "https://mlflow.example/ui/")
    flow.registry.load_version.cache_clear()
    tracking.connect.cache_clear()
    store.write("reports/.ready", "")
    tracking.prepare_store()
    flow.propose("boot", training_window=timedelta(days=5), until=flow.day(6))
    flow.register("boot")
    flow.promote("boot")
    for number in range(6, 11):
        flow.watch(number)
    flow.propose()
    flow.register(flow.FIRST)
    flow.promote(flow.FIRST)
    for number in range(11, 14):
        flow.watch(number)
    flow.propose(ASKED)
    told = {"champion": flow.alias(), **flow.told()}
    (place / "status.json").write_text(json.dumps(told, indent=1, sort_keys=True))


def _anew(number: int) -> NDArray[np.int64]:
    """Return labels of a third rule, of which neither champion knows anything."""
    rows, rng = flow.rows(number), np.random.default_rng(100 + number)
    noise = rng.normal(scale=0.6, size=len(rows["x"]))
    return (rows["z"] - 0.5 * rows["x"] + noise > 0).astype(np.int64)


@contextmanager
def _database() -> Iterator[str]:
    name = f"make_store_{uuid4().hex[:12]}"
    admin = sa.create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    with admin.connect() as link:
        link.execute(sa.text(f"create database {name}"))
        try:
            yield POSTGRES.removesuffix("test") + name
        finally:
            link.execute(sa.text(f"drop database {name} with (force)"))


def _dumped(url: str) -> str:
    """Return the ledger as statements that any client can send: no command is one of psql's."""
    address = url.replace("+psycopg", "")
    words = ["pg_dump", "--no-owner", "--no-privileges", "--inserts", address]
    text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    kept = [line for line in text.splitlines() if not line.startswith(("--", "\\"))]
    return "\n".join(line for line in kept if line) + "\n"


def _relocatable(root: Path, kind: str) -> None:
    """Write HERE where MLflow keeps the folder of its artifacts; refuse any other path."""
    place = root / kind
    _closed(place / "mlflow.db")
    with closing(sqlite3.connect(place / "mlflow.db")) as link:
        for table, column in _texts(link):
            link.execute(
                f'update "{table}" set "{column}" = replace("{column}", ?, ?)', (str(root), HERE)
            )
            for (value,) in link.execute(f'select "{column}" from "{table}"'):
                if _PATHS.search(str(value)):
                    raise SystemExit(f"a path in mlflow.db, {table}.{column}: {value}")
        link.commit()
        link.execute("vacuum")
    for path in place.rglob("*"):
        if path.is_file() and str(root).encode() in path.read_bytes():
            raise SystemExit(f"{path} names the folder that it was made in")


def _closed(database: Path) -> None:
    """Put a copy in place of a database that is still open here, with all that its log holds."""
    copy = database.with_suffix(".copy")
    with closing(sqlite3.connect(database)) as link:
        link.execute("vacuum into ?", (str(copy),))
    for left in database.parent.glob(f"{database.name}*"):
        left.unlink()
    copy.rename(database)


def _texts(link: sqlite3.Connection) -> list[tuple[str, str]]:
    tables = [row[0] for row in link.execute("select name from sqlite_master where type = 'table'")]
    return [
        (table, row[1])
        for table in tables
        for row in link.execute(f'pragma table_info("{table}")')
        if row[2].upper().startswith(("VARCHAR", "TEXT", "CHAR"))
    ]


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    made = Path(sys.argv[1]).resolve()
    main(made)
    sys.stdout.write(f"{made.name}: {made.stat().st_size:,} bytes\n")
