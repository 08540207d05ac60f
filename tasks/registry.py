"""The only file that knows MLflow: hand over between steps, register, load, point the champion.

Models are stored and loaded as skops alone, with our own list of trusted types. What MLflow's own
`MLmodel` file claims to be trusted is never read.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from tasks.spec import ModelSpec

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Beyond scikit-learn's public types, which skops trusts itself.
TRUSTED = (
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.compose._column_transformer._RemainderColsList",
    "scipy.sparse._csr.csr_matrix",
)
_MODEL_FILE = "model.skops"


class RegistryError(Exception):
    """The registry does not hold what is asked for, or what it holds must not be loaded."""


@cache
def _client() -> MlflowClient:
    # A dead server fails within seconds instead of minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    return mlflow.MlflowClient()


def prepare() -> None:
    """Create or upgrade the tables of a tracking store that is a database.

    Done once before anything else: several processes that meet an empty SQLite store break it.
    """
    import mlflow

    uri = mlflow.get_tracking_uri()
    if not uri.startswith("http"):
        from mlflow.store.db.utils import _safe_initialize_tables, create_sqlalchemy_engine

        _safe_initialize_tables(create_sqlalchemy_engine(uri))  # type: ignore[no-untyped-call]
    _client().search_experiments(max_results=1)


def start(model: str, proposal: str, tags: Mapping[str, str]) -> str:
    """Return the id of the proposal's MLflow run; a second call finds the first one's."""
    client = _client()
    experiment = client.get_experiment_by_name(model)
    if experiment is None:
        root = os.environ.get("GATELATCH_ARTIFACTS")
        location = f"{root.rstrip('/')}/{model}" if root else None
        experiment_id = client.create_experiment(model, artifact_location=location)
    else:
        experiment_id = experiment.experiment_id
    query = f"tags.`gatelatch.proposal` = '{proposal}'"
    found = client.search_runs([experiment_id], query, max_results=1)
    if found:
        return str(found[0].info.run_id)
    named = {f"gatelatch.{name}": value for name, value in tags.items()}
    named["gatelatch.proposal"] = proposal
    run = client.create_run(experiment_id, run_name=proposal, tags=named)
    return str(run.info.run_id)


def put_model(run_id: str, name: str, model: Any) -> None:
    """Hand a fitted model to the next step, as `work/<name>.skops` of the run."""
    import skops.io as sio

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.skops"
        sio.dump(model, path)
        _client().log_artifact(run_id, str(path), "work")


def get_model(run_id: str, name: str) -> Any:
    """Return a model that an earlier step handed over."""
    with tempfile.TemporaryDirectory() as folder:
        path = _client().download_artifacts(run_id, f"work/{name}.skops", folder)
        return _load(Path(path))


def put_json(run_id: str, name: str, content: Any) -> None:
    """Keep JSON-ready values as `<name>.json` of the run."""
    _client().log_text(run_id, json.dumps(content, indent=1), f"{name}.json")


def get_json(run_id: str, name: str) -> Any:
    """Return what `put_json` kept."""
    with tempfile.TemporaryDirectory() as folder:
        path = _client().download_artifacts(run_id, f"{name}.json", folder)
        return json.loads(Path(path).read_text())


def log_metrics(run_id: str, metrics: Mapping[str, float]) -> None:
    """Write metrics to the run."""
    for name, value in metrics.items():
        _client().log_metric(run_id, name, value)


def register(spec: ModelSpec, run_id: str, calibrated: Any, tags: Mapping[str, str]) -> int:
    """Return the registered version of the run's candidate; a second call finds the first one's."""
    import mlflow

    model = spec.model
    client = _client()
    earlier = client.search_model_versions(f"name = '{model}' and run_id = '{run_id}'")
    if earlier:
        return int(earlier[0].version)
    with mlflow.start_run(run_id=run_id):
        info = mlflow.sklearn.log_model(
            calibrated,
            name="model",
            serialization_format="skops",
            skops_trusted_types=list(TRUSTED),
            pyfunc_predict_fn="predict_proba",
            signature=_signature(spec),
            pip_requirements=_requirements(),
        )
    if not client.search_registered_models(f"name = '{model}'"):
        client.create_registered_model(model)
    version = client.create_model_version(
        model, info.model_uri, run_id, tags={f"gatelatch.{k}": v for k, v in tags.items()}
    )
    return int(version.version)


def _signature(spec: ModelSpec) -> Any:
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    columns: list[Any] = [ColSpec("double", name) for name in spec.features.numeric]
    columns += [ColSpec("string", n) for n in (*spec.features.categorical, *spec.features.text)]
    probabilities = TensorSpec(np.dtype("float64"), (-1, len(spec.label.classes)))
    return ModelSignature(inputs=Schema(columns), outputs=Schema([probabilities]))


def _requirements() -> list[str]:
    from importlib.metadata import version

    # Given, not inferred: inference takes seconds and starts a process.
    return [f"{name}=={version(name)}" for name in ("scikit-learn", "skops", "pandas", "numpy")]


@lru_cache(maxsize=4)
def load(model: str, version: int) -> Any:
    """Return the calibrated model of a registered version.

    Raises
    ------
    RegistryError
        If there is no such version, or its file is no skops file or holds a type not trusted.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory() as folder:
        try:
            _client().get_model_version(model, str(version))  # a clear error if there is none
            path = mlflow.artifacts.download_artifacts(
                artifact_uri=f"models:/{model}/{version}/{_MODEL_FILE}", dst_path=folder
            )
        except (MlflowException, OSError) as error:
            reason = str(error).splitlines()[0]
            raise RegistryError(f"{model} version {version} cannot be fetched: {reason}") from None
        return _load(Path(path))


def _load(path: Path) -> Any:
    import skops.io as sio
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return sio.load(path, trusted=list(TRUSTED))
    except UntrustedTypesFoundException as error:
        raise RegistryError(f"{path.name} holds types that are not trusted: {error}") from None
    except (BadZipFile, ValueError, OSError, KeyError) as error:
        raise RegistryError(f"{path.name} is not a readable skops file: {error}") from None


def point_champion(model: str, version: int, previous: int | None) -> None:
    """Let MLflow's aliases follow the ledger: `champion`, and `previous` where there is one."""
    client = _client()
    client.set_registered_model_alias(model, "champion", str(version))
    if previous is not None:
        client.set_registered_model_alias(model, "previous", str(previous))


def run_url(model: str, run_id: str) -> str:
    """Return the address of a run in the MLflow UI."""
    experiment = _client().get_experiment_by_name(model)
    number = experiment.experiment_id if experiment else "0"
    return f"{_ui()}/#/experiments/{number}/runs/{run_id}"


def version_url(model: str, version: int) -> str:
    """Return the address of a registered version in the MLflow UI."""
    return f"{_ui()}/#/models/{model}/versions/{version}"


def _ui() -> str:
    return (os.environ.get("GATELATCH_MLFLOW_UI") or "http://127.0.0.1:5000").rstrip("/")
