"""Train a registered candidate again from its lineage, and hold the two against each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.audit.verified_model import champion_of, model_of
from tasks.classifier import refit, skops_file, training
from tasks.classifier.calibration import learn_probabilities
from tasks.classifier.cut import cut_unfitted
from tasks.classifier.training_rows import gather
from tasks.errors import Final
from tasks.gates.candidate_metrics import CandidateMetrics
from tasks.ledger.ledger import Ledger
from tasks.promotion.proposal_reason import ProposalReason
from tasks.registry import registry
from tasks.registry.lineage import Lineage
from tasks.registry.made_with import made_with
from tasks.spec.model import ModelSpec
from tasks.validation import checked_rows

_TOLERANCE = 1e-9


class CannotReproduce(Final):
    """Something that the candidate was made of is not there, or not any more: says which."""


@dataclass(frozen=True)
class Reproduction:
    """The result: the greatest difference of coefficients, and of the calibration's parameters.

    `identical` means that the two are the same, byte for byte; `packages` are those that differ.
    """

    identical: bool
    coefficients: float
    probabilities: float
    packages: tuple[str, ...]

    @property
    def same(self) -> bool:
        return max(self.coefficients, self.probabilities) <= _TOLERANCE


def reproduce(spec: ModelSpec, version: int) -> Reproduction:
    """Refit a version on the rows of its lineage and compare.

    Raises
    ------
    CannotReproduce
        If spec or data are no longer those of the lineage, or it was fit elsewhere.
    tasks.spec.part.SpecError
        If the ledger knows no such version.
    tasks.registry.tracking.RegistryRefused
        If the version cannot be loaded.
    """
    ledger = Ledger.open()
    candidate = ledger.version(spec.model, version)
    asked = next(p for p in ledger.proposals(spec.model) if p.proposal == candidate.proposal)
    if asked.kind == "adopt":
        raise CannotReproduce(
            f"{spec.model} version {version} was fit elsewhere and adopted, so its fit cannot be "
            f"done again here; {ProposalReason.parse(asked.reason).file} is the digest of the file "
            "that was handed in"
        )
    record = registry.lineage_of(spec.model, version, candidate.artifact_digest)
    if record.spec_digest != spec.digest:
        raise CannotReproduce(
            f"{spec.model} version {version} was trained with the spec {record.spec_digest}, "
            f"but the spec is {spec.digest} now; check out the file as it was then"
        )
    window = record.data.window
    rows = checked_rows.check_rows(spec.unscored, window, {})
    if rows.data_digest != record.data.digest:
        raise CannotReproduce(
            f"{spec.model} version {version} was trained on the data {record.data.digest} of "
            f"{window}, but the data is {rows.data_digest} now"
            + (f" ({rows.problem})" if rows.problem else "")
        )
    taught = gather(spec, checked_rows.accepted(spec.unscored, window, rows))
    learning = CandidateMetrics.from_json(candidate.metrics).learning
    if learning is None:
        share = {"calibrate": spec.calibration.share, "judge": spec.training.judge}
        cut = cut_unfitted(len(taught), **share)
        fitted = champion_of(spec, ledger, asked.champion or 0).estimator.estimator
    else:
        cut = learning.cut(len(taught))
        fits = taught.at(cut.fit)
        fitted = training.fit(spec, fits.frame, fits.label)
    if learning is not None and spec.training.refit == "accepted":
        ours = refit.refit(spec, fitted, taught, cut)
    else:
        learns = taught.at(cut.calibrate)
        ours = learn_probabilities(fitted, learns.frame, learns.label, spec.calibration.method)
    judged = taught.frame[cut.judge]
    theirs = model_of(spec, ledger, version)
    return Reproduction(
        identical=skops_file.dump(ours) == skops_file.dump(theirs),
        coefficients=_distance(_coefficients(ours), _coefficients(theirs)),
        probabilities=_distance(ours.predict_proba(judged), theirs.predict_proba(judged)),
        packages=_changed(record),
    )


def _coefficients(calibrated: Any) -> Any:
    model = calibrated.estimator[-1]
    return np.concatenate([np.ravel(model.coef_), np.ravel(model.intercept_)])


def _distance(ours: Any, theirs: Any) -> float:
    """Return the greatest relative difference, infinite where there are not as many."""
    if ours.shape != theirs.shape:
        return float("inf")
    scale = max(float(np.abs(theirs).max()), 1e-300)
    return float(np.abs(ours - theirs).max()) / scale


def _changed(record: Lineage) -> tuple[str, ...]:
    now, then = made_with().versions, record.made_with.versions
    return tuple(f"{n} {then[n]} → {now.get(n)}" for n in then if then[n] != now.get(n))
