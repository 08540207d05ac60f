"""What each task would pay again, paid once: before processes are forked for tasks.

Imports, and what libraries and databases are asked for the first time. Not paid here is whatever
checks something of ours: a task looks at the ledger's schema, digests and signatures itself.
"""

from __future__ import annotations

import logging
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

_LOG = logging.getLogger(__name__)

# What libraries import late by themselves is named too.
_NAMES = (
    "duckdb",
    "encodings.cp437",
    "encodings.utf_8_sig",
    "fsspec.implementations.chained",
    "fsspec.implementations.local",
    "great_expectations",
    "jinja2.ext",
    "matplotlib.figure",
    "mlflow.sklearn",
    "mlflow.store.model_registry.sqlalchemy_workspace_store",
    "mlflow.store.tracking.sqlalchemy_workspace_store",
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
)
# Last: MLflow's stores configure all mappers there are, and Airflow's are not complete yet.
_AIRFLOW = (
    "airflow.dag_processing.bundles.local",
    "airflow.providers.standard.decorators.python",
    "airflow.providers.standard.decorators.short_circuit",
    "airflow.providers.standard.operators.hitl",
    "airflow.providers.standard.operators.trigger_dagrun",
    "airflow.sdk.definitions.asset.metadata",
    "airflow.sdk.definitions.decorators",
    "airflow.sdk.definitions.param",
    "airflow.version",
)
_ROOMS = ("tasks.flows", "tasks.promotion", "tasks.reports")
_OURS = ("dags.assets", "dags.each_model", "dags.start")  # what the files of DAGs share


def load() -> None:
    """Import them all, without the hundreds of lines that Great Expectations would log."""
    for name in ("great_expectations._docs_decorators", "great_expectations.expectations.registry"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in (*_NAMES, *_flows(), *_AIRFLOW, *_OURS):
        import_module(name)


def _flows() -> list[str]:
    return [
        f"{room}.{module.name}"
        for room in _ROOMS
        for module in pkgutil.iter_modules(import_module(room).__path__)
    ]


def warm() -> None:
    """Ask once what each task asks, and let go of every connection.

    What cannot be asked, as before the databases are there, each task asks itself.
    """
    for ask in (_libraries, _airflow, _mlflow, _ledger):
        with _let_go():
            try:
                ask()
            except Exception as error:  # whatever it is, a scheduler must start
                _LOG.warning("%s was not asked beforehand: %s", ask.__name__, type(error).__name__)


@contextmanager
def _let_go() -> Iterator[None]:
    """Close the connections of the block: none of them may get into two processes."""
    import sqlalchemy as sa

    used: set[sa.Engine] = set()

    def note(link: sa.Connection) -> None:
        used.add(link.engine)

    sa.event.listen(sa.Engine, "engine_connect", note)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "engine_connect", note)
        for engine in used:
            engine.dispose()


def _libraries() -> None:
    from sklearn.utils import check_array

    from tasks import threads
    from tasks.reports import page
    from tasks.validation import expectations

    check_array([[0.0]])  # asks who else knows data frames
    with threads.one_blas_thread():  # finds the libraries
        pass
    expectations.usable()
    environment = page.environment()
    for name in environment.list_templates(extensions=["html"]):
        environment.get_template(name)


def _airflow() -> None:
    """Let Airflow find its providers' kinds of assets, the schema of forms, and our plugins."""
    from airflow.sdk import Asset, Param

    Asset("gatelatch", "gatelatch://gatelatch")
    Param(None, type=["string", "null"]).resolve()
    for plugin in ("links", "window_timetable"):  # which files of DAGs import
        import_module(plugin)


def _mlflow() -> None:
    """Let MLflow find its plugins and, where its store is a database, compare the schema."""
    import mlflow
    from mlflow.exceptions import MlflowException

    client = mlflow.MlflowClient()
    if mlflow.get_tracking_uri().startswith("http"):
        return
    for model in _models():
        asked: list[Callable[..., Any]] = [
            client.get_registered_model,
            lambda name: client.get_model_version(name, "1"),
        ]
        for ask in asked:
            with suppress(MlflowException):  # nothing is registered yet
                ask(model.model)


def _ledger() -> None:
    """Let the statements of the ledger be compiled."""
    from tasks.audit import verification
    from tasks.ledger import kept_fold
    from tasks.ledger.ledger import Ledger

    for spec in _models():
        ledger = Ledger.before_forks()
        known = kept_fold.read_newest(spec, ledger, keep=False)
        verification.require(ledger, spec.model)
        ledger.candidate(spec.model, 1)
        for seen in known.observations[-1:]:
            ledger.observation(spec.model, seen.version, seen.window)
            dict(seen.figures)  # which are read apart from the rest


def _models() -> list[Any]:
    """Return one model to ask about, if there is any: the statements are the same for all."""
    from tasks.spec.spec_files import load_all

    return load_all()[0][:1]
