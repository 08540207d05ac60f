"""What the retrain DAG does for an approved proposal: train → calibrate → gate → register.

Each step finds what the earlier ones left under the proposal's name, so any of them may be run
again after a crash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tasks import formats
from tasks.audit.verified_model import champion_of
from tasks.ledger import evidence, status
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Candidate, Decision, Proposal
from tasks.promotion.approval import NotApproved, approved, proposal_named
from tasks.promotion.promotion import follow
from tasks.registry.lineage import lineage
from tasks.registry.made_with import made_with
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tasks.validation import quarantine

if TYPE_CHECKING:
    import pandas as pd

    from tasks.arrays import Floats, Ints
    from tasks.classifier.training import Facts, Slices
    from tasks.gates.acceptance import Acceptance


def train(spec: ModelSpec, proposal: str) -> dict[str, Any]:
    """Fit the pipeline on the oldest slice of the proposal's rows; keep it under its run.

    It is fit on several spans of them, and the best is taken: see `spans`. To recalibrate nothing
    is fit: the champion's pipeline is taken as it is.
    """
    from tasks.classifier import absent, spans, training
    from tasks.registry import tracking

    ledger = Ledger.open()
    asked = approved(spec, ledger, proposal, "retrain")
    rows = quarantine.check_rows(spec, _interval(asked), {})
    if rows["problem"]:
        raise training.TrainingError(f"{spec.model} {_interval(asked)}: {rows['problem']}")
    frame, label, _, facts = _gather(spec, asked, rows)
    span: dict[str, Any] = {}
    if asked.kind == "recalibrate":
        cut = slices_of(spec, asked, facts.time, label, ())
        training.need_enough_to_calibrate(spec, label[cut.calibrate])
        fitted = champion_of(spec, ledger, asked.champion or 0).estimator.estimator
    else:
        changes = changes_of(spec, ledger, asked)
        found = spans.fit(spec, frame, label, facts.time, _interval(asked), changes)
        fitted, span, cut = found.pipeline, found.figures, found.cut
        for line in spans.told(span):
            print(line)
    tags = {
        "kind": asked.kind,
        "spec_digest": spec.digest,
        "data_digest": rows["data_digest"],
        "trained_from": asked.trained_from.isoformat(),
        "trained_until": asked.trained_until.isoformat(),
        "champion": str(asked.champion or ""),
        "seed": str(spec.training.seed),
        "reason": asked.reason,
        "code_version": made_with()["code"],
    }
    run_id = tracking.start(spec.model, proposal, tags)
    tracking.put_model(run_id, "fitted", fitted)
    tracking.put_json(run_id, "rows", rows)
    tracking.put_json(run_id, "span", span)
    return {
        "candidate_run": run_id,
        "rows": len(label),
        "warnings": [*rows["warnings"], *absent.warnings(spec, label, cut)],
        "report": rows["report"],
        "mlflow_run": tracking.run_url(spec.model, run_id),
    }


def calibrate(spec: ModelSpec, proposal: str, run_id: str) -> dict[str, Any]:
    """Learn the probabilities on the calibration slice."""
    from tasks.classifier import calibration, spans, training
    from tasks.registry import tracking

    asked = approved(spec, Ledger.open(), proposal, "retrain")
    frame, label, _, facts = _training_rows(spec, proposal, run_id)
    span = tracking.get_json(run_id, "span")
    parts = spans.kept(len(label), span) if span else slices_of(spec, asked, facts.time, label, ())
    cut = parts.calibrate
    training.need_enough_to_calibrate(spec, label[cut])
    fitted = tracking.get_model(run_id, "fitted")
    calibrated = calibration.learn(fitted, frame[cut], label[cut], spec.calibration.method)
    tracking.put_model(run_id, "calibrated", calibrated)
    return {"rows": cut.stop - cut.start, "mlflow_run": tracking.run_url(spec.model, run_id)}


def gate(spec: ModelSpec, proposal: str, run_id: str) -> dict[str, Any]:
    """Judge candidate against champion on the newest slice; a failure is recorded and ends it.

    What is registered is not judged again: people decide on the figures that it was registered on.
    """
    from tasks.gates import declared_gates
    from tasks.registry import tracking
    from tasks.reports import gate_page, retrain_brief

    ledger = Ledger.open()
    asked = approved(spec, ledger, proposal, "retrain", again="gates")
    there = _registered(ledger, asked)
    results = _judged_now(spec, ledger, asked, run_id) if there is None else there.gates
    read = [declared_gates.from_json(result) for result in results]
    return {
        "passed": declared_gates.passed(read),
        "gates": {r.title: f"{r.verdict}: {r.reason}" for r in read},
        "gate_page": retrain_brief.address_of(
            gate_page.page_path(spec.model, retrain_brief.slug(proposal))
        ),
        "mlflow_run": tracking.run_url(spec.model, run_id),
    }


def register(spec: ModelSpec, proposal: str, run_id: str) -> dict[str, Any]:
    """Register the gated candidate and append it, with its reference, to the ledger; once.

    It is fit anew on all its rows before, if the spec says so; see `refit`.
    """
    from tasks.registry import registry

    ledger = Ledger.open()
    asked = approved(spec, ledger, proposal, "retrain")
    there = _registered(ledger, asked)
    if there is None:
        taken = {c.version for c in ledger.candidates(spec.model)}
        there = ledger.add_candidate(_candidate(spec, asked, run_id, taken))
    follow(spec, ledger)
    return {
        "version": there.version,
        "registered_version": registry.version_url(spec.model, there.version),
    }


def _registered(ledger: Ledger, asked: Proposal) -> Candidate | None:
    candidates = ledger.candidates(asked.model)
    return next((c for c in candidates if c.proposal == asked.proposal), None)


def _judged_now(
    spec: ModelSpec, ledger: Ledger, asked: Proposal, run_id: str
) -> list[Mapping[str, Any]]:
    """Judge, keep with the run what register takes from there, and return the gates' results."""
    from tasks.classifier import calibration_fit
    from tasks.drift import reference
    from tasks.gates.declared_gates import as_json
    from tasks.registry import tracking

    known = status.read(spec, ledger)
    frame, label, weight, facts = _training_rows(spec, asked.proposal, run_id)
    calibrated = tracking.get_model(run_id, "calibrated")
    champion = None if asked.champion is None else champion_of(spec, ledger, asked.champion)
    span = tracking.get_json(run_id, "span")
    judged = _judged(
        spec, known, asked, (calibrated, champion), (frame, label, weight, facts), span
    )
    figures: list[Mapping[str, Any]] = [as_json(r) for r in judged.gates]
    tracking.put_json(run_id, "gates", figures)
    _publish(spec, asked, run_id, judged, span)
    tracking.put_json(run_id, "reference", reference.to_json(judged.reference))
    tracking.put_json(run_id, "metrics", {**judged.metrics, **({"span": span} if span else {})})
    learnt = calibration_fit.metrics(judged.metrics["calibration"])
    tracking.log_metrics(run_id, {**judged.metrics["candidate"], **learnt})
    if not judged.passed:
        failed = "; ".join(f"{r.title} ({r.reason})" for r in judged.gates if not r.passed)
        since = known.decided_at(asked)
        ledger.decide(
            Decision(
                spec.model,
                asked.proposal,
                "gates",
                "failed",
                "gates",
                failed,
                evidence.digest(figures),
                since,
            )
        )
    return figures


