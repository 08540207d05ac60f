"""What a candidate's gates say of it, kept with its run and on its page; a failure ends it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tasks import store
from tasks.audit.verified_model import champion_of
from tasks.classifier import calibration_fit, timing, training
from tasks.drift import reference
from tasks.flows import handover
from tasks.flows.asked_rows import rows_of_run
from tasks.flows.handed_margins import name_asked
from tasks.gates import acceptance, recalibration
from tasks.gates.candidate_metrics import CandidateMetrics
from tasks.gates.contest import Contender, Contest
from tasks.gates.gate_result import GateResult
from tasks.ledger import evidence, status
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Decision, Proposal
from tasks.registry import tracking
from tasks.reports import brief_links, gate_page
from tasks.spec.model import ModelSpec

if TYPE_CHECKING:
    from tasks.classifier.spans import Learning
    from tasks.gates.acceptance import Acceptance


def judged_now(
    spec: ModelSpec, ledger: Ledger, asked: Proposal, run_id: str
) -> tuple[GateResult, ...]:
    """Judge, keep with the run what register takes from there, and return the gates' results."""

    known = status.read(spec, ledger)
    learning = handover.LEARNING.get(run_id)
    judged = _judged(spec, ledger, known, asked, run_id, learning)
    name = name_asked(spec, ledger, asked)
    metrics = replace(judged.metrics, learning=learning, logged_as=name)
    judged = replace(judged, metrics=metrics)
    handover.GATES.put(run_id, judged.gates)
    _publish(spec, asked, run_id, judged)
    handover.REFERENCE.put(run_id, judged.reference)
    handover.METRICS.put(run_id, judged.metrics)
    learnt = calibration_fit.flat_parameters(judged.metrics.calibration)
    tracking.log_metrics(run_id, {**judged.metrics.candidate, **learnt})
    if not judged.passed:
        failed = "; ".join(f"{r.title} ({r.reason})" for r in judged.gates if not r.passed)
        ledger.decide(
            Decision(
                model=spec.model,
                proposal=asked.proposal,
                step="gates",
                answer="failed",
                by="gates",
                comment=failed,
                evidence=evidence.digest([result.to_json() for result in judged.gates]),
                effective_from=known.decided_at(asked),
            )
        )
    return judged.gates


def _publish(spec: ModelSpec, asked: Proposal, run_id: str, judged: Acceptance) -> None:
    """Keep the gates' page with the run, and in the store for the Airflow UI."""

    page = gate_page.page_html(spec, asked, judged)
    tracking.put_page(run_id, "gates", page)
    tracking.put_json(run_id, "gate_page", gate_page.page_json(judged))
    path = gate_page.page_path(spec.model, brief_links.slug(asked.proposal))
    store.write(f"reports/{path}", page)


def _judged(
    spec: ModelSpec,
    ledger: Ledger,
    known: status.Status,
    asked: Proposal,
    run_id: str,
    learning: Learning | None,
) -> Acceptance:
    """Return how the run's calibrated model does beside the champion."""

    rows = rows_of_run(spec, asked, run_id)
    candidate = Contender(model=tracking.get_model(run_id, "calibrated"), spec_digest=spec.digest)
    before, champion = known.candidate(asked.champion), None
    if asked.champion is not None:
        champion = Contender(
            model=champion_of(spec, ledger, asked.champion),
            spec_digest=None if before is None else before.spec_digest,
        )
    if learning is None:
        if before is None or champion is None:
            raise training.TrainingError(f"{asked.proposal}: no champion to recalibrate")
        return recalibration.judge_recalibrated(
            spec,
            candidate,
            champion,
            rows,
            reference.reference_from_json(
                before.reference, f"reference of version {before.version}"
            ),
            CandidateMetrics.from_json(before.metrics),
        )
    if spec.gates.scoring_time is not None and not spec.margins_only:
        rival = None if champion is None else champion.model
        ours, theirs = timing.seconds_per_row(candidate.model, rival, rows.frame)
        candidate = replace(candidate, seconds=ours)
        champion = None if champion is None else replace(champion, seconds=theirs)
    contest = Contest(candidate=candidate, champion=champion)
    span = asked.trained_until - asked.trained_from
    return acceptance.judge_candidate(spec, contest, rows, learning.cut(len(rows)), span)
