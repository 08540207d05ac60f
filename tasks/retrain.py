"""What the retrain DAG does for one proposal: propose → decide → train → … → promote.

Each step finds what the earlier ones left under the proposal's name, so any of them may be run
again after a crash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tasks import brief, monitor, status
from tasks.ledger import Conflict, Ledger
from tasks.records import Candidate, Decision, Promotion, Proposal
from tasks.spec import ModelSpec
from tasks.windows import Window, latest_complete

if TYPE_CHECKING:
    import pandas as pd

    from tasks.margins import Floats, Ints

PROPOSER = "gatelatch"  # who proposes for an episode


class NotApproved(Exception):
    """A step was asked to act without the recorded decision that allows it."""


def propose(
    spec: ModelSpec,
    proposal: str,
    *,
    reason: str,
    proposer: str,
    training_window: timedelta | None,
    until: datetime | None,
    now: datetime,
) -> Proposal:
    """Append the proposal; run again, return the first one unchanged.

    It belongs to the open episode, and nobody in particular proposed it, if it is exactly what the
    monitor would propose: the ledger waits for this name, and the rows are the spec's. Else it is
    the `proposer`'s own.

    `until` (event time) defaults to the end of the newest observed window, and where nothing was
    observed yet, of the newest complete one.
    """
    ledger = Ledger.open()
    known = status.read(spec, ledger)
    usual = until is None and training_window in (None, spec.training.window)
    if until is None:
        ends = [o.window_end for o in known.observations]
        until = max(ends) if ends else latest_complete(spec.window, now).end
    start = until - (training_window or spec.training.window)
    episode = None
    if usual and known.due == proposal:
        proposer, episode = PROPOSER, known.history.now.episode
    if {identity for identity, _ in spec.owner.users} == {proposer} and spec.approval.asks:
        raise NotApproved(
            f"{proposer} is the only approver of {spec.model} and cannot approve what they "
            "propose; let somebody else start it, or name another approver"
        )
    return ledger.propose(
        Proposal(
            spec.model,
            proposal,
            "retrain",
            reason,
            episode,
            known.champion,
            start,
            until,
            proposer,
            spec.digest,
        )
    )


def ask_to_retrain(spec: ModelSpec, proposal: Proposal, run_link: str) -> dict[str, str]:
    """Write the brief for the retrain approval; return its subject, body, address and evidence."""
    text = brief.retrain(status.read(spec, Ledger.open()), proposal, run_link)
    return brief.publish(spec.model, proposal.proposal, "retrain", text, _digest(asdict(proposal)))


def ask_to_promote(spec: ModelSpec, proposal: str, run_link: str) -> dict[str, str]:
    """Write the brief for the promotion approval; return subject, body, address and evidence."""
    known = status.read(spec, Ledger.open())
    candidate = _candidate(known, proposal)
    text = brief.promotion(known, candidate, run_link)
    return brief.publish(spec.model, proposal, "promotion", text, candidate.evidence)


def decide(
    spec: ModelSpec, proposal: str, step: str, response: Mapping[str, Any] | None, evidence: str
) -> Decision:
    """Record what a person answered to one step, or that the spec lets it pass without.

    Parameters
    ----------
    response
        What Airflow's approval returned; not looked at where the spec says `automatic`.
    """
    ledger = Ledger.open()
    known = status.read(spec, ledger)
    asked = next(p for p in known.proposals if p.proposal == proposal)
    answer, by, comment = _answer(spec, asked, step, response)
    return ledger.decide(
        Decision(
            spec.model,
            proposal,
            step,
            answer,
            by,
            comment,
            evidence,
            known.effective_from(asked.trained_until),
        )
    )


def _answer(
    spec: ModelSpec, proposal: Proposal, step: str, response: Mapping[str, Any] | None
) -> tuple[str, str, str]:
    if getattr(spec.approval, step) == "automatic":
        return "approved", "policy", "the spec says automatic"
    # A task that was marked as done by hand returned nothing, and nothing is no answer.
    response = response or {}
    user = response.get("responded_by_user")
    comment = str((response.get("params_input") or {}).get("comment") or "")
    if not user:
        return "no_answer", "nobody", "nobody answered"
    by = str(user.get("name") or user.get("id"))
    if {str(user.get("id")), by}.isdisjoint(identity for identity, _ in spec.owner.users):
        return "invalid", by, f"{by} is not in owner.approvers"
    if by == proposal.proposer:
        return "invalid", by, f"{by} proposed this and cannot approve it"
    chosen = response.get("chosen_options") == ["Approve"]
    return "approved" if chosen else "rejected", by, comment


def withdraw(spec: ModelSpec, proposal: str, by: str, reason: str) -> Decision:
    """End a live proposal by hand. Raises NotApproved if there is no such one."""
    ledger = Ledger.open()
    known = status.read(spec, ledger)
    found = [p for p in known.live if p.proposal == proposal]
    if not found:
        live = ", ".join(p.proposal for p in known.live) or "none"
        raise NotApproved(f"{spec.model} has no live proposal {proposal!r}; live: {live}")
    since = known.effective_from(found[0].trained_until)
    return ledger.decide(
        Decision(spec.model, proposal, "withdraw", "withdrawn", by, reason, "", since)
    )


def train(spec: ModelSpec, proposal: str) -> dict[str, Any]:
    """Fit the pipeline on the oldest slice of the proposal's rows; keep it under its run."""
    from tasks import registry, training

    ledger = Ledger.open()
    asked = _approved(spec, ledger, proposal, "retrain")
    rows = monitor.check_rows(spec, _interval(asked), {})
    if rows["problem"]:
        raise training.TrainingError(f"{spec.model} {_interval(asked)}: {rows['problem']}")
    frame, label, _ = _gather(spec, asked, rows)
    cut = _slices(spec, label)
    fitted = training.fit(spec, frame[cut.fit], label[cut.fit])
    tags = {
        "spec_digest": spec.digest,
        "data_digest": rows["data_digest"],
        "trained_from": asked.trained_from.isoformat(),
        "trained_until": asked.trained_until.isoformat(),
        "champion": str(asked.champion or ""),
        "seed": str(spec.training.seed),
        "reason": asked.reason,
        "code_version": _code_version(),
    }
    run_id = registry.start(spec.model, proposal, tags)
    registry.put_model(run_id, "fitted", fitted)
    registry.put_json(run_id, "rows", rows)
    return {
        "candidate_run": run_id,
        "rows": len(label),
        "report": rows["report"],
        "mlflow_run": registry.run_url(spec.model, run_id),
    }


