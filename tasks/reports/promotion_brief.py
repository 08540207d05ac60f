"""What the approver reads before a candidate becomes champion: gates, figures, what follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from tasks.gates.candidate_metrics import CandidateMetrics
from tasks.gates.gate_result import GateResult
from tasks.ledger.records import Candidate, Proposal
from tasks.ledger.status import Status
from tasks.promotion.proposal_reason import ProposalReason
from tasks.promotion.shadow import Outcome
from tasks.quoting import as_text
from tasks.registry import registry, tracking
from tasks.reports import brief_links, canary_brief, gate_page, markdown, recalibration_brief
from tasks.reports.broken_rows import broken_rows
from tasks.reports.drift_evidence import of_capped
from tasks.reports.markdown import table, versions_table
from tasks.spec.gate_options import MORE_IS_BETTER
from tasks.spec.model import ModelSpec

_SHOWN = 0.0005  # what three digits do not round to nothing


def promotion(
    known: Status, candidate: Candidate, run_link: str, shadow: Outcome | None = None
) -> tuple[str, str]:
    """Return subject and body of the request to promote; `shadow`: what its windows said."""

    spec = known.spec
    asked = next(p for p in known.proposals if p.proposal == candidate.proposal)
    which = f"version {candidate.version}"
    if asked.kind == "recalibrate":
        which += f", which is version {asked.champion} recalibrated"
    subject = f"{spec.model}: promote {which}?"
    since = known.effective_from(candidate.trained_until)
    path = gate_page.page_path(spec.model, brief_links.slug(asked.proposal))
    page = brief_links.address_of(path)
    metrics = CandidateMetrics.from_json(candidate.metrics)
    gates = [GateResult.from_json(gate) for gate in candidate.gates]
    parts = [
        *brief_links.if_frozen(known),
        f"**No gate of version {candidate.version} failed** ({_verdicts(gates)}) on the newest "
        f"{metrics.judged_rows} rows, {_unseen(asked)}."
        + (" There is no champion yet to compare it with." if asked.champion is None else ""),
        *broken_rows(known, asked),
        *_same_file(known, candidate),
        _compared(metrics, candidate.version, asked.champion),
        table(("gate", "result", "why"), _declared(spec, gates)),
        f"{_others(spec, gates)} [All gates, with reliability and margins of both models]({page}).",
        *of_capped(metrics.capped, metrics.judged_rows),
        *(_shadow(shadow) if shadow else []),
        *markdown.bullets("What it cannot promise", metrics.warnings),
        f"{_fit(asked, metrics)} {recalibration_brief.learnt(metrics.calibration)}",
        *_learnt_from(metrics),
        *canary_brief.canary_to_come(known, asked, candidate),
        f"**If you approve:** version {candidate.version} is champion for windows from "
        f"{since:%Y-%m-%d %H:%M} UTC on, unless the champion has changed by then. "
        + brief_links.if_refused(
            spec,
            "there is still no champion." if asked.champion is None else "the champion stays.",
        ),
        " · ".join(
            [
                f"[this run]({run_link})",
                brief_links.margins_link(spec.model),
                f"[MLflow run]({tracking.run_url(spec.model, candidate.run_id)})",
                f"[version {candidate.version} in MLflow]"
                f"({registry.version_url(spec.model, candidate.version)})",
            ]
        ),
    ]
    return subject, "\n\n".join(parts)


def _same_file(known: Status, candidate: Candidate) -> list[str]:
    """Return a sentence on the versions whose model is the same to the byte."""
    ours = None if known.spec.margins_only else candidate.metrics.get("model_file")
    equal = [
        str(c.version)
        for c in known.candidates
        if ours and c.version != candidate.version and c.metrics.get("model_file") == ours
    ]
    if not equal:
        return []
    return [
        f"**The same model file as version {', '.join(equal)}:** both make the same decisions, "
        f"to the last bit. Version {candidate.version} differs in the rows it was judged on, and "
        "so in its reference and limits."
    ]


def _shadow(shadow: Outcome) -> list[str]:
    told = f"**In shadow beside the champion:** {shadow.reason}."
    return [told, versions_table(shadow.compared)] if shadow.compared else [told]


def _verdicts(gates: Sequence[GateResult]) -> str:
    counts = Counter(gate.verdict.replace("_", " ") for gate in gates)
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())


def _unseen(asked: Proposal) -> str:
    if asked.kind == "adopt":
        return "which its calibration did not see; whether its fit did is not known here"
    return "which neither its fit nor its calibration saw"


def _fit(asked: Proposal, metrics: CandidateMetrics) -> str:
    if asked.kind == "adopt":
        elsewhere = "It was fit elsewhere: nothing was fit here."
        if metrics.logged_as is not None:
            elsewhere += (
                f" It is not here: once it is champion, production is to log its margins as "
                f"**{as_text(metrics.logged_as)}**."
            )
        digest = ProposalReason.parse(asked.reason).file
        return f"{elsewhere} The file that was handed in has the digest `{digest}`."
    if asked.kind == "recalibrate":  # the figures of the fit are the champion's
        return f"Nothing was fit: every decision equals that of version {asked.champion}."
    share = metrics.support_vectors / metrics.fitted_rows
    return (f"**The model to promote was {metrics.refit}.** " if metrics.refit else "") + (
        f"Fit on {metrics.fitted_rows} rows, {metrics.support_vectors} of them ({share:.0%}) "
        f"support vectors; hinge loss of the judged rows minus that of the fitted rows: "
        f"{metrics.hinge_gap or 0.0:+.3f}."
    )


def _learnt_from(metrics: CandidateMetrics) -> list[str]:
    """Return a line on the span that fit and those tried beside it; none where nothing was fit."""
    if metrics.learning is None or not metrics.learning.tried:
        return []
    return [f"**Learnt from:** {as_text('; '.join(metrics.learning.told))}."]


def _compared(metrics: CandidateMetrics, version: int, champion: int | None) -> str:
    """Return a table of the judged rows' metrics: the candidate's and, with one, the champion's."""
    # Accuracy says what the error rate does.
    ours = {name: value for name, value in metrics.candidate.items() if name != "error_rate"}
    theirs: Mapping[str, float] | None = metrics.champion
    head = ("judged rows", f"version {version}")
    if theirs is None:
        return table(head, [(_words(name), f"{value:.3f}") for name, value in ours.items()])
    rows = [
        (_words(name), f"{value:.3f}", f"{theirs[name]:.3f}", _change(name, value - theirs[name]))
        for name, value in ours.items()
    ]
    return table((*head, f"version {champion}", "change"), rows)


