"""How stacks are broken, which check names each, and the remedy that it gives."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import sqlalchemy as sa

from tasks.doctor import disk_check
from tasks.registry import tracking
from tasks.signing import keyring
from tests.support import flow, forging
from tests.support.examined import Break, Stack


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
    "a window that was passed over": (
        lambda stack: flow.watch(12),
        "windows", "warning", "1 window(s) before the newest one were never judged: the first "
        "begins on 2026-01-11 00:00", "backfill",
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