def calibrate(spec: ModelSpec, proposal: str, run_id: str) -> dict[str, Any]:
    """Learn the sigmoids on the calibration slice."""
    from tasks import calibration, registry, training

    _approved(spec, Ledger.open(), proposal, "retrain")
    frame, label, _ = _training_rows(spec, proposal, run_id)
    cut = _slices(spec, label).calibrate
    training.need_all_classes(spec, label[cut], "calibration")
    fitted = registry.get_model(run_id, "fitted")
    calibrated = calibration.platt(fitted, frame[cut], label[cut])
    registry.put_model(run_id, "calibrated", calibrated)
    return {"rows": cut.stop - cut.start, "mlflow_run": registry.run_url(spec.model, run_id)}


def gate(spec: ModelSpec, proposal: str, run_id: str) -> dict[str, Any]:
    """Judge candidate against champion on the newest slice; a failure is recorded and ends it."""
    from tasks import acceptance, reference, registry

    ledger = Ledger.open()
    asked = _approved(spec, ledger, proposal, "retrain", again="gates")
    known = status.read(spec, ledger)
    frame, label, weight = _training_rows(spec, proposal, run_id)
    calibrated = registry.get_model(run_id, "calibrated")
    champion = registry.load(spec.model, asked.champion) if asked.champion is not None else None
    judged = acceptance.judge(
        spec,
        calibrated,
        champion,
        frame,
        label,
        asked.trained_until - asked.trained_from,
        weight,
    )
    results = judged.gates
    figures = [asdict(r) for r in results]
    registry.put_json(run_id, "gates", figures)
    registry.put_json(run_id, "reference", reference.to_json(judged.reference))
    registry.put_json(run_id, "metrics", dict(judged.metrics))
    registry.log_metrics(run_id, judged.metrics["candidate"])
    ok = judged.passed
    if not ok:
        failed = "; ".join(f"{r.name} ({r.reason})" for r in results if not r.passed)
        since = known.effective_from(asked.trained_until)
        ledger.decide(
            Decision(
                spec.model, proposal, "gates", "failed", "gates", failed, _digest(figures), since
            )
        )
    return {
        "passed": ok,
        "gates": {r.name: "passed" if r.passed else f"failed: {r.reason}" for r in results},
        "mlflow_run": registry.run_url(spec.model, run_id),
    }


