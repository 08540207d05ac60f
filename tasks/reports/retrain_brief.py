"""Figures → Markdown and charts for the person who decides. Holds figures only, never a row."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.drift.episode import breach_of
from tasks.ledger.budget import error_budget_of
from tasks.ledger.records import Proposal
from tasks.ledger.status import Status
from tasks.ledger.unlabelled import awaited_told, gap_of
from tasks.promotion.counted_rows import CountedRows
from tasks.promotion.proposal_reason import ProposalReason
from tasks.quoting import as_text
from tasks.reports import recalibration_brief
from tasks.reports.brief_links import if_frozen, if_refused, links, seen_windows
from tasks.reports.broken_rows import broken_rows
from tasks.reports.drift_evidence import SHOWN_CLASSES, days_of, evidence_of_drift, shown_windows
from tasks.reports.markdown import bullets, table
from tasks.spec.model import ModelSpec
from tasks.spec.training_options import ELSEWHERE
from tasks.spec.windows import Window


def retrain(
    known: Status, proposal: Proposal, run_link: str, rows: CountedRows | None = None
) -> tuple[str, str]:
    """Return subject and body of the request to retrain; `rows` are what these hold."""
    spec = known.spec
    if proposal.kind == "recalibrate":
        seen = seen_windows(known, proposal)
        subject, parts = recalibration_brief.what_failed(spec, proposal, seen)
        parts = [*if_frozen(known), *parts, *broken_rows(known, proposal), *_rows(rows)]
        parts.append(links(known, proposal, run_link))
        return subject, "\n\n".join(parts)
    if proposal.kind == "adopt":
        return _adoption(known, proposal, run_link, rows)
    if proposal.champion is None:
        subject = f"{spec.model}: train the first champion?"
        parts = [f"**`{spec.model}` has no champion yet.** Monitoring starts with the first one."]
    else:
        subject = f"{spec.model}: retrain version {proposal.champion}?"
        parts = [_what_drifted(known, proposal), *broken_rows(known, proposal)]
        parts += _to_learn(known, proposal, rows)
        parts += [*_expected(rows), *_budget(known), *_unlabelled(known)]
        parts += evidence_of_drift(known, proposal)
        if proposal.episode:
            subject = f"{spec.model}: the margins drifted, retrain version {proposal.champion}?"
    parts += [_proposed(spec, proposal), *_rows(rows)]
    return subject, "\n\n".join([*if_frozen(known), *parts, links(known, proposal, run_link)])


def _adoption(
    known: Status, proposal: Proposal, run_link: str, rows: CountedRows | None
) -> tuple[str, str]:
    """Return subject and body of the request to take what was trained elsewhere as a candidate."""
    spec, reason = known.spec, ProposalReason.parse(proposal.reason)
    days = days_of(Window(proposal.trained_from, proposal.trained_until))
    rival = "it" if proposal.champion is None else f"it against version {proposal.champion}"
    again = " You will be asked again before anything is promoted."
    what = "the margins of a model" if spec.margins_only else "a model"
    not_here = (
        " The model itself is not here: what is compared are the margins that it gave, and those "
        "that production logged of the champion."
        if spec.margins_only
        else ""
    )
    return f"{spec.model}: take a model that was trained elsewhere as a candidate?", "\n\n".join(
        [
            *if_frozen(known),
            f"**{as_text(proposal.proposer)} hands in {what} that was trained elsewhere**: "
            f"{as_text(reason.why)}. The file has the digest `{reason.file}`, which "
            f"`python -m tasks adopt` printed when it was handed in.{not_here}",
            f"**Proposed:** nothing is fit. Calibrate it and judge {rival} on {days}. Whether its "
            "fit has seen these rows is not known here: if it has, gates and limits are too "
            f"favourable.{again if spec.approval.promote == 'human' else ''}\n\n"
            f"{if_refused(spec, _then(spec, proposal))}",
            *broken_rows(known, proposal),
            *_rows(rows),
            links(known, proposal, run_link),
        ]
    )


def _what_drifted(known: Status, proposal: Proposal) -> str:
    windows = shown_windows(known, proposal)
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


def _to_learn(known: Status, proposal: Proposal, rows: CountedRows | None) -> list[str]:
    """Return since when there is something to learn, of how many rows, and what was waited for."""
    if rows is None or rows.change is None or not proposal.episode:
        return []
    since, counts = rows.change.since, rows.change.labelled
    classes = ", ".join(f"{count:,} of class {as_text(name)}" for name, count in counts.items())
    if len(counts) > SHOWN_CLASSES:
        classes = f"of the rarest class {_rarest(counts)}"
    waited = sum(o.window_start >= since for o in seen_windows(known, proposal))
    began = f"the change began with the window of {since:%Y-%m-%d}"
    if since < (breach_of(proposal.episode) or since):
        began += ", and the level from before it was not regained since"
    return [
        f"**What there is to learn:** {began}. Since then there are "
        f"{sum(counts.values()):,} labelled rows to train on ({classes}). You are asked after "
        f"{waited} windows."
    ]


def _expected(rows: CountedRows | None) -> list[str]:
    if rows is None or rows.outlook is None:
        return []
    said = as_text(rows.outlook.sentence.rstrip(".: "))
    return [f"**Would a retrain help?** {said[0].upper()}{said[1:]}."]


def _budget(known: Status) -> list[str]:
    spent = error_budget_of(known)
    return [] if spent is None else [f"**Error budget:** {as_text(spent.sentence)}."]


def _unlabelled(known: Status) -> list[str]:
    """Return what this rests on scores alone for, since labels are awaited or overdue."""
    gap = gap_of(known)
    told = awaited_told(known) if gap is None else gap.sentence
    return [] if told is None else [f"**Labels:** {as_text(told)}."]


def _found_by(proposal: Proposal) -> str:
    if ProposalReason.parse(proposal.reason).backfill is None:
        return ""
    return f" The drift lies in the past: {as_text(proposal.reason)}."


def _proposed(spec: ModelSpec, proposal: Proposal) -> str:
    days = days_of(Window(proposal.trained_from, proposal.trained_until))
    against = (
        f"judge it against version {proposal.champion} on the newest {spec.training.judge:.0%}"
        if proposal.champion
        else f"judge it on the newest {spec.training.judge:.0%}"
    )
    again = " You will be asked again before anything is promoted."
    if spec.training.estimator in ELSEWHERE:
        return f"{_elsewhere(spec, proposal, days)}\n\n{if_refused(spec, _then(spec, proposal))}"
    return (
        f"**Proposed:** train `{spec.training.estimator}` on {days}, calibrate it, {against}."
        f"{again if spec.approval.promote == 'human' else ''}\n\n"
        f"{if_refused(spec, _then(spec, proposal))}"
    )


def _elsewhere(spec: ModelSpec, proposal: Proposal, days: str) -> str:
    """Return what an approval leads to where the owner trains."""
    command, dag = f"python -m tasks adopt {spec.model}", spec.training.dag
    todo = f"to train it, such as on {days}, and to hand it in with `{command} FILE`"
    if spec.margins_only:
        todo = (
            f"to train it, and to hand in the margins that it gives labelled rows, such as those "
            f"of {days}, with `{command} --margins FILE --as NAME`"
        )
    starts = "" if dag is None else f" The DAG `{dag}` is started with the evidence."
    rests = f", and the latch rests for {spec.latch.rest_told}" if proposal.episode else ""
    return (
        f"**Proposed:** `{spec.model}` is trained elsewhere. If you approve, its owner is told "
        f"{todo}; you are then asked about that file.{starts} Until then nothing changes{rests}."
    )


def _then(spec: ModelSpec, proposal: Proposal) -> str:
    if proposal.champion is None:
        return "there is still no champion, and nothing is monitored."
    if proposal.episode is None:
        return "the champion stays. Your answer does not rest the latch: it asks as before."
    return (
        f"the champion stays, and the latch rests for {spec.latch.rest_told} "
        "before it may ask again."
    )


def _rows(rows: CountedRows | None) -> list[str]:
    """Return what the proposal's rows hold, part by part."""
    if rows is None:
        return []
    named = {"fit": rows.fit, "calibrate": rows.calibrate, "judge (newest)": rows.judge}
    parts = {name: counts for name, counts in named.items() if sum(counts.values())}
    classes = list(rows.judge)
    head = ["rows to", "labelled"]
    cells = [[name, f"{sum(counts.values()):,}"] for name, counts in parts.items()]
    if len(classes) <= SHOWN_CLASSES:
        head += [f"class {as_text(c)}" for c in classes]
        cells = [[*row, *(f"{parts[row[0]][c]:,}" for c in classes)] for row in cells]
    else:
        head.append("of the rarest class")
        cells = [[*row, _rarest(parts[row[0]])] for row in cells]
    out = f"; {rows.quarantined:,} are quarantined" if rows.quarantined else ""
    counted = f"{rows.labelled:,} labelled of {rows.rows:,}{out}"
    return [
        f"**The rows are there:** {counted}.",
        table(head, cells),
        *bullets("To know beforehand", rows.warnings),
    ]


def _rarest(counts: Mapping[str, int]) -> str:
    name = min(counts, key=lambda c: counts[c])
    return f"{counts[name]:,} ({as_text(name)})"