def _change(name: str, change: float) -> str:
    if abs(change) < _SHOWN:
        return "none"
    better = change > 0 if name in MORE_IS_BETTER else change < 0
    return f"{change:+.3f}, {'better' if better else '**worse**'}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _declared(spec: ModelSpec, gates: Sequence[GateResult]) -> list[tuple[str, ...]]:
    """Return the gates that the spec asks for; any other gate only if it failed."""
    declared = _names(spec)
    shown = [g for g in gates if g.name in declared and not g.of_subgroup]
    shown += [g for g in gates if not g.passed and g not in shown]
    return [
        (
            as_text(gate.title),
            "**failed**" if gate.verdict == "failed" else gate.verdict.replace("_", " "),
            f"{_figure(gate.candidate)} against {_figure(gate.champion)}: {as_text(gate.reason)}"
            if gate.champion is not None
            else as_text(gate.reason),
        )
        for gate in shown
    ]


def _others(spec: ModelSpec, gates: Sequence[GateResult]) -> str:
    """Return a sentence on the gates that are not in the table."""
    declared = _names(spec)
    slices = [g for g in gates if g.of_subgroup]
    others = [g for g in gates if g.name not in declared and not g.of_subgroup]
    judged = [g for g in slices if g.verdict != "not_judged"]
    said = f"{sum(g.verdict == 'passed' for g in others)} checks of soundness and leaks passed."
    changes = [(_gap(gate), gate) for gate in judged]
    known = [(gap, gate) for gap, gate in changes if gap is not None]
    if known and len(known) == len(judged):
        change, worst = max(known, key=lambda one: one[0])
        said += (
            f" {len(judged)} of {len(slices)} slices had enough rows. The least favourable is "
            f"{as_text(worst.slice or '')}: {_words(worst.name)} {change:+.3f}."
        )
    return said


def _gap(gate: GateResult) -> float | None:
    if gate.candidate is None or gate.champion is None:
        return None
    return gate.candidate - gate.champion


def _names(spec: ModelSpec) -> set[str]:
    return {name for name, _ in spec.gates.declared()} | recalibration_brief.RECALIBRATION_GATES


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
