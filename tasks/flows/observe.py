"""A window's summary against the reference of its version → the observation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tasks import __version__, formats, store
from tasks.drift import probabilities, summary_json, verdict
from tasks.drift import reference as references
from tasks.drift.explanation import explain
from tasks.flows.window_steps import Measured
from tasks.gates.candidate_metrics import CandidateMetrics
from tasks.ledger import remembered
from tasks.ledger.figures import WindowFigures
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Candidate, Observation
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError
from tasks.spec.windows import Window

if TYPE_CHECKING:
    from datetime import datetime

    from tasks.drift.reference import Reference
    from tasks.ledger.remembered import Reign

_WEIGHTLESS = "the sample weights of the labelled rows sum to zero, so the losses are not compared"


def observation(spec: ModelSpec, window: Window, measured: Measured, ledger: Ledger) -> Observation:
    """Return what a measured window says under one version; nothing is written yet."""
    checked = measured.validated.checked
    figures = WindowFigures(
        rows=checked.rows,
        accepted=checked.accepted,
        quarantined=checked.quarantined,
        reasons=checked.reasons or None,
        warnings=measured.warnings,
        scored_by=checked.scored_by,
        report=measured.validated.report,
    )
    if measured.summary is None:
        judgement = verdict.insufficient(measured.problem or "")
    else:
        path = measured.summary
        summary = summary_json.summary_in(store.read_bytes(path), f"summary {store.url(path)}")
        champion = ledger.version(spec.model, measured.version)
        reference = _reference(spec, champion)
        level = _level(spec, ledger, window, measured.version)
        judgement = verdict.judge_margins(summary, reference, spec, level)
        held = probabilities.judge_probabilities(summary, reference, spec)
        weighed = bool(summary.losses.effective_rows)
        rates: dict[str, Any] = summary.losses.rates if weighed else {}
        gap = CandidateMetrics.from_json(champion.metrics).hinge_gap
        explained = explain(summary, reference, judgement, gap)
        weightless = (_WEIGHTLESS,) if summary.labelled and not weighed else ()
        figures = replace(
            figures,
            **vars(explained),
            **rates,
            calibration=probabilities.held_probabilities(summary, reference, held),
            accepted=summary.rows,  # of this version, where rows say which scored them
            warnings=(*measured.warnings, *weightless),
            labelled=summary.labelled,
            labels={name: losses.rows for name, losses in summary.classes.items()},
        )
    return Observation(
        model=spec.model,
        version=measured.version,
        window_start=window.start,
        window_end=window.end,
        spec_digest=spec.digest,
        data_digest=checked.seen_digest,
        verdict=judgement.verdict,
        reason=judgement.reason,
        pressure=judgement.pressure,
        figures={
            formats.KEY: formats.FIGURES_FORMAT,
            formats.CODE: __version__,
            **replace(figures, statistics=judgement.statistics).to_json(),
        },
    )


def reference_of(spec: ModelSpec, ledger: Ledger, version: int) -> Reference:
    """Return the reference of a version's windows. Raises SpecError if there is none."""
    return _reference(spec, ledger.version(spec.model, version))


def _reference(spec: ModelSpec, candidate: Candidate) -> Reference:
    try:
        return references.reference_from_json(candidate.reference)
    except formats.OtherFormat as error:
        raise SpecError(f"{spec.model} version {candidate.version}: {error}") from None


def reigns_at(spec: ModelSpec, ledger: Ledger, moment: datetime) -> list[Reign]:
    """Return the champions' times up to a moment of event time, without folding any window."""
    rows = ledger.rows_but_windows(spec.model)
    return remembered.reigns_of(
        rows.promotions, rows.proposals, rows.decisions, rows.candidates, moment
    )


def _level(spec: ModelSpec, ledger: Ledger, window: Window, version: int) -> Reference | None:
    """Return the reference of the level that the champion of a window has still to regain."""
    reigns = reigns_at(spec, ledger, window.start)
    if not reigns or reigns[-1].version != version:
        return None  # what is measured beside the champion is held against its own level
    best = remembered.level(spec, reigns, window.end)
    return None if best is None else reference_of(spec, ledger, best)


def constants_of(spec: ModelSpec, ledger: Ledger, version: int) -> dict[str, float]:
    """Return the features that were constant in a version's reference, with their value."""
    reference = reference_of(spec, ledger, version)
    return {name: m.mean for name, m in reference.summary.features.items() if m.constant}
