"""Whether a proposal's rows can be trained on, and to what avail: before anybody is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.audit.verified_model import champion_of
from tasks.classifier import absent, scoring, training
from tasks.data.frame import class_indices
from tasks.flows import ending, handed_in
from tasks.flows.asked_rows import batches_of, slices_of
from tasks.flows.handed_margins import counted_told
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Proposal
from tasks.promotion import decisions, outlook, quick_fit
from tasks.promotion.counted_rows import CountedRows, RowsSinceChange
from tasks.promotion.proposals import NotApproved
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window, stamp
from tasks.validation import checked_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tasks.arrays import Ints
    from tasks.classifier.cut import Cut
    from tasks.promotion.outlook import Outlook
    from tasks.promotion.quick_fit import Newest
    from tasks.validation.checked_rows import Checked


def count(spec: ModelSpec, proposal: Proposal) -> CountedRows:
    """Return what the rows of a proposal hold.

    Raises
    ------
    NotApproved
        If somebody has to decide and nobody may, or no row is newer than those of the champion.
    tasks.classifier.training.TrainingError
        If the rows are not there, cannot be read, or are too few for a part; if one that learns
        holds a single class.
    tasks.classifier.adopted.NotAdoptable, tasks.classifier.adopted.CannotScore
        If the pipeline to adopt is not there, or does not score these rows.
    tasks.data.margin_file.MarginsRefused
        If margins that were handed in are not those of these rows.
    """
    decisions.whom_to_ask(spec, proposal)
    window = Window(proposal.trained_from, proposal.trained_until)
    if window.start >= window.end:
        raise NotApproved(
            f"{spec.model} version {proposal.champion} was made of rows until "
            f"{window.end:%Y-%m-%d %H:%M} UTC, and none are newer: nothing to recalibrate on yet"
        )
    checked = checked_rows.check_rows(spec.unscored, window, {})
    if checked.problem:
        raise training.TrainingError(f"{spec.model} {window}: {checked.problem}")
    ledger = Ledger.open()
    known = status.read(spec, ledger)
    retrains = proposal.kind == "retrain" and proposal.champion is not None
    newest = quick_fit.Newest(spec) if retrains and not spec.margins_only else None
    label, times = _labels(spec, proposal, checked, newest)
    if spec.margins_only and not len(label):
        whose = counted_told(spec, proposal)
        raise training.TrainingError(
            f"{spec.model} {window}: none of the {checked.accepted:,} accepted rows{whose} has a "
            "label; wait for labels, widen training_window, or correct source.version_column"
        )
    changes = known.changes(proposal.episode, proposal.trained_until) if retrains else ()
    slices = slices_of(spec, proposal, times, label, changes)
    if proposal.kind == "retrain" and not spec.margins_only:
        training.need_two_classes(spec, label[slices.fit], "fitting")
    training.need_enough_to_calibrate(spec, label[slices.calibrate])
    told = handed_in.try_out(spec, proposal, checked) if proposal.kind == "adopt" else []
    fresh = label[times >= stamp(changes[0])] if changes else label
    return CountedRows(
        rows=checked.rows,
        quarantined=checked.quarantined,
        labelled=len(label),
        fit=_by_class(spec, label[slices.fit]),
        calibrate=_by_class(spec, label[slices.calibrate]),
        judge=_by_class(spec, label[slices.judge]),
        warnings=(*checked.warnings, *told, *absent.warnings(spec, label, slices)),
        change=RowsSinceChange(since=changes[0], labelled=_by_class(spec, fresh))
        if changes
        else None,
        outlook=None
        if newest is None
        else _outlook(spec, ledger, known, proposal, newest, len(label), slices, changes),
    )


def _outlook(
    spec: ModelSpec,
    ledger: Ledger,
    known: status.Status,
    proposal: Proposal,
    newest: Newest,
    rows: int,
    cut: Cut,
    changes: Sequence[datetime],
) -> Outlook:
    """Return what to expect of a retrain; `rows` are all labelled ones, which `cut` is of.

    Where nothing can be estimated it says why: for want of that nobody goes unasked.
    """

    seen = [
        o
        for o in known.observations
        if o.version == proposal.champion and o.window_end <= proposal.trained_until
    ]
    found = outlook.diagnosis(seen)
    try:
        frame, label, times = newest.rows()
        champion = champion_of(spec, ledger, proposal.champion or 0)
        held = max(cut.calibrate.start - (rows - len(label)), 0)
        estimate = quick_fit.estimate(
            spec, lambda x: scoring.decision_values(champion, x), frame, label, times, held, changes
        )
    except Exception as error:
        return outlook.Outlook(None, found, ending.reason("the quick fit", error))
    return outlook.Outlook(estimate, found)


def _labels(
    spec: ModelSpec, proposal: Proposal, checked: Checked, newest: Newest | None
) -> tuple[Ints, Ints]:
    """Return the classes and times of the labelled rows in order of time; shape (n,) each.

    `newest` is shown all rows in passing.
    """
    import numpy as np
    import pyarrow as pa

    times, classes = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for batch in batches_of(spec, proposal, checked):
        label = class_indices(spec, batch)
        time = batch.column(spec.source.time).cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        moments = time.to_numpy(zero_copy_only=False)
        if newest is not None:
            newest.add(batch, label, moments)
        times.append(moments[label >= 0])
        classes.append(label[label >= 0])
    when = np.concatenate(times)
    order = np.argsort(when, kind="stable")
    return np.concatenate(classes)[order], when[order]


def _by_class(spec: ModelSpec, label: Ints) -> dict[str, int]:
    return {str(name): int((label == i).sum()) for i, name in enumerate(spec.label.classes)}
