"""Figures → Markdown and charts for the person who decides. Holds figures only, never a row."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from tasks import store
from tasks.classifier import capped
from tasks.drift.catalogue import unit, words
from tasks.drift.class_spread import QUANTITIES
from tasks.drift.diagnosis import Diagnosis
from tasks.drift.episode import breach_of
from tasks.drift.reference import from_json
from tasks.ledger.evidence import short
from tasks.ledger.figures import Change, WindowFigures
from tasks.ledger.records import Observation, Proposal
from tasks.ledger.status import Status
from tasks.promotion import outlook
from tasks.registry import registry
from tasks.reports import chart, recalibration_brief
from tasks.reports.markdown import as_text, sparkline, table
from tasks.reports.page import render
from tasks.spec.model import ModelSpec
from tasks.spec.part import format_duration
from tasks.spec.windows import Window

REPORTS = "/gatelatch/reports"  # where plugins/reports.py serves the store's `reports/`
_LONGEST_FOLDER = 200  # characters of a proposal's name in a path
_SHOWN_WINDOWS = 26
_SHOWN_CLASSES = 6  # in a table's columns
_SHOWN = 0.0005  # what three digits do not round to nothing


def publish(
    model: str, proposal: str, kind: str, brief: tuple[str, str], evidence: str
) -> dict[str, str]:
    """Keep a brief as a page in the store; return subject, body, address and evidence."""
    subject, body = brief
    body = f"Evidence `{short(evidence)}`: the answer is valid for exactly this.\n\n{body}"
    path = f"{model}/{slug(proposal)}/{kind}.html"
    store.write(f"reports/{path}", page(subject, body))
    return {
        "subject": subject,
        "body": body,
        "brief": f"{REPORTS}/{path}",
        "evidence": evidence,
    }


def slug(proposal: str) -> str:
    """Return a proposal's name as it may stand in a path, another one for each proposal."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "-", proposal)
    if plain == proposal and plain.strip(".") and len(plain) <= _LONGEST_FOLDER:
        return plain
    # Of `a:b` and `a-b`, neither may write over the pages of the other.
    return f"{plain[:_LONGEST_FOLDER]}-{hashlib.sha256(proposal.encode()).hexdigest()[:8]}"


def page(title: str, markdown: str) -> str:
    """Return the Markdown as a page of its own that needs no network."""
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    return render("brief.html", title=title, body=body)


def retrain(
    known: Status, proposal: Proposal, run_link: str, rows: Mapping[str, Any] | None = None
) -> tuple[str, str]:
    """Return subject and body of the request to retrain; `rows` as `ready.count` returns them."""
    spec = known.spec
    if proposal.kind == "recalibrate":
        subject, parts = recalibration_brief.what_failed(spec, proposal, _seen(known, proposal))
        return subject, "\n\n".join([*parts, *_rows(rows), links(known, proposal, run_link)])
    if proposal.champion is None:
        subject = f"{spec.model}: train the first champion?"
        parts = [f"**`{spec.model}` has no champion yet.** Monitoring starts with the first one."]
    else:
        subject = f"{spec.model}: retrain version {proposal.champion}?"
        parts = [_what_drifted(known, proposal), *_to_learn(known, proposal, rows)]
        parts += [*_expected(rows), *_evidence(known, proposal)]
        if proposal.episode:
            subject = f"{spec.model}: the margins drifted, retrain version {proposal.champion}?"
    parts += [_proposed(spec, proposal), *_rows(rows)]
    return subject, "\n\n".join([*parts, links(known, proposal, run_link)])


def _what_drifted(known: Status, proposal: Proposal) -> str:
    windows = _windows(known, proposal)
    if proposal.episode is None:
        return f"**Asked for by {as_text(proposal.proposer)}**: {as_text(proposal.reason)}."
    breach = breach_of(proposal.episode)
    first = next((o for o in windows if o.window_start == breach), windows[-1])
    mine = [o for o in windows if o.version == proposal.champion]  # not those of an earlier one
    judged = [o for o in mine if o.verdict != "insufficient"][-known.spec.latch.open.of :]
    breaches = sum(o.verdict == "drifting" for o in judged)
    return (
        f"**The margins of `{known.spec.model}` version {proposal.champion} have drifted since "
        f"{first.window_start:%Y-%m-%d}**: {breaches} of the last {len(judged)} windows are above "
        f"their limit.{_found_by(proposal)}"
    )


