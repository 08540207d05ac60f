"""Stacks that are really broken: each is named by the check that it belongs to, with its remedy."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from tasks.doctor import disk_check
from tasks.doctor.checkups import CHECKUPS
from tasks.doctor.examination import Examined, examine
from tasks.doctor.patient import Patient
from tasks.ledger.ledger import Ledger
from tasks.registry import tracking
from tasks.signing import keyring
from tasks.spec import spec_files
from tests.support import flow, forging
from tests.support.terminal import run

# Of a stack without an address of Airflow, which no test here starts.
AWAY = {("airflow", "unseen"), ("DAG files", "unseen")}
ENDED = {**flow.SPEC, "window": {**flow.SPEC["window"], "end": "2026-01-11"}}

Break = Callable[["Stack"], object]


@dataclass(frozen=True)
class Stack:
    """A stack of one model with a champion and windows, in a folder of its own."""

    folder: Path
    patch: pytest.MonkeyPatch

    def write_spec(self, **parts: Any) -> None:
        (self.folder / "models/churn.yaml").write_text(yaml.safe_dump({**ENDED, **parts}))

    def set(self, name: str, value: object) -> None:
        self.patch.setenv(name, str(value))

    @property
    def ledger(self) -> Ledger:
        return Ledger.open()

    def ledger_path(self) -> Path:
        return self.folder / "ledger.db"


@pytest.fixture
def stack(
    stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Stack:
    stages = tmp_path_factory.getbasetemp() / "stages"
    flow.beginning(stages, stores, monkeypatch)("drifted")
    made = Stack(Path.cwd(), monkeypatch)
    (made.folder / "models").mkdir()
    made.write_spec()
    made.set("GATELATCH_MODELS", made.folder / "models")
    temporary = made.folder / "tmp"  # another test may leave something in the machine's
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    return made


def examined(*words: str, code: int = 1) -> list[dict[str, Any]]:
    result = run("doctor", "--json", *words)
    assert result.exit_code == code, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)["checks"]
    assert json.loads(result.stdout)["ill"] is bool(code)
    return found


def unwell(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what was looked at and is not well."""
    return [
        f
        for f in found
        if f["state"] != "well"
        and (f["check"], f["state"]) not in AWAY
        and "not looked at" not in f["finding"]
    ]


def examined_at(moment: datetime) -> dict[str, Examined]:
    """Return what is found where the clock shows another time."""
    with Patient(None, dict(os.environ), lambda: moment) as patient:
        return {one.name: one for one in examine(CHECKUPS, patient)}


def test_of_a_healthy_stack_there_is_nothing_to_say(stack: Stack) -> None:
    found = examined(code=0)
    assert unwell(found) == []
    assert [f["check"] for f in found] == [one.name for one in CHECKUPS]
    shown = run("doctor", "churn")
    assert shown.exit_code == 0
    assert f"{len(CHECKUPS)} checks: 0 ill, 0 warnings, 2 unseen" in shown.stdout
    assert run("doctor", "chrun").exit_code == 2


# --- how each stack is broken


def no_table_database(stack: Stack) -> None:
    source = {"table": "sales", "database": "SALES_URL", "time": "time", "key": "id"}
    stack.write_spec(source=source)


def unset(name: str) -> Break:
    return lambda stack: stack.patch.delenv(name, raising=False)


def put(name: str, value: str) -> Break:
    return lambda stack: stack.set(name, value.replace("HERE", str(stack.folder)))


def both(*steps: Break) -> Break:
    def run_all(stack: Stack) -> None:
        for step in steps:
            step(stack)

    return run_all


def own_key(stack: Stack) -> Path:
    """Give the stack a copy of the session's keys, to be spoilt."""
    key = stack.folder / "own.pem"
    shutil.copy(keyring.private_path(), key)
    shutil.copy(keyring.private_path().with_suffix(".pub"), key.with_suffix(".pub"))
    key.chmod(0o600)
    stack.set("GATELATCH_SIGNING_KEY", key)
    return key


def world_readable_key(stack: Stack) -> None:
    own_key(stack).chmod(0o644)


def open_channels(stack: Stack) -> None:
    file = stack.folder / "channels.yaml"
    file.write_text('team: "json://localhost/hunter2"')
    file.chmod(0o644)
    stack.set("GATELATCH_CHANNELS", file)


def lost_key(stack: Stack) -> None:
    own_key(stack).unlink()


def untrusted_key(stack: Stack) -> None:
    workers = keyring.private_path().with_suffix(".pub")
    stack.set("GATELATCH_SIGNING_KEY", stack.folder / "new.pem")
    keyring.create_keys()
    stack.set("GATELATCH_VERIFY_KEY", workers)


def sql(*statements: str) -> Break:
    def execute(stack: Stack) -> None:
        with sa.create_engine(f"sqlite:///{stack.ledger_path()}").begin() as db:
            for statement in statements:
                db.execute(sa.text(statement))

    return execute


