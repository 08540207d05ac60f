"""docs/backup.md for the team set-up: all volumes are lost, and come back with their roles."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from typer.testing import CliRunner

from ops.native import __main__ as native
from ops.team import make_secrets
from tasks.__main__ import app
from tasks.ledger import engine
from tasks.ledger.ledger import Ledger
from tasks.registry import registry, tracking
from tests.ledger.test_roles import UNDONE
from tests.support import flow
from tests.support.compose import RAW
from tests.support.native import need_images, says, up
from tests.support.served import free_port
from tests.test_backup import commands

# `docker compose run` of a service, as `ops.native` runs it: in a container equal to the service's.
DOCKER = """#!{python}
import subprocess, sys, yaml
from pathlib import Path
from ops.native import __main__ as native
words = sys.argv[1:]
assert words[:5] == ["compose", "run", "--rm", "--no-deps", "--no-TTY"], words
name, own = words[5], words[6:]
told = native.project(Path("{file}")).services[name].command
sys.exit(subprocess.run(native.beside(Path("{home}"), name, own or told)).returncode)
"""
KEPT = ("store", "keys", "answers", "trusted")


class Host:
    """A folder with secrets and a compose file, and the stack of which it holds the volumes."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder, self.run, self.port = folder, folder / f"host-{number}", free_port()
        self.file = folder / f"compose-{number}.yaml"
        self.volumes = self.run / "volumes"

    def write(self) -> None:
        """Write the services that the page calls; of `init` and MLflow, only what they see."""
        services = {
            n: dict(RAW["services"][n]) for n in ("postgres", "databases", "init", "mlflow")
        }
        services["postgres"]["ports"] = [f"127.0.0.1:{self.port}:5432"]
        for name in ("init", "mlflow"):
            services[name] |= {"command": ["true"], "restart": "no", "depends_on": {}}
            services[name].pop("healthcheck", None)
            services[name].pop("ports", None)
        names = sorted({name for one in services.values() for name in one["secrets"]})
        volumes = dict.fromkeys(RAW["volumes"])
        secrets = {name: RAW["secrets"][name] for name in names}
        project = {"services": services, "secrets": secrets, "volumes": volumes}
        self.file.write_text(yaml.safe_dump(project))

    @contextmanager
    def up(self) -> Iterator[None]:
        self.write()
        with up(self.run, {"GATELATCH_SECRETS_DIR": str(self.folder / "secrets")}, self.file):
            native.wait_until_up(self.run, 120)
            yield
            Ledger.open().close()
            tracking.connect.cache_clear()

    def types(self, block: str) -> None:
        """Type a block of the page, with this stack behind `docker compose run`."""
        programs = self.folder / "bin"
        programs.mkdir(exist_ok=True)
        said = {"python": sys.executable, "file": self.file, "home": self.run}
        (programs / "docker").write_text(DOCKER.format(**said))
        (programs / "docker").chmod(0o755)
        env = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(native.ROOT),
            "GATELATCH_SECRETS_DIR": str(self.folder / "secrets"),
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands(block)],
            capture_output=True,
            text=True,
            env=env,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def works_as(self, patch: pytest.MonkeyPatch, role: str) -> None:
        """Let this process work on the stack's databases and volumes, the ledger's as that role."""
        mlflow = (self.folder / "secrets/mlflow_db_password").read_text()
        at = f"127.0.0.1:{self.port}"
        named: dict[str, Any] = {
            "GATELATCH_LEDGER": f"postgresql+psycopg://{role}@{at}/gatelatch",
            "GATELATCH_LEDGER_PASSWORD_FILE": self.folder / "secrets" / f"{role}_password",
            "GATELATCH_STORE": self.volumes / "store",
            "GATELATCH_SIGNING_KEY": self.volumes / "keys/signing.pem",
            "GATELATCH_ARTIFACTS": self.folder / "artifacts",
            "GATELATCH_MODELS": self.folder / "models",
            "MLFLOW_TRACKING_URI": f"postgresql+psycopg2://mlflow:{mlflow}@{at}/mlflow",
        }
        for name, value in named.items():
            patch.setenv(name, str(value))
        # MLflow names each artifact by its place, which in the team set-up is a volume's.
        (self.folder / "artifacts").unlink(missing_ok=True)
        (self.folder / "artifacts").symlink_to(self.volumes / "artifacts")
        tracking.connect.cache_clear()
        registry.load_version.cache_clear()

    def owner_inits(self, patch: pytest.MonkeyPatch) -> None:
        """Run what `init` of the file runs on the ledger, as it does: as the owner."""
        (line,) = re.findall(r"python -m tasks (init .+)", RAW["services"]["init"]["command"][-1])
        self.works_as(patch, "ledger_owner")
        with pytest.MonkeyPatch.context() as own:
            own.setenv("GATELATCH_ANSWER_KEY", str(self.volumes / "answers/answers.pem"))
            done = CliRunner().invoke(app, line.split())
            assert done.exit_code == 0, done.output
        Ledger.open().close()
        self.works_as(patch, "ledger")

    def rows(self, database: str, query: str) -> list[str]:
        code = 'PGPASSWORD=$(cat /run/secrets/postgres_password) psql -qAt -d "$0" -c "$1"'
        return says(self.run, "databases", "sh", "-euc", code, database, query).splitlines()

    def files(self) -> dict[str, tuple[int, bytes]]:
        """Return mode and content of each file in the volumes that are backed up."""
        return {
            str(file.relative_to(self.volumes)): (file.stat().st_mode, file.read_bytes())
            for name in (*KEPT, "artifacts")
            for file in sorted((self.volumes / name).rglob("*"))
            if file.is_file()
        }