def _to_learn(known: Status, proposal: Proposal, rows: Mapping[str, Any] | None) -> list[str]:
    """Return since when there is something to learn, of how many rows, and what was waited for."""
    if rows is None or "change" not in rows or not proposal.episode:
        return []
    since = datetime.fromisoformat(rows["change"]["since"])
    counts: Mapping[str, int] = rows["change"]["labelled"]
    classes = ", ".join(f"{count:,} of class {as_text(name)}" for name, count in counts.items())
    if len(counts) > _SHOWN_CLASSES:
        classes = f"of the rarest class {_rarest(counts)}"
    waited = sum(o.window_start >= since for o in _seen(known, proposal))
    began = f"the change began with the window of {since:%Y-%m-%d}"
    if since < (breach_of(proposal.episode) or since):
        began += ", and the level from before it was not regained since"
    return [
        f"**What there is to learn:** {began}. Since then there are "
        f"{sum(counts.values()):,} labelled rows to train on ({classes}). You are asked after "
        f"{waited} windows."
    ]


def _expected(rows: Mapping[str, Any] | None) -> list[str]:
    if rows is None or "outlook" not in rows:
        return []
    said = as_text(outlook.from_json(rows["outlook"]).sentence.rstrip(".: "))
    return [f"**Would a retrain help?** {said[0].upper()}{said[1:]}."]


def _found_by(proposal: Proposal) -> str:
    if "backfill" not in proposal.reason:
        return ""
    return f" This is past drift: {as_text(proposal.reason)}."


def _windows(known: Status, proposal: Proposal) -> list[Observation]:
    return _seen(known, proposal)[-_SHOWN_WINDOWS:]


def _seen(known: Status, proposal: Proposal) -> list[Observation]:
    return [o for o in known.observations if o.window_end <= proposal.trained_until]


def _evidence(known: Status, proposal: Proposal) -> list[str]:
    windows = _windows(known, proposal)
    judged = [o for o in windows if o.numbers.statistics]
    if not judged:
        return ["No window has been measured yet."]
    newest = judged[-1]
    numbers = newest.numbers
    path = f"{known.spec.model}/{slug(proposal.proposal)}/drift.svg"
    store.write(f"reports/{path}", chart.of_windows(windows))
    rows = [
        (
            _title(s),
            f"{s['value']:+.3f}{unit(s['name'])}",
            f"{s['effect']:.3f}",
            f"{s['noise']:.3f}",
            f"**{s['pressure']:.1f} ×**" if s["pressure"] > 1 else _within(s),
        )
        for s in _shown(numbers.statistics)
    ]
    head = ("change against the reference", "value", "matters from", "chance shows", "of its limit")
    return [
        *_repairs(numbers.diagnoses or ()),
        f"![Change against its limit, window by window]({REPORTS}/{path})",
        f"`{sparkline([o.pressure for o in windows])}` the last {len(windows)} windows, "
        "▅ and higher is above the limit",
        f"Newest window {_days(newest.window)}, {numbers.accepted} rows: {as_text(newest.reason)}.",
        table(head, rows),
        _moved(numbers),
        *of_capped(numbers.capped or {}, numbers.accepted),
        *(
            _labelled(known, proposal, numbers)
            if numbers.losses is not None
            else _unlabelled(numbers)
        ),
    ]