def forge(stack: Stack) -> None:
    forging.forge(
        stack.ledger,
        "decisions",
        model="churn",
        proposal="p9",
        step="retrain",
        answer="rejected",
        by="mallory",
        comment="",
        evidence="shown",
        effective_from=flow.day(9),
    )


def move_alias(stack: Stack) -> None:
    client = tracking.connect()
    client.create_model_version("churn", str(stack.folder))
    client.set_registered_model_alias("churn", "champion", "2")


def promote_what_nobody_made(stack: Stack) -> None:
    newest = stack.ledger.promotions("churn")[-1]
    stack.ledger.promote(
        "churn",
        "by hand",
        version=7,
        expected=newest.version,
        effective_from=flow.day(10),
        by="ada",
        reason="rollback by hand",
    )


def leftovers(stack: Stack) -> None:
    (stack.folder / f"store/heads/{int(time.time()) - 7200}-0a1b2c3d.partial").write_text("x")
    killed = stack.folder / "tmp/gatelatch-killed"
    killed.mkdir()
    long_ago = time.time() - 600
    os.utime(killed, (long_ago, long_ago))


def a_file_for_a_store(stack: Stack) -> None:
    (stack.folder / "store.txt").write_text("")
    stack.set("GATELATCH_STORE", stack.folder / "store.txt")


BROKEN: dict[str, tuple[Break, str, str, str, str]] = {
    "a spec with a mistake": (
        lambda stack: stack.write_spec(features={"numerical": ["x"]}),
        "specs", "ill", "features.numerical: unknown option", "python -m tasks check",
    ),
    "no folder of specs": (
        put("GATELATCH_MODELS", "HERE/none"),
        "specs", "ill", "none cannot be read", "python -m tasks check",
    ),
    "no address of MLflow": (
        unset("MLFLOW_TRACKING_URI"),
        "settings", "ill", "MLFLOW_TRACKING_URI is not set", "as the scheduler and the workers",
    ),
    "a login without a password": (
        put("MLFLOW_TRACKING_USERNAME", "gatelatch"),
        "settings", "ill", "without MLFLOW_TRACKING_PASSWORD", "set MLFLOW_TRACKING_PASSWORD",
    ),
    "a misspelt variable": (
        both(unset("GATELATCH_STORE"), put("GATELATCH_STROE", "HERE/store")),
        "settings", "warning", "nothing reads GATELATCH_STROE", "rename it to GATELATCH_STORE",
    ),
    "a table whose database nobody named": (
        no_table_database,
        "settings", "ill", "the variable SALES_URL, which is not set", "set SALES_URL",
    ),
    "a signing key that everybody may read": (
        world_readable_key, "keys", "ill", "open to every user", "chmod 600",
    ),
    "no signing key": (
        lost_key, "keys", "ill", "no key to sign with", "from its backup",
    ),
    "a signing key that nobody trusts": (
        untrusted_key, "keys", "ill", "trusted by nobody", "in GATELATCH_VERIFY_KEY too",
    ),
    "channels without an address": (
        lambda stack: stack.write_spec(notify={"team": "page"}),
        "channels", "warning", "team are told nothing here", "notify --test",
    ),
    "addresses that everybody may read": (
        open_channels, "channels", "ill", "open to every user", "chmod 640",
    ),
    "a lost file of channels": (
        put("GATELATCH_CHANNELS", "HERE/none.yaml"),
        "channels", "ill", "none.yaml (GATELATCH_CHANNELS) cannot be read", "put the file back",
    ),
    "no ledger": (
        put("GATELATCH_LEDGER", "sqlite:///HERE/none/ledger.db"),
        "ledger", "ill", "its folder is not there", "mount its disk",
    ),
    "a ledger of another schema": (
        sql("update gatelatch_schema set version_num = '1'"),
        "ledger", "ill", "has schema 1", "python -m tasks init",
    ),
    "a PostgreSQL that is away": (
        put("GATELATCH_LEDGER", "postgresql+psycopg://gatelatch:hunter2@127.0.0.1:9/ledger"),
        "ledger", "ill", "127.0.0.1:9", "start the database",
    ),
    "a ledger without triggers": (
        sql("drop trigger decisions_append_only_update"),
        "triggers", "ill", "decisions_append_only_update", "python -m tasks init",
    ),
    "a row that nobody signed": (
        forge, "chain", "ill", "is not signed", "audit churn --verify",
    ),
    "an MLflow that is away": (
        put("MLFLOW_TRACKING_URI", "http://127.0.0.1:9"),
        "mlflow", "ill", "MLflow does not answer", "start MLflow's server",
    ),
    "no database of MLflow": (
        put("MLFLOW_TRACKING_URI", "sqlite:///HERE/none.db"),
        "mlflow", "ill", "none.db (MLFLOW_TRACKING_URI) is not there", "python -m tasks init",
    ),
    "an alias that somebody moved": (
        move_alias, "alias", "ill", "champion is at version 2", "monitor.churn put it back",
    ),
    "another store": (
        lambda stack: (stack.folder / "other").mkdir() or stack.set(
            "GATELATCH_STORE", stack.folder / "other"
        ),
        "same store", "ill", "another store", "what the workers have",
    ),
    "a store that is a file": (
        a_file_for_a_store, "store", "ill", "cannot be written", "may write to",
    ),
    "no store": (
        put("GATELATCH_STORE", "HERE/none"),
        "store", "warning", "there is no store", "mount it",
    ),
    "files of killed processes": (
        leftovers, "leftovers", "warning", "1 files half-written in the store", "remove them",
    ),
    "a full disk": (
        lambda stack: stack.patch.setattr(disk_check, "FULL_BYTES", 2**62),
        "disk", "ill", "ledger, store", "free space there",
    ),
    "a proposal on another spec": (
        lambda stack: flow.propose(),
        "proposals", "warning", "another spec", "python -m tasks withdraw churn",
    ),
    "a champion without a reference": (
        promote_what_nobody_made, "reference", "ill", "no candidate of version 7",
        "tasks rollback churn",
    ),
    "windows that did not come": (
        lambda stack: stack.write_spec(window=flow.SPEC["window"]),
        "windows", "ill", "due on 2026-01-12", "newest run of monitor.churn",
    ),
    "an Airflow that is away": (
        put("AIRFLOW__API__BASE_URL", "http://127.0.0.1:9"),
        "airflow", "ill", "does not answer", "airflow api-server",
    ),
    "a folder of DAGs without them": (
        put("AIRFLOW__CORE__DAGS_FOLDER", "HERE"),
        "DAG files", "ill", "lacks monitor.py", "the folder dags/",
    ),
}  # fmt: skip
# What is found besides, for the same reason.
ALSO = {
    "no address of MLflow": {"mlflow"},
    "a misspelt variable": {"store", "same store"},
    "a champion without a reference": {"alias", "chain", "windows"},
    "no store": {"same store"},
}