def _candidate(spec: ModelSpec, asked: Proposal, run_id: str, taken: set[int]) -> Candidate:
    """Register what the run holds, under no version that is taken; return the row that says so."""
    from tasks.registry import registry, tracking
    from tasks.signing import artifact

    gates = tracking.get_json(run_id, "gates")
    if not all(g["passed"] for g in gates):
        raise NotApproved(f"{asked.proposal}: the gates did not pass; nothing is registered")
    rows = tracking.get_json(run_id, "rows")
    metrics = tracking.get_json(run_id, "metrics")
    model = _accepted(spec, asked, run_id)
    record = lineage(spec, asked, rows, model, metrics, gates, made_with())
    made = registry.register(spec, run_id, model, record, taken)
    return Candidate(
        spec.model,
        asked.proposal,
        made.version,
        run_id,
        made.artifact_digest,
        spec.digest,
        rows["data_digest"],
        asked.trained_until,
        {formats.KEY: formats.METRICS, **metrics, "model_file": artifact.model_digest(model)},
        gates,
        tracking.get_json(run_id, "reference"),
    )


def _accepted(spec: ModelSpec, asked: Proposal, run_id: str) -> Any:
    """Return what is registered of a run whose gates passed: what was judged, or its refit twin."""
    from tasks.classifier import refit, spans
    from tasks.registry import tracking

    if asked.kind == "recalibrate" or spec.training.refit == "never":
        return tracking.get_model(run_id, "calibrated")
    frame, label, *_ = _training_rows(spec, asked.proposal, run_id)
    cut = spans.kept(len(label), tracking.get_json(run_id, "span"))
    return refit.refit(spec, tracking.get_model(run_id, "fitted"), frame, label, cut)


