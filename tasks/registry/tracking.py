"""MLflow as a tracking server: the way to it, and the run in which a proposal's steps hand over.

Only this file and `registry.py` know MLflow. What one step leaves for the next is sealed: nobody
without the key that signs can swap it for something else, nor for what another run left.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from tenacity import retry, retry_if_exception, stop_after_attempt

from tasks import scratch, secret_files
from tasks.classifier import skops_file
from tasks.disk import Unusable, disk_refusal, unwritten
from tasks.errors import Final, Retryable
from tasks.signing import signatures

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SECONDS = 5
_LOGIN = "is the login in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD the right one?"
_ANEW = "clear the run's train task, which makes all of it again"
_WAIT = (
    "start it, or wait until it is back: Airflow tries a step of a DAG again, but you must run a "
    "command again yourself"
)


class RegistryUnreachable(Retryable):
    """Nobody answers for MLflow, or not with anything that can be used: start it, or wait."""


class RegistryRefused(Final):
    """MLflow answers that it does not hold what was asked for, or refuses the login."""


class ModelRefused(RegistryRefused):
    """What is there must not be loaded: another key, another file, an unknown type."""


@cache
def connect() -> MlflowClient:
    """Return the one client of this process."""
    # MLflow's own patience is minutes; whoever asks here is a step that can run again.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # MLflow's client reads no file for it that this process could name.
    if password := secret_files.secret_of("MLFLOW_TRACKING_PASSWORD_FILE"):
        os.environ["MLFLOW_TRACKING_PASSWORD"] = password
    import mlflow

    _knock(mlflow.get_tracking_uri())
    return mlflow.MlflowClient()


def _knock(uri: str) -> None:
    """Raise within seconds if nobody answers at a server's or a database's address."""
    import sqlalchemy
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    if uri.startswith("http"):
        credentials = get_default_host_creds(uri)
        http_request(credentials, "/health", "GET", max_retries=0, timeout=_SECONDS)
    elif uri.startswith(("postgresql", "mysql")):
        engine = sqlalchemy.create_engine(uri, connect_args={"connect_timeout": _SECONDS})
        engine.connect().close()
        engine.dispose()


@contextmanager
def asking(what: str, way_out: str = "") -> Iterator[MlflowClient]:
    """Yield the client; what goes wrong with MLflow or its stores is an error that names `what`.

    Parameters
    ----------
    way_out
        What people do if MLflow does not hold what is asked for.

    Raises
    ------
    RegistryUnreachable
        If MLflow or a store of its own does not answer.
    RegistryRefused
        If it answers, and holds no such thing, or refuses the login.
    tasks.disk.Unusable
        If a disk is full.
    """
    with _explained(what, way_out):
        yield connect()


@contextmanager
def _explained(what: str, way_out: str = "") -> Iterator[None]:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except Unusable:
        raise
    except (MlflowException, SQLAlchemyError, OSError) as error:
        if told := disk_refusal(error):
            (reason, remedy), where = told, "where MLflow keeps its database or artifacts"
            raise Unusable(
                f"{what}: {reason} {where}, or in the temporary folder (TMPDIR); {remedy}, then "
                "run this again"
            ) from None
        lines = str(error).splitlines() or [type(error).__name__]
        reason = next((line for line in lines if "Error) " in line), lines[0])[:300]
        if _login_refused(error):
            raise RegistryRefused(f"{what}; MLflow says: {reason}; {_LOGIN}") from None
        if _absent(error):
            remedy = f"; {way_out}" if way_out else ""
            raise RegistryRefused(f"{what}{remedy}; MLflow says: {reason}") from None
        raise RegistryUnreachable(f"{what}: MLflow does not answer ({reason}); {_WAIT}") from None


def _login_refused(error: Exception) -> bool:
    """Return whether a server wants another login than it was given."""
    answer = getattr(error, "response", None)  # of a file's transfer; other requests have a code
    return getattr(answer, "status_code", None) in (401, 403) or getattr(
        error, "error_code", None
    ) in ("UNAUTHENTICATED", "PERMISSION_DENIED")


def _absent(error: Exception) -> bool:
    """Return whether MLflow's answer is that it does not hold what is asked for."""
    if isinstance(error, FileNotFoundError):
        return True
    if getattr(error, "error_code", None) in ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"):
        return True
    # Of what failed while files were fetched there is the text alone.
    return any(sign in str(error) for sign in ("No such artifact", "404 Client Error"))