@pytest.mark.parametrize("what", BROKEN)
def test_each_broken_stack_is_named_with_its_remedy(stack: Stack, what: str) -> None:
    how, check, state, finding, remedy = BROKEN[what]
    how(stack)
    tracking.connect.cache_clear()
    ill = state == "ill" or "same store" in ALSO.get(what, ())
    found = unwell(examined(code=int(ill)))
    mine = [f for f in found if f["check"] == check and finding in f["finding"]]
    assert mine, found
    assert (mine[0]["state"], remedy in mine[0]["remedy"]) == (state, True), mine[0]
    assert {f["check"] for f in found} <= {check} | ALSO.get(what, set()), found
    assert all(f["remedy"] for f in found)
    assert "hunter2" not in json.dumps(found)


@pytest.mark.parametrize("lost", [True, False])
def test_a_champion_whose_files_are_lost_or_changed_is_named(stack: Stack, lost: bool) -> None:
    place = str(tracking.connect().get_model_version_download_uri("churn", "1"))
    file = Path(place.removeprefix("file://")) / "lineage.json"
    there = file.read_bytes()
    try:
        file.unlink()
        if not lost:
            file.write_bytes(there.replace(b"churn", b"chern"))
        (found,) = unwell(examined())
    finally:
        file.write_bytes(there)  # all tests share the artifacts
    assert (found["check"], found["state"], found["model"]) == ("files", "ill", "churn")
    assert f"lineage.json {'is missing' if lost else 'was changed'}" in found["finding"]
    assert "python -m tasks rollback churn" in found["remedy"]
    assert unwell(examined(code=0)) == []


def test_a_proposal_whose_time_is_up_is_dead(stack: Stack) -> None:
    flow.propose(spec=spec_files.find("churn"))
    assert unwell(examined(code=0)) == []
    later = datetime.now(UTC) + timedelta(days=30)
    (found,) = examined_at(later)["proposals"].findings
    assert (found.state, found.model) == ("ill", "churn")
    assert f"{flow.FIRST} is dead since" in found.finding
    assert f"python -m tasks withdraw churn {flow.FIRST}" in found.remedy


def test_a_row_of_the_future_says_that_the_clock_went_back(stack: Stack) -> None:
    earlier = datetime.now(UTC) - timedelta(days=1)
    (found,) = examined_at(earlier)["clock"].findings
    assert found.state == "ill"
    assert "behind that of the newest row of the ledger" in found.finding
    assert "NTP" in found.remedy


def test_the_table_fits_a_terminal_and_names_what_was_not_looked_at(
    stack: Stack,
) -> None:
    stack.set("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    stack.set("COLUMNS", "80")
    shown = run("doctor")
    assert shown.exit_code == 1
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert all(line == line.rstrip() for line in shown.stdout.splitlines())
    assert "not looked at, because of mlflow: alias, files" in shown.stdout
    assert "[" not in shown.stdout.replace("[Errno", "")