def _publish(
    spec: ModelSpec, asked: Proposal, run_id: str, judged: Acceptance, span: Mapping[str, Any]
) -> None:
    """Keep the gates' page with the run, and in the store for the Airflow UI."""
    from tasks import store
    from tasks.registry import tracking
    from tasks.reports import gate_page, retrain_brief

    page = gate_page.page_html(spec, asked, judged, span)
    tracking.put_page(run_id, "gates", page)
    tracking.put_json(run_id, "gate_page", gate_page.page_json(judged))
    path = gate_page.page_path(spec.model, retrain_brief.slug(asked.proposal))
    store.write(f"reports/{path}", page)


def _judged(
    spec: ModelSpec,
    known: status.Status,
    asked: Proposal,
    models: tuple[Any, Any | None],
    rows: tuple[pd.DataFrame, Ints, Floats | None, Facts],
    span: Mapping[str, Any],
) -> Acceptance:
    from tasks.classifier import spans, timing
    from tasks.drift import reference
    from tasks.gates import acceptance, recalibration

    (candidate, champion), (frame, label, weight, facts) = models, rows
    before = known.candidate(asked.champion)
    if asked.kind == "recalibrate" and before is not None:
        return recalibration.judge(
            spec,
            candidate,
            champion,
            frame,
            label,
            reference.from_json(before.reference, f"reference of version {before.version}"),
            before.metrics,
            weight,
            facts=facts,
        )
    return acceptance.judge(
        spec,
        candidate,
        champion,
        frame,
        label,
        spans.kept(len(label), span),
        asked.trained_until - asked.trained_from,
        weight,
        facts=facts,
        champion_spec=None if before is None else before.spec_digest,
        seconds=None
        if spec.gates.scoring_time is None
        else timing.seconds_per_row(candidate, champion, frame),
    )


def _interval(proposal: Proposal) -> Window:
    return Window(proposal.trained_from, proposal.trained_until)


def _training_rows(
    spec: ModelSpec, proposal: str, run_id: str
) -> tuple[pd.DataFrame, Ints, Floats | None, Facts]:
    from tasks.registry import tracking

    asked = proposal_named(Ledger.open(), spec, proposal)
    return _gather(spec, asked, tracking.get_json(run_id, "rows"))


def _gather(
    spec: ModelSpec, asked: Proposal, rows: dict[str, Any]
) -> tuple[pd.DataFrame, Ints, Floats | None, Facts]:
    from tasks.classifier.training import gather_all

    return gather_all(spec, quarantine.accepted(spec, _interval(asked), rows))


def changes_of(spec: ModelSpec, ledger: Ledger, asked: Proposal) -> tuple[datetime, ...]:
    """Return when what a proposal's candidate has to learn began; of no episode, nothing did."""
    return status.read(spec, ledger).changes(asked.episode, asked.trained_until)


def slices_of(
    spec: ModelSpec, asked: Proposal, times: Ints, label: Ints, changes: Sequence[datetime]
) -> Slices:
    """Return which of a proposal's labelled rows fit, calibrate and judge.

    Parameters
    ----------
    times, label
        Of the rows, oldest first: microseconds since 1970, and index of the class, shape (n,).
    """
    from tasks.classifier import spans, training

    if asked.kind == "recalibrate":
        share = {"calibrate": spec.calibration.share, "judge": spec.training.judge}
        return training.unfitted_slices(len(times), **share)
    return spans.cut_of(spec, times, label, changes)