USERS = """SET ROLE airflow; CREATE TYPE state AS ENUM ('a', 'b');
CREATE TABLE ab_user (id serial PRIMARY KEY, name text, state state);
INSERT INTO ab_user (name, state) VALUES ('ada', 'a')"""
OWNED = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
RIGHTS = """SELECT grantee, table_name, privilege_type FROM information_schema.table_privileges
WHERE grantee LIKE 'ledger%' ORDER BY 1, 2, 3"""


def test_a_team_whose_volumes_are_lost_is_restored_with_its_roles_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    need_images(
        native.project(native.FILE),
        but=RAW["services"].keys() - {"postgres", "databases", "init", "mlflow"},
    )
    make_secrets.make(tmp_path / "secrets")
    Path("models").mkdir()
    raw = flow.MODEL.model_dump(mode="json", exclude_none=True)
    Path("models/churn.yaml").write_text(yaml.safe_dump(raw))
    Path("data").mkdir()

    first = Host(tmp_path, 1)
    with first.up():
        first.owner_inits(monkeypatch)
        shutil.copytree(first.volumes / "answers", first.volumes / "trusted", dirs_exist_ok=True)
        for number in range(1, 9):
            flow.land(number)
        flow.propose("boot", training_window=timedelta(days=5), until=flow.day(6))
        flow.register("boot")
        flow.promote("boot")
        flow.watch(6)
        first.rows("airflow", USERS)
        before, said = Ledger.open().trail("churn"), flow.told()
        rights, files = first.rows("gatelatch", RIGHTS), first.files()
        first.types("backup team")
    assert {name.split("/")[0] for name in files} == {*KEPT, "artifacts"}
    assert Path("backup").stat().st_mode & 0o077 == 0
    shutil.rmtree(first.run)
    shutil.rmtree("secrets")

    second = Host(tmp_path, 2)
    second.types("secrets team")
    with second.up():
        second.types("restore team")
        assert second.files() == files
        second.owner_inits(monkeypatch)
        assert Ledger.open().trail("churn") == before
        assert flow.told() == said
        assert second.rows("airflow", "SELECT name, state FROM ab_user") == ["ada|a"]
        owners = {d: second.rows(d, OWNED) for d in ("airflow", "gatelatch", "mlflow")}
        assert owners == {
            "airflow": ["airflow"],
            "gatelatch": ["ledger_owner"],
            "mlflow": ["mlflow"],
        }
        assert second.rows("gatelatch", RIGHTS) == rights
        assert undone() == dict.fromkeys(UNDONE, "42501")
        verified = CliRunner().invoke(app, ["audit", "churn", "--verify"])
        assert verified.exit_code == 0, verified.output
        seen = flow.watch(7)
        assert (seen.verdict, seen.version, seen.revision) == ("steady", 1, 0)
        assert CliRunner().invoke(app, ["audit", "churn", "--verify"]).exit_code == 0


def undone() -> dict[str, str]:
    """Try all that would undo rows, as the role that this process is; return each refusal."""
    link, found = sa.create_engine(engine.address()), {}
    for statement in UNDONE:
        try:
            with link.begin() as one:
                one.exec_driver_sql(statement)
            found[statement] = "done"
        except sa.exc.DBAPIError as error:
            found[statement] = str(getattr(error.orig, "sqlstate", ""))
    link.dispose()
    return found
