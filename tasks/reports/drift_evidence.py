"""What a brief shows of the windows that drifted: statistics, what moved, what may be broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tasks import store
from tasks.classifier import capped
from tasks.drift.catalogue import called, unit
from tasks.drift.class_spread import QUANTITIES
from tasks.drift.diagnosis import Diagnosis
from tasks.drift.explanation import Change
from tasks.drift.reference import reference_from_json
from tasks.drift.statistic import Statistic
from tasks.ledger.figures import WindowFigures
from tasks.ledger.records import Observation, Proposal
from tasks.ledger.status import Status
from tasks.quoting import as_text
from tasks.reports import chart, recalibration_brief
from tasks.reports.brief_links import REPORTS, seen_windows, slug
from tasks.reports.markdown import sparkline, table
from tasks.spec.windows import Window

BRIEF_WINDOWS = 26
SHOWN_CLASSES = 6  # in a table's columns
_SHOWN = 0.0005  # what three digits do not round to nothing


def shown_windows(known: Status, proposal: Proposal) -> list[Observation]:
    """Return the newest of the windows that a proposal is about, as many as a chart shows."""
    return seen_windows(known, proposal)[-BRIEF_WINDOWS:]


def evidence_of_drift(known: Status, proposal: Proposal) -> list[str]:
    """Return the paragraphs on the windows that drifted, and keep their chart in the store."""
    windows = shown_windows(known, proposal)
    judged = [o for o in windows if o.numbers.statistics]
    if not judged:
        return ["No window has been measured yet."]
    newest = judged[-1]
    numbers = newest.numbers
    path = f"{known.spec.model}/{slug(proposal.proposal)}/drift.svg"
    store.write(f"reports/{path}", chart.of_windows(windows))
    rows = [
        (
            as_text(called(s)),
            f"{s.value:+.3f}{unit(s.name)}",
            f"{s.effect:.3f}",
            f"{s.noise:.3f}",
            f"**{s.pressure:.1f} ×**" if s.pressure > 1 else _within(s),
        )
        for s in _shown(numbers.statistics)
    ]
    head = ("change against the reference", "value", "matters from", "chance shows", "of its limit")
    return [
        *_repairs(numbers.diagnoses or ()),
        f"![Change against its limit, window by window]({REPORTS}/{path})",
        f"`{sparkline([o.pressure for o in windows])}` the last {len(windows)} windows, "
        "▅ and higher means above the limit",
        f"Newest window {days_of(newest.window)}, {numbers.accepted} rows: "
        f"{as_text(newest.reason)}.",
        table(head, rows),
        _moved(numbers),
        *of_capped(numbers.capped or {}, numbers.accepted),
        *(
            _labelled(known, proposal, numbers)
            if numbers.losses is not None
            else _unlabelled(numbers)
        ),
    ]


def _shown(statistics: Sequence[Statistic]) -> list[Statistic]:
    """Return those of all rows, and of classes those nearest to their limit."""
    return recalibration_brief.nearest(statistics, len(QUANTITIES) * SHOWN_CLASSES)


def _within(s: Statistic) -> str:
    return "blind" if s.blind else f"{s.pressure:.1f} ×"


def _repairs(diagnoses: Sequence[Diagnosis]) -> list[str]:
    """Return what may be broken, before anything else: a retrain would learn it."""
    found: dict[tuple[str, str], list[str]] = {}
    for d in diagnoses:
        found.setdefault((d.name, d.advice), []).append(as_text(d.finding))
    return [
        f"**Before you retrain, {name.replace('_', ' ')}:** {'; '.join(findings)}. "
        f"*What to do: {as_text(advice)}.*"
        for (name, advice), findings in found.items()
    ]


def _why(numbers: WindowFigures) -> str:
    return f": {numbers.gone}" if numbers.gone else ""


def _moved(numbers: WindowFigures) -> str:
    moved = numbers.moved
    if moved is None and not numbers.gone:
        said = "The champion's margins are no sum of them."
        return f"**Contributions of features: not available.** {said}"
    if moved is None or not _parts(moved):
        return f"It is not known which features moved the margins{_why(numbers)}."
    told = f"**The mean score moved by {moved.total:+.3f}:** {_parts(moved)}."
    for name, change in (numbers.moved_by_class or {}).items():
        if _parts(change):
            told += f" Margins of class {as_text(name)}: {change.total:+.3f} ({_parts(change)})."
    return told


def of_capped(found: Mapping[str, float], rows: int) -> list[str]:
    """Return a warning about capped features of these rows, if any were capped."""
    said = capped.capped_sentence({as_text(name): count for name, count in found.items()}, rows)
    return [f"**Far outside the range of the fit:** {said}."] if said else []


def _parts(moved: Change) -> str:
    named = [*moved.features.items(), ("all others", moved.rest)]
    return ", ".join(f"{as_text(n)} {value:+.3f}" for n, value in named if abs(value) >= _SHOWN)


def _unlabelled(numbers: WindowFigures) -> list[str]:
    told = "**No labels yet for this window:** nothing confirms that decisions got worse."
    expected = numbers.expected
    if expected:
        told += (
            f" If the champion's probabilities still hold, accuracy is {expected.accuracy:.3f} "
            f"and its hinge loss {expected.hinge_loss:.3f}; a change of the labels themselves "
            "does not show in this estimate."
        )
    else:
        told += (
            " The accuracy to expect is not available, because the calibration is not a single "
            "sigmoid."
        )
    return [told]


def _labelled(known: Status, proposal: Proposal, numbers: WindowFigures) -> list[str]:
    candidate = known.candidate(proposal.champion)
    assert candidate is not None  # what drifts was promoted, so it was registered
    losses = reference_from_json(candidate.reference).summary.losses
    rows = [
        (name.replace("_", " "), f"{there:.3f}", f"{getattr(numbers.losses, name):.3f}")
        for name, there in (losses.rates if losses.rows else {}).items()
    ]
    return [
        f"From the {numbers.labelled} labels so far:",
        table(("labelled rows", "when accepted", "newest window"), rows),
    ]


def days_of(window: Window) -> str:
    """Return the first and the last day of a window in words."""
    return f"{window.start:%Y-%m-%d} → {window.end:%Y-%m-%d}"
