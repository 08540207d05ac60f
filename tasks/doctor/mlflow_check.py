"""MLflow: reached with this login, its alias at the ledger's champion, that one's files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from tasks.doctor.finding import Finding
from tasks.doctor.patient import Patient
from tasks.errors import Final, GatelatchError
from tasks.ledger.status import Status
from tasks.signing.keyring import KeyUnusable

_LISTED = 200  # of a model's versions, the newest
_SHOWN = 5
_SETTLED = timedelta(hours=1)


def look_at_mlflow(patient: Patient) -> Iterator[Finding]:
    """Yield why MLflow cannot be used, if it cannot."""
    from tasks.registry import tracking

    uri = patient.environment.get("MLFLOW_TRACKING_URI")
    if not uri:  # asked without an address, MLflow would make a store here
        yield Finding(
            state="unseen",
            finding="nothing says where MLflow is",
            remedy="set MLFLOW_TRACKING_URI",
            bars=True,
        )
        return
    file = _sqlite_file(uri)
    if file is not None and not (file.is_file() and file.stat().st_size):
        yield Finding(
            state="ill",
            finding=f"MLflow's database {file} (MLFLOW_TRACKING_URI) is not there",
            remedy="mount or restore it, or let `python -m tasks init` make one",
            bars=True,
        )
        return
    try:
        with tracking.asking("MLflow cannot be used") as client:
            client.search_experiments(max_results=1)
    except tracking.RegistryRefused as error:
        yield Finding(
            state="ill",
            finding=str(error),
            remedy="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to a login that may "
            "write",
            bars=True,
        )
    except GatelatchError as error:
        yield Finding(
            state="ill",
            finding=str(error),
            remedy="start MLflow's server or database, and check the address in "
            "MLFLOW_TRACKING_URI",
            bars=True,
        )


def look_at_aliases(patient: Patient) -> Iterator[Finding]:
    """Yield which aliases `champion` do not stand at the ledger's champion."""
    from tasks.registry import model_aliases

    for known in patient.standing():
        model = known.spec.model
        yield from alias_findings(known, model_aliases.alias_at(model, "champion"))


def alias_findings(known: Status, alias: int | None) -> Iterator[Finding]:
    """Yield what is wrong with where MLflow's alias stands. Pure."""
    model, champion = known.spec.model, known.champion
    if alias == champion:
        return
    stands = "is not there" if alias is None else f"is at version {alias}"
    ledgers = "none" if champion is None else f"version {champion}"
    put = (
        "delete the alias in MLflow"
        if champion is None
        else f"let the next run of monitor.{model} put it back, or set it to version {champion}"
    )
    yield Finding(
        state="ill",
        finding=f"MLflow's alias champion {stands}; the ledger's champion is {ledgers}",
        remedy=f"{put}, and find out who moved it",
        model=model,
    )


def look_at_files(patient: Patient) -> Iterator[Finding]:
    """Yield which champions' files are missing, or are not what the ledger accepted."""
    from tasks.registry import registry

    for known in patient.standing():
        model, version = known.spec.model, known.champion
        try:
            candidate = known.candidate(version)
            if version is not None and candidate is not None:  # else `reference` says so
                registry.lineage_of(model, version, candidate.artifact_digest)
        except KeyUnusable as error:
            yield Finding(
                state="unseen",
                finding=f"no signature can be verified: {error}",
                remedy="mend the keys first (check `keys`)",
            )
            return
        except Final as error:
            yield Finding(
                state="ill",
                finding=str(error),
                remedy="put the version's files back from a backup, or go back: `python -m tasks "
                f"rollback {model} --reason …`",
                model=model,
            )


def look_at_versions(patient: Patient) -> Iterator[Finding]:
    """Yield which of the newest versions in MLflow no candidate of the ledger names."""
    from tasks.registry import tracking

    # A candidate is registered before it is recorded, and its task may be tried again meanwhile.
    settled = (patient.clock() - _SETTLED).timestamp() * 1000
    for known in patient.standing():
        model = known.spec.model
        with tracking.asking(f"the versions of {model} cannot be listed") as client:
            newest = client.search_model_versions(
                f"name = '{model}'", max_results=_LISTED, order_by=["version_number DESC"]
            )
        named = {candidate.version for candidate in patient.reader.candidates(model)}
        stray = [
            str(v.version)
            for v in newest
            if int(v.version) not in named and v.creation_timestamp < settled
        ]
        if stray:
            more = f" and {len(stray) - _SHOWN} more" if len(stray) > _SHOWN else ""
            yield Finding(
                state="warning",
                finding=f"version(s) {', '.join(stray[:_SHOWN])}{more} in MLflow are no candidates "
                "of the ledger",
                remedy="look at the runs of these versions in MLflow: delete the versions that "
                "somebody registered by hand or a task that died left; if they are ours, the "
                "ledger is older than MLflow",
                model=model,
            )


def _sqlite_file(uri: str) -> Path | None:
    if not uri.startswith("sqlite"):
        return None
    return Path(sa.make_url(uri).database or "")
