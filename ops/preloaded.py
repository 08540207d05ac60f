"""The heavy imports that a task needs, to be paid once: before processes are forked for tasks."""

from __future__ import annotations

import logging
from importlib import import_module

_NAMES = (
    "duckdb",
    "great_expectations",
    "matplotlib.figure",
    "mlflow.sklearn",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "model_signing.signing",
    "model_signing.verifying",
    "pandas",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "sklearn.calibration",
    "sklearn.compose",
    "sklearn.feature_extraction.text",
    "sklearn.svm",
    "skops.io",
    "sqlalchemy",
    "tasks.promotion.promotion",
    "tasks.flows.retrain",
    "tasks.classifier.scoring",
    "tasks.validation.checked_window",
)


def load() -> None:
    """Import them all, without the hundreds of lines that Great Expectations would log."""
    for name in ("great_expectations._docs_decorators", "great_expectations.expectations.registry"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _NAMES:
        import_module(name)