def register(spec: ModelSpec, proposal: str, run_id: str) -> dict[str, Any]:
    """Register the gated candidate and append it, with its reference, to the ledger."""
    from tasks import registry

    ledger = Ledger.open()
    asked = _approved(spec, ledger, proposal, "retrain")
    gates = registry.get_json(run_id, "gates")
    if not all(g["passed"] for g in gates):
        raise NotApproved(f"{proposal}: the gates did not pass; nothing is registered")
    rows = registry.get_json(run_id, "rows")
    calibrated = registry.get_model(run_id, "calibrated")
    tags = {
        "proposal": proposal,
        "spec_digest": spec.digest,
        "data_digest": rows["data_digest"],
        "trained_from": asked.trained_from.isoformat(),
        "trained_until": asked.trained_until.isoformat(),
        "code_version": _code_version(),
    }
    version = registry.register(spec, run_id, calibrated, tags)
    metrics = registry.get_json(run_id, "metrics")
    evidence = _digest([spec.digest, rows["data_digest"], run_id, version, gates, metrics])
    ledger.add_candidate(
        Candidate(
            spec.model,
            proposal,
            version,
            run_id,
            evidence,
            spec.digest,
            rows["data_digest"],
            asked.trained_until,
            metrics,
            gates,
            registry.get_json(run_id, "reference"),
        )
    )
    return {"version": version, "registered_version": registry.version_url(spec.model, version)}


def promote(spec: ModelSpec, proposal: str) -> Promotion:
    """Make the candidate champion, if it was approved and its champion still reigns.

    Raises
    ------
    NotApproved
        If no approval of exactly this evidence is recorded.
    Conflict
        If another version became champion meanwhile; recorded, nothing is changed.
    """
    ledger = Ledger.open()
    known = status.read(spec, ledger)
    asked = _approved(spec, ledger, proposal, "promote")
    candidate = _candidate(known, proposal)
    approval = _decision(ledger, spec, proposal, "promote")
    if approval.evidence != candidate.evidence:
        raise NotApproved(f"{proposal}: approved was other evidence than what is to be promoted")
    since = known.effective_from(candidate.trained_until)
    try:
        promotion = ledger.promote(
            spec.model,
            proposal,
            version=candidate.version,
            expected=asked.champion,
            effective_from=since,
            by=approval.by,
            reason=asked.reason,
        )
    except Conflict as conflict:
        ledger.decide(
            Decision(
                spec.model,
                proposal,
                "promotion",
                "superseded",
                "ledger",
                str(conflict),
                candidate.evidence,
                since,
            )
        )
        raise
    follow(spec, ledger)
    return promotion


def follow(spec: ModelSpec, ledger: Ledger) -> None:
    """Let MLflow's aliases follow the ledger's newest promotion, whichever step asks for it."""
    from tasks import registry

    newest = ledger.promotions(spec.model)[-1]
    registry.point_champion(spec.model, newest.version, newest.expected)


def _approved(
    spec: ModelSpec, ledger: Ledger, proposal: str, step: str, again: str = ""
) -> Proposal:
    """Return the proposal, if its step was approved and nothing since speaks against it.

    A refusal by the step `again` does not count: it is that step which runs once more.
    """
    asked = _proposal(ledger, spec, proposal)
    _decision(ledger, spec, proposal, step, again)
    if asked.spec_digest != spec.digest:
        raise NotApproved(
            f"{proposal}: the spec of {spec.model} has changed since it was proposed; withdraw it "
            "and propose again"
        )
    return asked


def _decision(
    ledger: Ledger, spec: ModelSpec, proposal: str, step: str, again: str = ""
) -> Decision:
    mine = [d for d in ledger.decisions(spec.model) if d.proposal == proposal]
    for decision in mine:
        if decision.answer in status.REFUSALS and decision.step != again:
            said = f"{decision.step} was {decision.answer} by {decision.by}"
            raise NotApproved(f"{proposal}: {said}; nothing more comes of it")
    for decision in mine:
        if decision.step == step:
            return decision
    raise NotApproved(f"{proposal}: nobody has decided on {step} yet")


def _proposal(ledger: Ledger, spec: ModelSpec, proposal: str) -> Proposal:
    return next(p for p in ledger.proposals(spec.model) if p.proposal == proposal)


def _candidate(known: status.Status, proposal: str) -> Candidate:
    return next(c for c in known.candidates if c.proposal == proposal)


def _interval(proposal: Proposal) -> Window:
    return Window(proposal.trained_from, proposal.trained_until)


def _training_rows(
    spec: ModelSpec, proposal: str, run_id: str
) -> tuple[pd.DataFrame, Ints, Floats | None]:
    from tasks import registry

    asked = _proposal(Ledger.open(), spec, proposal)
    return _gather(spec, asked, registry.get_json(run_id, "rows"))


def _gather(
    spec: ModelSpec, asked: Proposal, rows: dict[str, Any]
) -> tuple[pd.DataFrame, Ints, Floats | None]:
    from tasks.training import gather

    return gather(spec, monitor.accepted(spec, _interval(asked), rows))


def _slices(spec: ModelSpec, label: Ints) -> Any:
    from tasks.training import slices

    return slices(len(label), calibrate=spec.calibration.share, judge=spec.training.judge)


def _digest(content: Any) -> str:
    canonical = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _code_version() -> str:
    from tasks import __version__

    return __version__
