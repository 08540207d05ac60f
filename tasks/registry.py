"""The only file that knows MLflow: hand over between steps, register, load, point the champion.

Models are stored and loaded as skops alone, with our own list of trusted types. What MLflow's own
`MLmodel` file claims to be trusted is never read.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks import artifact, model_file
from tasks.spec import ModelSpec

if TYPE_CHECKING:
    from mlflow import MlflowClient

_MODEL_FILE = "model.skops"


class RegistryError(Exception):
    """The registry does not hold what is asked for, or what it holds must not be loaded."""


@dataclass(frozen=True)
class Registered:
    """A registered version, and the digest over the files that it consists of."""

    version: int
    artifact_digest: str


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
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.skops"
        path.write_bytes(model_file.dump(model))
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


def register(spec: ModelSpec, run_id: str, calibrated: Any, tags: Mapping[str, str]) -> Registered:
    """Register the run's candidate; the same candidate is registered once, whoever asks again.

    Its files are artifacts of the run first, then a version points to them: what was killed in
    between is done over. Of two who register it at once, the lower version stands.
    """
    client = _client()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(spec, run_id, calibrated, folder)
        digest = artifact.digest(folder)
        found = _versions(spec.model, digest)
        if not found:
            (folder / artifact.SUMS).write_text(artifact.sums(folder))
            client.log_artifacts(run_id, str(folder), "model")
            _create_version(spec.model, run_id, {**tags, "artifact_digest": digest})
            found = _versions(spec.model, digest)
    for double in found[1:]:
        client.delete_model_version(spec.model, str(double))
    return Registered(found[0], digest)


def _write(spec: ModelSpec, run_id: str, calibrated: Any, folder: Path) -> None:
    """Write the files of a registered model; the same candidate gives the same bytes."""
    import mlflow
    from mlflow.models import Model

    content = model_file.dump(calibrated)
    started = _client().get_run(run_id).info.start_time / 1000
    described = Model(
        run_id=run_id,
        utc_time_created=datetime.fromtimestamp(started, UTC).replace(tzinfo=None),
        model_uuid=hashlib.sha256(content).hexdigest()[:32],
    )
    mlflow.sklearn.save_model(
        calibrated,
        folder,
        mlflow_model=described,
        serialization_format="skops",
        skops_trusted_types=list(model_file.TRUSTED),
        pyfunc_predict_fn="predict_proba",
        signature=_signature(spec),
        pip_requirements=_requirements(),
    )
    (folder / _MODEL_FILE).write_bytes(content)
    described.model_size_bytes = len(content)
    described.save(folder / "MLmodel")


def _versions(model: str, digest: str) -> list[int]:
    """Return the versions that hold these files, in order; those deleted by hand are not there."""
    query = f"name = '{model}' and tags.`gatelatch.artifact_digest` = '{digest}'"
    return sorted(int(v.version) for v in _client().search_model_versions(query))


def _create_version(model: str, run_id: str, tags: Mapping[str, str]) -> None:
    from mlflow.exceptions import MlflowException

    client = _client()
    try:
        client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source = f"{client.get_run(run_id).info.artifact_uri}/model"
    named = {f"gatelatch.{name}": value for name, value in tags.items()}
    client.create_model_version(model, source, run_id, tags=named, await_creation_for=0)


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
    try:
        return model_file.load(path.read_bytes(), path.name)
    except model_file.ModelFileError as error:
        raise RegistryError(str(error)) from None


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
