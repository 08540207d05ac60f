"""MLflow as a model registry: register a candidate, load a version.

MLflow is not trusted: the files of a version are held
against their signature and against the ledger's digest of them before anything is loaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks import formats, scratch
from tasks.classifier import skops_file
from tasks.registry import model_card
from tasks.registry.lineage import Lineage
from tasks.registry.tracking import ModelRefused, asking, connect, read_model, ui, unless
from tasks.signing import artifact, signatures
from tasks.spec.model import ModelSpec

if TYPE_CHECKING:
    pass

_WAY_OUT = (
    "restore its files from a backup, go back to another version (DAG rollback.{model}), or retrain"
)


@dataclass(frozen=True)
class Registered:
    """A registered version, and the digest over the files that it consists of."""

    version: int
    artifact_digest: str


def register_version(
    spec: ModelSpec,
    run_id: str,
    calibrated: Any,
    record: Lineage,
    taken: Collection[int] = (),
) -> Registered:
    """Register the run's candidate, signed; it is registered once, whoever asks again.

    Its lineage `record` is one of its files, and its model card the version's description. Files
    are artifacts of the run first, then a version points to them: what was killed in between is
    done over. Their folder is named by their digest, so no other attempt writes over them. Of two
    who register it at once, the lower version stands. The version is that of this run alone,
    whatever other version has an equal model.

    Parameters
    ----------
    taken
        Versions of other candidates. They are skipped if MLflow was emptied and counts from 1.
    """
    with (
        scratch.folder() as name,
        asking(f"run {run_id} of {spec.model} cannot be registered") as client,
    ):
        folder = Path(name)
        _write(spec, run_id, calibrated, folder)
        (folder / artifact.LINEAGE_FILE).write_text(json.dumps(record.to_json(), indent=1))
        digest = artifact.folder_digest(folder)
        if not set(_versions(spec.model, run_id, digest)) - set(taken):
            (folder / artifact.SUMS).write_text(artifact.sums(folder))
            signatures.sign(folder)
            place = f"model/{digest[:12]}"
            client.log_artifacts(run_id, str(folder), place)
            card = model_card.card(record, digest)
            client.log_text(run_id, card, "model_card.md")
            tags = {**record.tags, "artifact_digest": digest}
            while _create_version(spec.model, run_id, place, tags, card) in taken:
                pass
        versions = _versions(spec.model, run_id, digest)
        stands = next(v for v in versions if v not in taken)
        for double in set(versions) - {stands}:
            with unless("RESOURCE_DOES_NOT_EXIST"):
                client.delete_model_version(spec.model, str(double))
    return Registered(stands, digest)


def _write(spec: ModelSpec, run_id: str, calibrated: Any, folder: Path) -> None:
    """Write the files of a registered model; the same candidate gives the same bytes."""
    import mlflow
    from mlflow.models import Model

    content = skops_file.dump(calibrated)
    started = connect().get_run(run_id).info.start_time / 1000
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
        skops_trusted_types=list(skops_file.TRUSTED),
        pyfunc_predict_fn="predict_proba",
        signature=_signature(spec),
        pip_requirements=_requirements(),
    )
    (folder / artifact.MODEL_FOLDER).write_bytes(content)
    described.model_size_bytes = len(content)
    described.save(folder / "MLmodel")


def _versions(model: str, run_id: str, digest: str) -> list[int]:
    """Return the run's versions of these files, in order; those deleted by hand are not there."""
    query = (
        f"name = '{model}' and run_id = '{run_id}' "
        f"and tags.`gatelatch.artifact_digest` = '{digest}'"
    )
    return sorted(int(v.version) for v in connect().search_model_versions(query))


def _create_version(model: str, run_id: str, place: str, tags: Mapping[str, str], card: str) -> int:
    client = connect()
    with unless("RESOURCE_ALREADY_EXISTS"):
        client.create_registered_model(model)
    source = f"{client.get_run(run_id).info.artifact_uri}/{place}"
    made = client.create_model_version(
        model, source, run_id, tags=tags_of(tags), description=card, await_creation_for=0
    )
    return int(made.version)


