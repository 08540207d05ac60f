"""All checks in their order: what others need comes first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from tasks.doctor import (
    airflow_check,
    channel_check,
    clock_check,
    disk_check,
    key_check,
    ledger_check,
    mlflow_check,
    model_check,
    settings_check,
    store_check,
)
from tasks.doctor.examination import Checkup
from tasks.doctor.finding import Finding
from tasks.doctor.patient import Patient


def _around(
    look: Callable[[Mapping[str, str]], Iterator[Finding]],
) -> Callable[[Patient], Iterator[Finding]]:
    return lambda patient: look(patient.environment)


def _settings(patient: Patient) -> Iterator[Finding]:
    return settings_check.settings_findings(patient.environment, patient.specs)


CHECKUPS: Sequence[Checkup] = (
    Checkup(
        name="specs",
        looks_at="the folder of model specs, and each file in it",
        look=model_check.look_at_specs,
    ),
    Checkup(
        name="settings",
        looks_at="environment variables that are missing, misspelt or contradict each other",
        look=_settings,
    ),
    Checkup(
        name="keys",
        looks_at="keys: there, closed to others, and the signing one among the trusted",
        look=_around(key_check.look_at_keys),
    ),
    Checkup(
        name="channels",
        looks_at="channels of messages: known here, and their addresses closed to others",
        look=channel_check.look_at_channels,
        needs=("specs",),
    ),
    Checkup(
        name="ledger",
        looks_at="the ledger's database: reached, and of this release's schema",
        look=ledger_check.look_at_ledger,
    ),
    Checkup(
        name="rights",
        looks_at="whether this role can append to the ledger, and do nothing else to it",
        look=ledger_check.look_at_rights,
        needs=("ledger",),
    ),
    Checkup(
        name="triggers",
        looks_at="the triggers that keep the ledger append-only",
        look=ledger_check.look_at_triggers,
        needs=("ledger",),
    ),
    Checkup(
        name="chain",
        looks_at="each model's chain, signatures and kept head, as a run of the monitor does",
        look=ledger_check.look_at_chains,
        needs=("specs", "ledger"),
    ),
    Checkup(
        name="models",
        looks_at="whether each model's state can be read from the ledger",
        look=model_check.look_at_models,
        needs=("specs", "ledger"),
    ),
    Checkup(
        name="proposals",
        looks_at="live proposals whose time is up, or whose spec or champion has changed",
        look=model_check.look_at_proposals,
        needs=("models",),
    ),
    Checkup(
        name="reference",
        looks_at="champions without a reference to compare windows with",
        look=model_check.look_at_references,
        needs=("models",),
    ),
    Checkup(
        name="windows",
        looks_at="windows that should have been judged by now, or were passed over",
        look=model_check.look_at_windows,
        needs=("models",),
    ),
    Checkup(
        name="retention",
        looks_at="what is kept a week longer than the specs' `retention` says",
        look=model_check.look_at_retention,
        needs=("models",),
    ),
    Checkup(
        name="store",
        looks_at="the store: there, and writable",
        look=store_check.look_at_store,
    ),
    Checkup(
        name="same store",
        looks_at="whether it is the store that the flows write to",
        look=store_check.look_at_same_store,
        needs=("models", "store"),
    ),
    Checkup(
        name="leftovers",
        looks_at="files half-written in the store, temporary folders of killed processes",
        look=store_check.look_at_leftovers,
        needs=("store",),
    ),
    Checkup(
        name="disk",
        looks_at="what is free for ledger, store, artifacts, MLflow and temporary files",
        look=_around(disk_check.look_at_disks),
    ),
    Checkup(
        name="mlflow",
        looks_at="MLflow: reached, and with this login",
        look=mlflow_check.look_at_mlflow,
    ),
    Checkup(
        name="alias",
        looks_at="whether MLflow's alias `champion` is at the ledger's champion",
        look=mlflow_check.look_at_aliases,
        needs=("models", "mlflow"),
    ),
    Checkup(
        name="files",
        looks_at="the champion's files in MLflow: there, signed, of the digest in the ledger",
        look=mlflow_check.look_at_files,
        needs=("models", "mlflow"),
    ),
    Checkup(
        name="versions",
        looks_at="whether each of the newest 200 versions in MLflow is a candidate of the ledger",
        look=mlflow_check.look_at_versions,
        needs=("models", "mlflow"),
    ),
    Checkup(
        name="clock",
        looks_at="this clock against the ledger's server, its newest row, and MLflow's server",
        look=clock_check.look_at_clocks,
        needs=("ledger",),
    ),
    Checkup(
        name="airflow",
        looks_at="what Airflow's API server says of scheduler, DAG processor and database",
        look=_around(airflow_check.look_at_airflow),
    ),
    Checkup(
        name="DAG files",
        looks_at="the DAG files: there, and Python; whether they can be imported is unseen",
        look=_around(airflow_check.look_at_dag_files),
    ),
)


def checkups_table() -> str:
    """Return the checks as a table in Markdown, for docs/doctor.md."""
    rows = [
        f"| {one.name} | {one.looks_at} | {', '.join(one.needs) or '–'} |\n" for one in CHECKUPS
    ]
    return "| check | looks at | needs |\n| --- | --- | --- |\n" + "".join(rows)
