"""Fetch a version for those who score: verified, into a folder, and loaded from there.

What is trusted is the ledger, where GATELATCH_LEDGER names it, and else the promotion record that
MLflow carries and the workers' key signed. MLflow itself is not: not its files, not its aliases.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from tasks import disk, formats, scratch
from tasks.classifier import skops_file
from tasks.classifier.adopted import NO_MODEL, is_logged
from tasks.errors import Final
from tasks.registry import model_aliases, promotion_record, registry
from tasks.registry.lineage import Lineage
from tasks.registry.promotion_record import RecordRefused
from tasks.scoring.fetched_model import FetchedModel
from tasks.signing import artifact, signatures
from tasks.spec.source_options import Features

if TYPE_CHECKING:
    from tasks.ledger.reader import LedgerReader

FETCHED_FORMAT = 1
_POINTER = "fetched.json"
Wanted = int | Literal["champion", "challenger"]


class FetchRefused(Final):
    """A version that must not be scored with, or that nobody can name; says the way out."""


@dataclass(frozen=True, kw_only=True)
class _Accepted:
    """The version to score with, as the ledger or a promotion record has it."""

    version: int
    artifact_digest: str
    promotion: int | None
    record: str | None

    @property
    def folder(self) -> str:
        return f"v{self.version}-{self.artifact_digest[:12]}"


def fetch(model: str, version: Wanted = "champion", *, to: str | Path) -> FetchedModel:
    """Fetch a version into a folder, if it is not there, and return it loaded and verified.

    A folder is for one model. Its `fetched.json` takes the place of the one before at once, so
    whoever loads from the folder meanwhile gets either version whole.

    Raises
    ------
    FetchRefused
        If there is no such version, or the folder holds a later champion or another model.
    tasks.registry.promotion_record.RecordRefused
        If, without the ledger, no trusted key signed the promotion.
    tasks.registry.tracking.RegistryRefused
        If MLflow's files are not those that were accepted, or are not there.
    tasks.registry.tracking.RegistryUnreachable, tasks.disk.Unusable
        If MLflow does not answer, or a disk takes nothing.
    tasks.ledger.chain.LedgerRefused
        If the ledger is not as it was recorded by who might.
    """
    place = Path(to)
    accepted = _by_ledger(model, version) if by_ledger() else _by_record(model, version)
    before = _pointed(place) if (place / _POINTER).exists() else None
    if before is not None and before["model"] != model:
        raise FetchRefused(f"{place} holds {before['model']}; name another folder for {model}")
    if version == "champion" and before is not None:
        _no_way_back(model, place, before, accepted)
    if not (place / accepted.folder).exists():
        _download(model, accepted, place)
    try:
        found = _loaded(model, accepted, place)
    except FetchRefused:  # somebody touched it: once more, and what MLflow has decides
        shutil.rmtree(place / accepted.folder, ignore_errors=True)
        _download(model, accepted, place)
        found = _loaded(model, accepted, place)
    pointer = {formats.KEY: FETCHED_FORMAT, "model": model, **asdict(accepted)}
    if before != pointer:
        with disk.whole(place / _POINTER, "--to") as file:
            file.write_text(json.dumps(pointer, indent=1) + "\n")
        earlier = {_accepted_of(before).folder} if before is not None else set()
        _tidy(place, {accepted.folder, *earlier})
    return found


def load_fetched(folder: str | Path) -> FetchedModel:
    """Return the version that `fetch` put into a folder, verified again; MLflow is not asked.

    Raises
    ------
    FetchRefused
        If the folder holds no version, or not the files that were accepted.
    tasks.registry.promotion_record.RecordRefused
        If no trusted key signed its promotion, and there is no ledger to ask.
    """
    place = Path(folder)
    pointer = _pointed(place)
    model, said = str(pointer["model"]), _accepted_of(pointer)
    if by_ledger():
        return _loaded(model, _by_ledger(model, said.version), place)
    if said.record is None:
        raise FetchRefused(
            f"{place} holds {model} version {said.version}, which came without a promotion record; "
            "name the ledger in GATELATCH_LEDGER, or fetch the champion"
        )
    record = promotion_record.read_record(model, said.record)
    stands = _Accepted(
        version=record.version,
        artifact_digest=record.artifact_digest,
        promotion=record.number,
        record=said.record,
    )
    return _loaded(model, stands, place)


def by_ledger() -> bool:
    """Return whether the ledger says what is accepted; else the promotion records do."""
    return bool(os.environ.get("GATELATCH_LEDGER"))


def _by_ledger(model: str, version: Wanted) -> _Accepted:
    from tasks.audit import verification
    from tasks.ledger.reader import LedgerReader

    ledger = LedgerReader.open_to_read()
    try:
        verification.require(ledger, model)
        number = _number(ledger, model, version)
        candidate = ledger.version(model, number)
        mine = [p.number for p in ledger.promotions(model) if p.version == number]
    finally:
        ledger.close()
    promotion = max(mine, default=None)
    record = None
    if promotion is not None:  # for who loads it where no ledger is
        record = _if_it_holds(model, number, promotion)
    return _Accepted(
        version=number,
        artifact_digest=candidate.artifact_digest,
        promotion=promotion,
        record=record,
    )


def _number(ledger: LedgerReader, model: str, version: Wanted) -> int:
    if isinstance(version, int):
        return version
    if version == "champion":
        promotions = ledger.promotions(model)
        if not promotions:
            raise FetchRefused(
                f"{model} has no champion in the ledger; train and promote the first one: trigger "
                f"retrain.{model} with reason 'bootstrap'"
            )
        return promotions[-1].version
    found = model_aliases.alias_at(model, "challenger")
    if found is None:
        raise FetchRefused(f"{model} has no challenger: no candidate waits for its promotion")
    return found


def _if_it_holds(model: str, version: int, promotion: int) -> str | None:
    """Return the promotion's record, if MLflow has one that a trusted key signed."""
    try:
        found = promotion_record.record_of(
            model, promotion_record.tagged_records(model).records, version
        )
    except RecordRefused:
        return None
    return found[1] if found and found[0].number == promotion else None