@contextmanager
def unless(code: str) -> Iterator[None]:
    """Pass over MLflow's error of this code: somebody else was first."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != code:
            raise


def _met(error: BaseException) -> bool:
    from mlflow.exceptions import MlflowException

    met = ("BAD_REQUEST", "TEMPORARILY_UNAVAILABLE")
    return isinstance(error, MlflowException) and error.error_code in met


@retry(retry=retry_if_exception(_met), stop=stop_after_attempt(5), reraise=True)
def persist(write: Callable[..., object], *row: str) -> None:
    """Write a row whoever else does: of two who write it first, MLflow lets one fail."""
    write(*row)


def prepare_store() -> None:
    """Create or upgrade the tables of a tracking store that is a database.

    Done once before anything else: several processes that meet an empty SQLite store break it.
    """
    import mlflow

    uri = mlflow.get_tracking_uri()
    with _explained("MLflow cannot be prepared"):
        _knock(uri)
        if not uri.startswith("http"):
            from mlflow.store.db.utils import _safe_initialize_tables, create_sqlalchemy_engine

            _safe_initialize_tables(create_sqlalchemy_engine(uri))
        connect().search_experiments(max_results=1)


def start(model: str, proposal: str, tags: Mapping[str, str]) -> str:
    """Return the id of the proposal's MLflow run; a second call finds the first one's."""
    query = f"tags.`gatelatch.proposal` = '{proposal}'"
    named = {f"gatelatch.{name}": value for name, value in tags.items()}
    named["gatelatch.proposal"] = proposal
    with asking(f"no run can be started for {proposal}") as client:
        place = [_experiment(client, model)]
        if not client.search_runs(place, query, max_results=1):
            client.create_run(place[0], run_name=proposal, tags=named)
        # The oldest one, should two have started it at once.
        (run,) = client.search_runs(place, query, max_results=1, order_by=["start_time ASC"])
        return str(run.info.run_id)


def _experiment(client: MlflowClient, model: str) -> str:
    experiment = client.get_experiment_by_name(model)
    if experiment is not None:
        return str(experiment.experiment_id)
    root = os.environ.get("GATELATCH_ARTIFACTS")
    location = f"{root.rstrip('/')}/{model}" if root else None
    with unless("RESOURCE_ALREADY_EXISTS"):
        return str(client.create_experiment(model, artifact_location=location))
    return str(client.get_experiment_by_name(model).experiment_id)


def put_model(run_id: str, name: str, model: Any) -> None:
    """Hand a fitted model to the next step, sealed, as `<name>.skops` of the run."""
    _put(run_id, f"{name}.skops", skops_file.dump(model))


def get_model(run_id: str, name: str) -> Any:
    """Return a model that an earlier step handed over. Raises ModelRefused if it was swapped."""
    return read_model(_get(run_id, f"{name}.skops"), f"{name}.skops")


def put_json(run_id: str, name: str, content: Any) -> None:
    """Keep JSON-ready values, sealed, as `<name>.json` of the run."""
    _put(run_id, f"{name}.json", json.dumps(content, indent=1).encode())


def put_page(run_id: str, name: str, page: str) -> None:
    """Keep a page for people, sealed, as `<name>.html` of the run."""
    _put(run_id, f"{name}.html", page.encode())


def get_json(run_id: str, name: str) -> Any:
    """Return what `put_json` kept. Raises ModelRefused if it was changed."""
    return json.loads(_get(run_id, f"{name}.json"))


def _put(run_id: str, name: str, content: bytes) -> None:
    with scratch.folder() as folder:
        for path, part in (
            (name, content),
            (f"{name}.sig", signatures.seal_content(content, f"{run_id}/{name}")),
        ):
            Path(folder, path).write_bytes(part)
        with asking(f"{name} cannot be kept in run {run_id}") as client:
            client.log_artifacts(run_id, folder, "work")


def _get(run_id: str, name: str) -> bytes:
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    with (
        scratch.folder() as folder,  # of what is fetched, it alone can be full
        asking(f"{name} of run {run_id} cannot be fetched", _ANEW) as client,
    ):
        # Not the client's own way to a run's files: it calls whatever goes wrong a wrong path.
        place = f"{client.get_run(run_id).info.artifact_uri}/work"
        try:
            content, seal = (
                Path(download_artifacts(f"{place}/{part}", dst_path=folder)).read_bytes()
                for part in (name, f"{name}.sig")
            )
        except MlflowException as error:
            if disk_refusal(error):
                raise unwritten(f"the temporary folder {folder} (TMPDIR)", error) from None
            raise
    try:
        signatures.check_content(content, f"{run_id}/{name}", seal)
    except signatures.SignatureRefused as error:
        raise ModelRefused(f"{error}; {_ANEW}") from None
    return content


def log_metrics(run_id: str, metrics: Mapping[str, float]) -> None:
    """Write metrics to the run, all or none."""
    from mlflow.entities import Metric

    now = int(time() * 1000)
    with asking(f"metrics of run {run_id} cannot be kept") as client:
        client.log_batch(run_id, [Metric(name, v, now, 0) for name, v in metrics.items()])


def read_model(content: bytes, name: str) -> Any:
    """Return the model of a skops file. Raises ModelRefused."""
    try:
        return skops_file.load(content, name)
    except skops_file.ModelFileError as error:
        raise ModelRefused(str(error)) from None


def run_url(model: str, run_id: str) -> str:
    """Return the address of a run in the MLflow UI."""
    with asking(f"run {run_id} has no address") as client:
        experiment = client.get_experiment_by_name(model)
    number = experiment.experiment_id if experiment else "0"
    return f"{ui()}/#/experiments/{number}/runs/{run_id}"


def ui() -> str:
    """Return the address of the MLflow UI."""
    return (os.environ.get("GATELATCH_MLFLOW_UI") or "http://127.0.0.1:5000").rstrip("/")
