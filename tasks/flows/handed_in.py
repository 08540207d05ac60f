"""A pipeline that was fit elsewhere: kept in the store under its digest, and loaded by that."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from tasks import store
from tasks.classifier import adopted, scoring, skops_file
from tasks.classifier.adopted import NotAdoptable
from tasks.classifier.finite import need_finite
from tasks.flows import handed_margins
from tasks.flows.asked_rows import rows_accepted
from tasks.ledger.records import Proposal
from tasks.promotion.proposal_reason import ProposalReason
from tasks.spec.model import ModelSpec

if TYPE_CHECKING:
    from tasks.validation.checked_rows import Checked


def keep_handed_in(spec: ModelSpec, content: bytes, named: str) -> str:
    """Check the skops file of a fitted pipeline and keep it; return the digest that names it.

    Parameters
    ----------
    named
        How the file is called in errors.

    Raises
    ------
    tasks.classifier.adopted.NotAdoptable
        If it holds a type that is not loaded here, or is no pipeline for this spec.
    tasks.classifier.skops_file.ModelFileError
        If it is no skops file.
    tasks.disk.Unusable
        If it cannot be kept. Nothing of it is left behind, in any case.
    """
    if spec.margins_only:
        raise NotAdoptable(
            f"{spec.model} says training.estimator: margins_only, so no pipeline is taken; hand in "
            "its margins (--margins FILE --as NAME), or write external"
        )
    if strange := skops_file.untrusted(content, named):
        raise NotAdoptable(
            f"{named} holds {', '.join(strange)}, which is not among the types that are loaded "
            "here: scikit-learn's public ones without trees. Replace the step, or score where the "
            "model is and let production log its margins (docs/elsewhere.md)"
        )
    try:
        pipeline = adopted.as_candidate(spec, skops_file.load(content, named))
    except NotAdoptable as error:
        raise NotAdoptable(f"{named} cannot be adopted: {error}") from None
    kept = skops_file.dump(pipeline)
    digest = hashlib.sha256(kept).hexdigest()
    store.write(_path(spec, digest), kept)
    return digest


def pipeline_of(spec: ModelSpec, asked: Proposal) -> Any:
    """Return the pipeline that a proposal is to adopt: the file that its evidence names, or none.

    Raises
    ------
    tasks.classifier.adopted.NotAdoptable
        If the store has no such file, or another one under its name.
    tasks.classifier.skops_file.ModelFileError
        If it holds a type that is not trusted.
    """
    if spec.margins_only:
        return handed_margins.pipeline_of_logged(spec, asked)
    digest = ProposalReason.parse(asked.reason).file or ""
    again = f"hand it in again with `python -m tasks adopt {spec.model} FILE`, and propose that"
    place = _path(spec, digest)
    try:
        content = store.read_bytes(place)
    except store.NotThere:
        raise NotAdoptable(f"{asked.proposal}: {store.url(place)} is not there; {again}") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise NotAdoptable(
            f"{asked.proposal}: {store.url(place)} is not the file that was handed in; {again}"
        )
    try:
        return adopted.require_adopted(spec, skops_file.load(content, place))
    except NotAdoptable as error:
        raise NotAdoptable(f"{asked.proposal}: {place}: {error}") from None


def try_out(spec: ModelSpec, asked: Proposal, checked: Checked) -> list[str]:
    """Let the pipeline of a proposal score its rows, before anybody is asked about it.

    Return what people should know beforehand. Raises as `pipeline_of` does, and CannotScore or
    NotFinite; of a model that is never here, MarginsRefused.
    """
    rows = rows_accepted(spec, asked, checked)
    need_finite(scoring.decision_values(pipeline_of(spec, asked), rows.frame))
    return handed_margins.known_beforehand(spec, asked, rows) if spec.margins_only else []


def _path(spec: ModelSpec, digest: str) -> str:
    return f"{store.ADOPTED}{spec.model}/{digest}.skops"
