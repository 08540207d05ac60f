"""What the retrain DAG does for an approved proposal: train → calibrate → gate → register.

Each step finds what the earlier ones left under the proposal's name, so any of them may be run
again after a crash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from tasks import formats
from tasks.audit.verified_model import champion_of
from tasks.classifier import absent, calibration, refit, spans, training
from tasks.drift import reference
from tasks.errors import Final
from tasks.flows import handed_in, handover
from tasks.flows.asked_rows import changes_of, interval_of, rows_accepted, rows_of_run, slices_of
from tasks.flows.judging import judged_now
from tasks.gates import gate_result
from tasks.gates.gate_result import GateResult
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Candidate, Decision, Proposal
from tasks.promotion.decisions import approved
from tasks.promotion.promotion import follow
from tasks.promotion.proposals import NotApproved
from tasks.registry import registry, tracking
from tasks.registry.lineage import lineage_of_candidate
from tasks.registry.made_with import made_with
from tasks.reports import brief_links, gate_page, validation_page
from tasks.signing import artifact
from tasks.spec.model import ModelSpec
from tasks.spec.training_options import ELSEWHERE
from tasks.validation import checked_rows

if TYPE_CHECKING:
    from tasks.classifier.spans import Learning


class TrainedElsewhere(Final):
    """An approved retrain of a model that its owner trains: says what to do now."""


def train(spec: ModelSpec, proposal: str) -> dict[str, Any]:
    """Fit the pipeline on the oldest slice of the proposal's rows; keep it under its run.

    It is fit on several spans of them, and the best is taken: see `spans`. To recalibrate nothing
    is fit: the champion's pipeline is taken as it is. To adopt, the pipeline is the one that was
    handed in.

    Raises
    ------
    tasks.classifier.training.TrainingError
        If the rows cannot be trained on.
    TrainedElsewhere
        If the spec says that somebody else trains; recorded.
    """

    ledger = Ledger.open()
    asked = approved(spec, ledger, proposal, "retrain")
    if asked.kind == "retrain" and spec.training.estimator in ELSEWHERE:
        _leave_to_owner(spec, ledger, asked)
    checked = checked_rows.check_rows(spec.unscored, interval_of(asked), {})
    report = validation_page.publish(spec, interval_of(asked), checked)
    if checked.problem:
        raise training.TrainingError(f"{spec.model} {interval_of(asked)}: {checked.problem}")
    rows = rows_accepted(spec, asked, checked)
    learning: Learning | None = None
    if asked.kind == "recalibrate":
        cut = slices_of(spec, asked, rows.facts.time, rows.label, ())
        training.need_enough_to_calibrate(spec, rows.label[cut.calibrate])
        fitted = champion_of(spec, ledger, asked.champion or 0).estimator.estimator
    elif asked.kind == "adopt":
        cut = slices_of(spec, asked, rows.facts.time, rows.label, ())
        training.need_enough_to_calibrate(spec, rows.label[cut.calibrate])
        fitted, learning = handed_in.pipeline_of(spec, asked), spans.unfitted(cut)
    else:
        best = spans.fit_spans(spec, rows, interval_of(asked), changes_of(spec, ledger, asked))
        fitted, learning, cut = best.pipeline, best.learning, best.cut
        for line in learning.told:
            print(line)
    tags = {
        "kind": asked.kind,
        "spec_digest": spec.digest,
        "data_digest": checked.data_digest,
        "trained_from": asked.trained_from.isoformat(),
        "trained_until": asked.trained_until.isoformat(),
        "champion": str(asked.champion or ""),
        "seed": str(spec.training.seed),
        "reason": asked.reason,
        "code_version": made_with().code,
    }
    run_id = tracking.start(spec.model, proposal, tags)
    tracking.put_model(run_id, "fitted", fitted)
    handover.ROWS.put(run_id, checked)
    handover.LEARNING.put(run_id, learning)
    return {
        "candidate_run": run_id,
        "rows": len(rows),
        "warnings": [*checked.warnings, *absent.warnings(spec, rows.label, cut)],
        "report": report,
        "mlflow_run": tracking.run_url(spec.model, run_id),
    }


def _leave_to_owner(spec: ModelSpec, ledger: Ledger, asked: Proposal) -> NoReturn:
    """Record that an approved retrain is the owner's to make, which rests the latch meanwhile."""
    days = f"{asked.trained_from:%Y-%m-%d %H:%M} until {asked.trained_until:%Y-%m-%d %H:%M} UTC"
    said = f"{spec.model} is trained elsewhere (training.estimator: {spec.training.estimator}). "
    if spec.margins_only:
        said += (
            "Train it, and let it score the labelled rows that are to judge it, such as those from "
            f"{days}; then hand in its margins with `python -m tasks adopt {spec.model} --margins "
            "FILE --as NAME`, which says how to propose it"
        )
    else:
        said += (
            f"Train it on newer rows, such as those from {days}; then hand it in with `python -m "
            f"tasks adopt {spec.model} FILE`, which says how to propose it"
        )
    if spec.training.dag is not None:
        said += f". The DAG {spec.training.dag} is started for it (training.dag)"
    known = status.read(spec, ledger)
    ledger.decide(
        Decision(
            model=spec.model,
            proposal=asked.proposal,
            step="train",
            answer="failed",
            by="gatelatch",
            comment=said,
            evidence="",
            effective_from=known.decided_at(asked),
        )
    )
    raise TrainedElsewhere(said)


