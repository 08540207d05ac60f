"""What the approver reads of the calibration: what no longer holds, what was learnt instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.classifier import calibration_fit
from tasks.drift.probabilities import HeldProbabilities
from tasks.drift.reliability_table import ReliabilityTable
from tasks.drift.statistic import Statistic
from tasks.ledger.records import Observation, Proposal
from tasks.quoting import as_text
from tasks.reports.brief_links import if_refused
from tasks.reports.markdown import table
from tasks.spec.model import ModelSpec

RECALIBRATION_GATES = frozenset(
    {"same_decisions", "better_calibrated", "brier_kept"}
)  # of a recalibration
_SHOWN_CLASSES = 6
_LEAST = 10  # rows of a tenth that is shown


def what_failed(
    spec: ModelSpec, proposal: Proposal, windows: Sequence[Observation]
) -> tuple[str, list[str]]:
    """Return subject and paragraphs of a request to recalibrate.

    `windows` are the observed ones, oldest first, up to the end of the proposal's rows; the newest
    may still wait for their labels.
    """
    version = proposal.champion
    subject = f"{spec.model}: recalibrate version {version}?"
    found = [(o, o.numbers.calibration) for o in windows]
    labelled = [o for o, said in found if said and said.table]
    held = [said for _, said in found if said and said.table]
    if proposal.episode is None:
        said = f"**Asked for by {as_text(proposal.proposer)}**: {as_text(proposal.reason)}."
    else:
        subject = f"{spec.model}: the probabilities no longer hold, recalibrate version {version}?"
        judged = [c for c in held if c.verdict != "insufficient"][-spec.latch.open.of :]
        breaches = sum(c.verdict == "drifting" for c in judged)
        said = (
            f"**The probabilities of version {version} of `{spec.model}` no longer hold**: "
            f"{breaches} of the last {len(judged)} labelled windows are above their limit."
        )
        if labelled:
            said += f" Judged by its margins, the newest of them is {_by_margins(labelled[-1])}."
    return subject, [said, *(_figures(held[-1]) if held else []), _proposed(spec, proposal)]


def _by_margins(observation: Observation) -> str:
    return as_text(f"{observation.verdict}: {observation.reason}".replace("_", " "))


def _figures(held: HeldProbabilities) -> list[str]:
    rows = [
        (
            as_text(s.title),
            f"{s.value:+.3f}",
            f"{s.effect:.3f}",
            f"{s.noise:.3f}",
            f"**{s.pressure:.1f} ×**" if s.pressure > 1 else f"{s.pressure:.1f} ×",
        )
        for s in nearest(held.statistics, _SHOWN_CLASSES)
    ]
    head = ("change against the reference", "value", "matters from", "chance shows", "of its limit")
    errors = _figure(held.calibration_error_reference), _figure(held.calibration_error)
    scores = [
        ("brier", _figure(held.brier_reference), _figure(held.brier)),
        ("calibration error", *errors),
    ]
    tenths = _bins(held.reliability or ReliabilityTable())
    return [
        "The newest window with labels:",
        table(head, rows),
        table(("probabilities", "when accepted", "newest window"), scores),
        table(("said on average", "happened", "rows"), tenths),
    ]


def nearest(statistics: Sequence[Statistic], most: int) -> list[Statistic]:
    """Return those of all rows, and of classes the `most` that are nearest to their limit."""
    classes = [s for s in statistics if s.of]
    near = sorted(classes, key=lambda s: -s.pressure)[:most]
    return [s for s in statistics if not s.of or s in near]


def _bins(kept: ReliabilityTable) -> list[tuple[str, ...]]:
    """Return mean probability, frequency and rows of each tenth of the probabilities."""
    parts = (kept.rows, kept.weight, kept.probability, kept.happened)
    tenths = zip(*(sums.reshape(10, -1).sum(axis=1) for sums in parts), strict=True)
    return [
        (f"{p / w:.1%}", f"{y / w:.1%}", f"{n:.0f}") for n, w, p, y in tenths if w and n >= _LEAST
    ]


def _proposed(spec: ModelSpec, proposal: Proposal) -> str:
    judge = spec.training.judge / (spec.training.judge + spec.calibration.share)
    again = " You will be asked again before anything is promoted."
    return (
        f"**Proposed:** version {proposal.champion} keeps every decision it makes. Only its "
        f"probabilities are learnt again, with `{spec.calibration.method}`, on the labelled rows "
        f"of {proposal.trained_from:%Y-%m-%d %H:%M} → {proposal.trained_until:%Y-%m-%d %H:%M}. The "
        f"newest {judge:.0%} of these rows judge them. Nothing is fit, so this takes a fraction of "
        f"a retrain's time.{again if spec.approval.promote == 'human' else ''}\n\n"
        f"{if_refused(spec, _then(spec, proposal))}"
    )


def _then(spec: ModelSpec, proposal: Proposal) -> str:
    if proposal.episode is None:
        return "the champion stays. Your answer does not rest the latch: it asks as before."
    return (
        "the champion stays, and you are not asked to recalibrate for "
        f"{spec.latch.rest_told}. If the margins drift, you are asked to retrain all the same."
    )


def learnt(parameters: Mapping[str, Any]) -> str:
    """Return how a candidate's probabilities were learnt, and how sure the parameters are."""
    named = {as_text(name): c for name, c in parameters.get("classes", {}).items()}
    return calibration_fit.calibration_sentence({**parameters, "classes": named})


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