def _shown(statistics: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return those of all rows, and of classes those nearest to their limit."""
    return recalibration_brief.nearest(statistics, len(QUANTITIES) * _SHOWN_CLASSES)


def _title(s: Mapping[str, Any]) -> str:
    name = words(str(s["name"]))
    return f"{name} of {as_text(s['of'])}" if s.get("of") else name


def _within(s: Mapping[str, Any]) -> str:
    return "blind" if s.get("blind") else f"{s['pressure']:.1f} ×"


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


def _moved(numbers: WindowFigures) -> str:
    moved = numbers.moved
    if moved is None or not _parts(moved):
        return "Nothing tells which features moved the margins."
    told = f"**The mean score moved by {moved.total:+.3f}:** {_parts(moved)}."
    for name, change in (numbers.moved_by_class or {}).items():
        if _parts(change):
            told += f" Margins of class {as_text(name)}: {change.total:+.3f} ({_parts(change)})."
    return told


def of_capped(found: Mapping[str, float], rows: int) -> list[str]:
    """Return a warning that features of so many rows were capped, where any were."""
    said = capped.sentence({as_text(name): count for name, count in found.items()}, rows)
    return [f"**Far outside of what the fit saw:** {said}."] if said else []


def _parts(moved: Change) -> str:
    named = [*moved.features.items(), ("all others", moved.rest)]
    return ", ".join(f"{as_text(n)} {value:+.3f}" for n, value in named if abs(value) >= _SHOWN)


def _unlabelled(numbers: WindowFigures) -> list[str]:
    told = "**No labels yet for this window:** nothing confirms that decisions got worse."
    expected = numbers.expected
    if expected:
        told += (
            f" If the champion's probabilities still hold, accuracy is {expected['accuracy']:.3f} "
            f"and its hinge loss {expected['hinge_loss']:.3f}; a change of the labels themselves "
            "does not show in that."
        )
    else:
        told += " The accuracy to expect is not available, as the calibration is no single sigmoid."
    return [told]


def _labelled(known: Status, proposal: Proposal, numbers: WindowFigures) -> list[str]:
    candidate = known.candidate(proposal.champion)
    assert candidate is not None  # what drifts was promoted, so it was registered
    losses = from_json(candidate.reference).summary.losses
    rows = [
        (name.replace("_", " "), f"{there:.3f}", f"{(numbers.losses or {})[name]:.3f}")
        for name, there in (losses.rates if losses.rows else {}).items()
    ]
    return [
        f"From the {numbers.labelled} labels so far:",
        table(("labelled rows", "when accepted", "newest window"), rows),
    ]


def _proposed(spec: ModelSpec, proposal: Proposal) -> str:
    days = _days(Window(proposal.trained_from, proposal.trained_until))
    against = (
        f"judge it against version {proposal.champion} on the newest {spec.training.judge:.0%}"
        if proposal.champion
        else f"judge it on the newest {spec.training.judge:.0%}"
    )
    again = " You will be asked again before anything is promoted."
    return (
        f"**Proposed:** train `{spec.training.estimator}` on {days}, calibrate it, {against}."
        f"{again if spec.approval.promote == 'human' else ''}\n\n"
        f"**If you reject, or nobody answers within {format_duration(spec.approval.timeout)}:** "
        f"{_if_refused(spec, proposal)}"
    )


def _if_refused(spec: ModelSpec, proposal: Proposal) -> str:
    if proposal.champion is None:
        return "there is still no champion, and nothing is monitored."
    if proposal.episode is None:
        return "the champion stays, and the latch asks as if you had not been asked."
    return (
        f"the champion stays, and the latch rests for {spec.latch.rest_told} "
        "before it may ask again."
    )


def _rows(rows: Mapping[str, Any] | None) -> list[str]:
    """Return what the proposal's rows hold, part by part."""
    if rows is None:
        return []
    names = {"fit": "fit", "calibrate": "calibrate", "judge": "judge (newest)"}
    parts = {name: rows[part] for part, name in names.items() if sum(rows[part].values())}
    classes = list(rows["judge"])
    head = ["rows to", "labelled"]
    cells = [[name, f"{sum(counts.values()):,}"] for name, counts in parts.items()]
    if len(classes) <= _SHOWN_CLASSES:
        head += [f"class {as_text(c)}" for c in classes]
        cells = [[*row, *(f"{parts[row[0]][c]:,}" for c in classes)] for row in cells]
    else:
        head.append("of the rarest class")
        cells = [[*row, _rarest(parts[row[0]])] for row in cells]
    out = f"; {rows['quarantined']:,} are quarantined" if rows["quarantined"] else ""
    counted = f"{rows['labelled']:,} labelled of {rows['rows']:,}{out}"
    return [
        f"**The rows are there:** {counted}.",
        table(head, cells),
        *listed("To know beforehand", rows.get("warnings", ())),
    ]


def listed(head: str, warnings: Iterable[str]) -> list[str]:
    """Return the warnings on rows or on a candidate as a list; none if none."""
    lines = [f"- {as_text(line)}" for line in warnings]
    return ["\n".join([f"**{head}:**", "", *lines])] if lines else []


def _rarest(counts: Mapping[str, int]) -> str:
    name = min(counts, key=lambda c: counts[c])
    return f"{counts[name]:,} ({as_text(name)})"


def links(known: Status, proposal: Proposal, run_link: str) -> str:
    """Return the line of links that ends a brief."""

    parts = [f"Owner {as_text(known.spec.owner.name)}"]
    parts.append(f"proposed by {as_text(proposal.proposer)}, who cannot approve it")
    parts.append(f"[this run]({run_link})")
    if proposal.champion is not None:
        address = registry.version_url(known.spec.model, proposal.champion)
        parts.append(f"[version {proposal.champion} in MLflow]({address})")
    windows = _windows(known, proposal)
    if windows:
        report = windows[-1].numbers.report or ""
        parts.append(f"[data report]({address_of(report)})")
    return " · ".join(parts)


def address_of(report: str) -> str:
    """Return the address at which the Airflow UI serves a report of the store."""
    return f"{REPORTS}/{report.removeprefix('reports/')}"


def _days(window: Window) -> str:
    return f"{window.start:%Y-%m-%d} → {window.end:%Y-%m-%d}"