def calibrate(spec: ModelSpec, proposal: str, run_id: str) -> dict[str, Any]:
    """Learn the probabilities on the calibration slice."""

    asked = approved(spec, Ledger.open(), proposal, "retrain")
    rows, learning = rows_of_run(spec, asked, run_id), handover.LEARNING.get(run_id)
    if learning is None:
        cut = slices_of(spec, asked, rows.facts.time, rows.label, ())
    else:
        cut = learning.cut(len(rows))
    learns = rows.at(cut.calibrate)
    training.need_enough_to_calibrate(spec, learns.label)
    fitted = tracking.get_model(run_id, "fitted")
    calibrated = calibration.learn_probabilities(
        fitted, learns.frame, learns.label, spec.calibration.method
    )
    tracking.put_model(run_id, "calibrated", calibrated)
    return {"rows": len(learns), "mlflow_run": tracking.run_url(spec.model, run_id)}


def gate(spec: ModelSpec, proposal: str, run_id: str) -> dict[str, Any]:
    """Judge candidate against champion on the newest slice; a failure is recorded and ends it.

    What is registered is not judged again: people decide on the figures that it was registered on.
    """

    ledger = Ledger.open()
    asked = approved(spec, ledger, proposal, "retrain", again="gates")
    registered = _registered(ledger, asked)
    if registered is None:
        results = judged_now(spec, ledger, asked, run_id)
    else:
        results = tuple(GateResult.from_json(result) for result in registered.gates)
    return {
        "passed": gate_result.passed(results),
        "gates": {r.title: f"{r.verdict}: {r.reason}" for r in results},
        "gate_page": brief_links.address_of(
            gate_page.page_path(spec.model, brief_links.slug(proposal))
        ),
        "mlflow_run": tracking.run_url(spec.model, run_id),
    }


def register(spec: ModelSpec, proposal: str, run_id: str) -> dict[str, Any]:
    """Register the gated candidate and append it, with its reference, to the ledger; once.

    If the spec says so, it is first fit again on all its rows; see `refit`.
    """

    ledger = Ledger.open()
    asked = approved(spec, ledger, proposal, "retrain")
    registered = _registered(ledger, asked)
    if registered is None:
        taken = {c.version for c in ledger.candidates(spec.model)}
        registered = ledger.add_candidate(_candidate(spec, asked, run_id, taken))
    follow(spec, ledger)
    return {
        "version": registered.version,
        "registered_version": registry.version_url(spec.model, registered.version),
    }


def _registered(ledger: Ledger, asked: Proposal) -> Candidate | None:
    candidates = ledger.candidates(asked.model)
    return next((c for c in candidates if c.proposal == asked.proposal), None)


def _candidate(spec: ModelSpec, asked: Proposal, run_id: str, taken: set[int]) -> Candidate:
    """Register what the run holds, under no version that is taken; return the row that says so."""

    results = handover.GATES.get(run_id)
    if not gate_result.passed(results):
        raise NotApproved(f"{asked.proposal}: the gates did not pass; nothing is registered")
    gates: list[Mapping[str, Any]] = [result.to_json() for result in results]
    rows = handover.ROWS.get(run_id)
    metrics = handover.METRICS.get(run_id)
    model = _accepted(spec, asked, run_id)
    record = lineage_of_candidate(spec, asked, rows, model, metrics, results, made_with())
    made = registry.register_version(spec, run_id, model, record, taken)
    metrics = replace(metrics, model_file=artifact.model_digest(model))
    return Candidate(
        model=spec.model,
        proposal=asked.proposal,
        version=made.version,
        run_id=run_id,
        artifact_digest=made.artifact_digest,
        spec_digest=spec.digest,
        data_digest=rows.data_digest,
        trained_until=asked.trained_until,
        metrics={formats.KEY: formats.METRICS_FORMAT, **metrics.to_json()},
        gates=gates,
        reference=reference.reference_to_json(handover.REFERENCE.get(run_id)),
    )


def _accepted(spec: ModelSpec, asked: Proposal, run_id: str) -> Any:
    """Return the model to register from a run that passed: the judged one, or its refit twin."""

    never = spec.training.refit == "never" or asked.kind == "adopt"
    learning = None if never else handover.LEARNING.get(run_id)
    if learning is None:
        return tracking.get_model(run_id, "calibrated")
    rows, fitted = rows_of_run(spec, asked, run_id), tracking.get_model(run_id, "fitted")
    return refit.refit(spec, fitted, rows, learning.cut(len(rows)))