def _by_record(model: str, version: Wanted) -> _Accepted:
    if version == "challenger":
        raise FetchRefused(
            f"a challenger of {model} was not promoted, so nothing that is signed says which "
            "version it is; name the ledger in GATELATCH_LEDGER"
        )
    tagged = promotion_record.tagged_records(model).records
    named = None if version == "champion" else version
    found = promotion_record.record_of(model, tagged, named)
    if found is None:
        which = model if named is None else f"version {named} of {model}"
        raise FetchRefused(
            f"MLflow has no promotion record of {which}: it was never promoted, or by a release "
            "that kept none; let `python -m tasks init` write it where the workers' key is, or "
            "name the ledger in GATELATCH_LEDGER"
        )
    record, text = found
    return _Accepted(
        version=record.version,
        artifact_digest=record.artifact_digest,
        promotion=record.number,
        record=text,
    )


def _no_way_back(model: str, place: Path, before: Mapping[str, Any], accepted: _Accepted) -> None:
    """Raise if the folder has seen a later promotion than the one that is offered now."""
    seen = _accepted_of(before)
    if seen.record is None or accepted.promotion is None:
        return
    newest = promotion_record.read_record(model, seen.record).number
    if accepted.promotion < newest:
        raise FetchRefused(
            f"{place} holds promotion {newest} of {model}, and MLflow offers promotion "
            f"{accepted.promotion} as the newest: a later one was taken away there. Look with "
            f"`python -m tasks audit {model} --verify`; to go back, promote back (DAG "
            f"rollback.{model})"
        )


def _download(model: str, accepted: _Accepted, place: Path) -> None:
    target = place / accepted.folder
    partial = place / f"{accepted.folder}.{uuid4().hex}.partial"
    with registry.verified_files(model, accepted.version, accepted.artifact_digest) as files:
        try:
            with disk.writing(f"--to {place}"):
                place.mkdir(parents=True, exist_ok=True)
                shutil.copytree(files, partial)
                if not target.exists():
                    os.rename(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _loaded(model: str, accepted: _Accepted, place: Path) -> FetchedModel:
    """Return the model of a folder's version, from a private copy that was verified."""
    named = f"{model} version {accepted.version} in {place}"
    with scratch.folder() as name:
        files = Path(name, "model")
        try:
            shutil.copytree(place / accepted.folder, files)
            signatures.verify(files)
            artifact.require_files(files, accepted.artifact_digest)
            content = (files / artifact.MODEL_FOLDER).read_bytes()
            calibrated = skops_file.load(content, artifact.MODEL_FOLDER)
            lineage = registry.read_lineage(files, named)
        except FileNotFoundError as error:
            raise FetchRefused(f"{named} is not there: {error.filename}; fetch it again") from None
        except (
            signatures.SignatureRefused,
            artifact.WrongFiles,
            skops_file.ModelFileError,
        ) as error:
            raise FetchRefused(f"{named} is refused: {error}; fetch it again") from None
    if lineage.model != model:
        raise FetchRefused(f"{named} is refused: it was made for {lineage.model}")
    if is_logged(calibrated):
        raise FetchRefused(f"{named}: {NO_MODEL}; score where it is (docs/elsewhere.md)")
    return FetchedModel(
        model=model,
        version=accepted.version,
        promotion=accepted.promotion,
        artifact_digest=accepted.artifact_digest,
        features=_features(lineage),
        classes=tuple(lineage.classes),
        calibrated=calibrated,
        folder=place / accepted.folder,
    )


def _features(lineage: Lineage) -> Features:
    return Features(**{kind: tuple(names) for kind, names in lineage.features.items()})


def _pointed(place: Path) -> Mapping[str, Any]:
    path = place / _POINTER
    try:
        raw = formats.parsed_json(path.read_text())
        known = {FETCHED_FORMAT: formats.as_it_is}
        pointer = formats.load_stored(str(path), raw, known)
        _accepted_of(pointer)
    except FileNotFoundError:
        raise FetchRefused(f"{place} holds no fetched model; fetch one into it") from None
    except (ArithmeticError, ValueError, LookupError, TypeError, AttributeError) as error:
        if isinstance(error, formats.OtherFormat):
            raise
        raise FetchRefused(f"{path} cannot be read; remove {place} and fetch again") from None
    return pointer


def _accepted_of(pointer: Mapping[str, Any]) -> _Accepted:
    return _Accepted(
        version=int(pointer["version"]),
        artifact_digest=str(pointer["artifact_digest"]),
        promotion=pointer["promotion"],
        record=pointer["record"],
    )


def _tidy(place: Path, kept: set[str]) -> None:
    """Remove versions that neither this pointer nor the one before names."""
    for old in place.glob("v*-" + "[0-9a-f]" * 12):
        if old.name not in kept:
            shutil.rmtree(old, ignore_errors=True)
