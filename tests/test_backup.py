"""docs/backup.md as written: a stack is lost, restored, verified, and judges one more window."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from ops.stack_settings import settings_of
from tasks.__main__ import app
from tasks.ledger.ledger import Ledger
from tasks.registry import registry, tracking
from tasks.signing import keyring
from tests.conftest import database_in_postgres
from tests.support import flow
from tests.support.flow import At

PAGE = Path(__file__).parents[1] / "docs/backup.md"


def commands(name: str) -> str:
    """Return what the page tells to type, of one of its blocks."""
    found = re.search(rf"<!-- tried: {name} -->\n```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return re.sub(r"^\$ ", "", found[1], flags=re.MULTILINE)


def type_in(name: str) -> str:
    """Type a block of the page, beside a `.venv` and this project's packages; return its output.

    A bare `python` is the container's, which has what this one has.
    """
    typed = commands(name).replace(".venv/bin/python", sys.executable)
    elsewhere = {
        **os.environ,
        "PYTHONPATH": str(PAGE.parents[1]),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-euc", typed], capture_output=True, text=True, env=elsewhere, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


PLACES = {"sqlite": ".run/own", "postgresql": ".run"}  # that the page names


def point_at(patch: pytest.MonkeyPatch, here: Path, ledger: str, mlflow: str) -> None:
    """Let this process, and what is typed, find the stack at these databases and in this place."""
    named: dict[str, Any] = {
        "GATELATCH_LEDGER": ledger,
        "GATELATCH_STORE": here / "store",
        "GATELATCH_ARTIFACTS": here / "mlflow/artifacts",
        "GATELATCH_SIGNING_KEY": here / "signing.pem",
        "GATELATCH_MODELS": Path.cwd() / "models",
        "MLFLOW_TRACKING_URI": mlflow,
        "LEDGER_DB": ledger.replace("+psycopg", ""),
        "MLFLOW_DB": mlflow.replace("+psycopg2", ""),
    }
    for name, value in named.items():
        patch.setenv(name, str(value))
    tracking.connect.cache_clear()
    registry.load_version.cache_clear()


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return what points this test at empty databases of a kind, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    Path("models").mkdir()
    raw = flow.MODEL.model_dump(mode="json", exclude_none=True)
    Path("models/churn.yaml").write_text(yaml.safe_dump(raw))
    Path("data").mkdir()
    with ExitStack() as opened:

        def point(kind: str) -> None:
            here = tmp_path / PLACES[kind]
            if kind == "sqlite":
                urls = [f"sqlite:///{here / 'ledger.db'}", f"sqlite:///{here / 'mlflow/mlflow.db'}"]
            else:
                urls = [
                    opened.enter_context(database_in_postgres(name, driver))
                    for name, driver in (("ledger", "psycopg"), ("mlflow", "psycopg2"))
                ]
                opened.callback(lambda: Ledger.open().close())
            point_at(monkeypatch, here, *urls)

        yield point


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_lost_stack_is_restored_verified_and_goes_on(kind: str, empty: Any) -> None:
    empty(kind)
    home = Path(PLACES[kind])
    (home / "mlflow").mkdir(parents=True)
    settings_of(home.resolve(), Path("models"))
    keyring.create_keys()
    tracking.prepare_store()
    for number in range(1, 9):
        flow.land(number)
    flow.propose("boot", training_window=timedelta(days=5), until=flow.day(6))
    flow.register("boot")
    flow.promote("boot")
    flow.watch(6)
    before, said = Ledger.open().trail("churn"), flow.told()

    type_in(f"backup {kind}")
    Ledger.open().close()
    shutil.rmtree(".run")
    empty(kind)
    type_in(f"restore {kind}")
    if kind == "sqlite":
        assert "rows, verified against 2 kept heads" in type_in("look sqlite")
        assert home.stat().st_mode & 0o077 == 0

    assert Ledger.open().trail("churn") == before
    assert flow.told() == said
    verified = run("audit", "churn", "--verify")
    assert verified.exit_code == 0, verified.output
    assert "can be changed" not in run("doctor").output  # the triggers are back as well
    seen = flow.watch(7)
    assert (seen.verdict, seen.version, seen.revision) == ("steady", 1, 0)
    assert run("audit", "churn", "--verify").exit_code == 0


@pytest.fixture
def at(
    stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> At:
    (stores / "specs").mkdir()
    raw = flow.MODEL.model_dump(mode="json", exclude_none=True)
    (stores / "specs/churn.yaml").write_text(yaml.safe_dump(raw))
    monkeypatch.setenv("GATELATCH_MODELS", str(stores / "specs"))
    return flow.beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def of_stage(stages: pytest.TempPathFactory, stage: str, name: str) -> None:
    """Put a piece of another moment in place."""
    there = Path(stages.getbasetemp() / "stages" / stage / name)
    for left in Path().glob(f"{name}*"):
        left.unlink()
    for piece in there.parent.glob(f"{name}*"):  # what SQLite wrote last lies beside the file
        shutil.copy(piece, piece.name)
    tracking.connect.cache_clear()
    registry.load_version.cache_clear()


def test_a_ledger_that_is_newer_than_mlflow_is_named(
    at: At, tmp_path_factory: pytest.TempPathFactory
) -> None:
    at("promoted")
    of_stage(tmp_path_factory, "bootstrapped", "mlflow.db")
    audited, examined = run("audit", "churn", "--verify"), run("doctor", "--wide").output
    assert "version 2 is not in MLflow any more" in audited.output
    assert "MLflow's alias champion is at version 1; the ledger's champion is version 2" in examined
    assert "restore its files from a backup, go back to another version" in examined


def test_a_ledger_that_is_older_than_mlflow_is_named(
    at: At, tmp_path_factory: pytest.TempPathFactory
) -> None:
    at("promoted")
    of_stage(tmp_path_factory, "bootstrapped", "ledger.db")
    audited, examined = run("audit", "churn", "--verify"), run("doctor", "--wide").output
    assert audited.exit_code == 1
    assert "is not in the chain: rows up to it were removed" in audited.stderr
    assert "the ledger of churn is refused" in examined
    adopted = ("--adopt", "--by", "ada", "--reason", "the disk failed")
    assert run("audit", "churn", *adopted).exit_code == 0
    assert run("audit", "churn", "--verify").exit_code == 0
    assert flow.watch(11).version == 1
