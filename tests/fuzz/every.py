"""All that is fuzzed, by name, each with stores of its own in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.conftest import CHURN
from tests.fuzz import ledgers, readers, specs
from tests.fuzz.target import Target


def _answers(folder: Path) -> Target:
    from tests.fuzz import served  # Airflow

    return served.answers_target(folder)


def _reports(folder: Path) -> Target:
    from tests.fuzz import served  # Airflow

    return served.reports_target(folder)


MAKERS: dict[str, Callable[[Path], Target]] = {
    "spec": specs.spec_target,
    "csv": readers.csv_target,
    "parquet": readers.parquet_target,
    "join": readers.join_target,
    "ledger": ledgers.ledger_target,
    "answers": _answers,
    "reports": _reports,
}


def environment_in(folder: Path) -> dict[str, str]:
    """Return the variables of a target: ledger, store, specs and keys are in its folder."""
    models = folder / "models"
    models.mkdir(parents=True, exist_ok=True)
    (models / "churn.yaml").write_text(yaml.safe_dump(CHURN))
    return {
        "GATELATCH_LEDGER": f"sqlite:///{folder / 'kept.db'}",
        "GATELATCH_STORE": str(folder / "store"),
        "GATELATCH_MODELS": str(models),
        "GATELATCH_SIGNING_KEY": str(folder / "signing.pem"),
        "AIRFLOW_HOME": os.environ.get("AIRFLOW_HOME", str(folder / "airflow")),
    }