def tags_of(said: Mapping[str, str]) -> dict[str, str]:
    """Return what is said of a version as the names and values of its tags."""
    return {f"gatelatch.{name}": value for name, value in said.items()}


def _signature(spec: ModelSpec) -> Any:
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec
    from mlflow.types.schema import AnyType

    # MLflow takes neither a whole number nor a bool for a double, nor either for a string; what
    # the model was trained on may be any of them, and its own first step makes them one.
    free: tuple[str, ...] = (*spec.features.numeric, *spec.features.categorical)
    if spec.margins_only and spec.source.margin is not None:
        free = (spec.source.margin,)
    columns: list[Any] = [ColSpec(AnyType(), name) for name in free]
    texts = () if spec.margins_only else spec.features.text
    columns += [ColSpec("string", name) for name in texts]
    probabilities = TensorSpec(np.dtype("float64"), (-1, len(spec.label.classes)))
    return ModelSignature(inputs=Schema(columns), outputs=Schema([probabilities]))


def _requirements() -> list[str]:
    from importlib.metadata import version

    # Given, not inferred: inference takes seconds and starts a process.
    return [f"{name}=={version(name)}" for name in ("scikit-learn", "skops", "pandas", "numpy")]


@lru_cache(maxsize=4)
def load_version(model: str, version: int, artifact_digest: str) -> Any:
    """Return the calibrated model of a registered version, verified.

    First the signature over all of its files, then their digest against `artifact_digest`, which
    the ledger keeps; then skops, with our own list of types.

    Raises
    ------
    ModelRefused
        If a file is changed, missing or extra, if it was signed by another key or not at all, or if
        it is another candidate, no skops file, or holds a type that is not trusted. Names the file
        and the way out.
    RegistryRefused
        If there is no such version.
    RegistryUnreachable
        If MLflow does not answer.
    """
    with verified_files(model, version, artifact_digest) as folder:
        return read_model((folder / artifact.MODEL_FOLDER).read_bytes(), artifact.MODEL_FOLDER)


def lineage_of(model: str, version: int, artifact_digest: str) -> Lineage:
    """Return the lineage of a registered version, verified like its model."""
    with verified_files(model, version, artifact_digest) as folder:
        return read_lineage(folder, f"{model} version {version}")


def read_lineage(folder: Path, named: str) -> Lineage:
    """Return the lineage among a version's verified files. Raises formats.OtherFormat."""
    record = json.loads((folder / artifact.LINEAGE_FILE).read_text())
    what = f"{artifact.LINEAGE_FILE} of {named}"
    known = {formats.LINEAGE_FORMAT: formats.as_it_is}
    return Lineage.from_json(formats.load_stored(what, record, known))


@contextmanager
def verified_files(model: str, version: int, artifact_digest: str) -> Iterator[Path]:
    """Yield a private copy of a version's files, after signature and digest held.

    Raises as `load_version` does.
    """
    import mlflow

    named = f"{model} version {version}"
    with scratch.folder() as name:
        way_out = _WAY_OUT.format(model=model)
        with asking(f"{named} cannot be fetched", way_out) as client:
            # Ours, given to MLflow when it was registered. To ask for the address of its files
            # would be two requests.
            source = client.get_model_version(model, str(version)).source
            folder = Path(mlflow.artifacts.download_artifacts(source, dst_path=name))
        # Not ours: MLflow leaves it where a local store was read.
        (folder / "registered_model_meta").unlink(missing_ok=True)
        try:
            signatures.verify(folder)
            artifact.require_files(folder, artifact_digest)
            yield folder
        except (signatures.SignatureRefused, artifact.WrongFiles, ModelRefused) as error:
            raise ModelRefused(f"{named} is refused: {error}; {way_out}") from None


def version_url(model: str, version: int) -> str:
    """Return the address of a registered version in the MLflow UI."""
    return f"{ui()}/#/models/{model}/versions/{version}"
