"""Whether a proposal's rows can be trained on at all: looked at before anybody is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks import approval, quarantine
from tasks.approval import NotApproved
from tasks.ledger import Ledger
from tasks.records import Proposal
from tasks.retrain import changes_of, slices_of
from tasks.spec import ModelSpec
from tasks.windows import Window

if TYPE_CHECKING:
    from tasks.margins import Ints

PARTS = ("fit", "calibrate", "judge")


def count(spec: ModelSpec, proposal: Proposal) -> dict[str, Any]:
    """Return what the rows of a proposal hold.

    Returns
    -------
    `rows` that were read, `quarantined` and `labelled` ones; of each part that training cuts them
    into (`fit`, `calibrate`, `judge`) the labelled rows by class, oldest part first; `warnings` on
    rows and on classes that a part has too few of.

    Raises
    ------
    NotApproved
        If somebody has to decide and nobody may, or no row is newer than those of the champion.
    tasks.training.TrainingError
        If the rows are not there, cannot be read, or are too few for a part; if one that learns
        holds a single class.
    """
    from tasks import absent, training

    approval.whom_to_ask(spec, proposal)
    window = Window(proposal.trained_from, proposal.trained_until)
    if window.start >= window.end:
        raise NotApproved(
            f"{spec.model} version {proposal.champion} was made of rows until "
            f"{window.end:%Y-%m-%d %H:%M} UTC, and none are newer: nothing to recalibrate on yet"
        )
    checked = quarantine.check_rows(spec, window, {}, page=False)
    if checked["problem"]:
        raise training.TrainingError(f"{spec.model} {window}: {checked['problem']}")
    label, times = _labels(spec, window, checked)
    changes = changes_of(spec, Ledger.open(), proposal)
    slices = slices_of(spec, proposal, times, label, changes)
    if proposal.kind != "recalibrate":
        training.need_two_classes(spec, label[slices.fit], "fitting")
    training.need_enough_to_calibrate(spec, label[slices.calibrate])
    return {
        "rows": checked["rows"],
        "quarantined": checked["quarantined"],
        "labelled": len(label),
        **{part: _by_class(spec, label[getattr(slices, part)]) for part in PARTS},
        "warnings": [*checked["warnings"], *absent.warnings(spec, label, slices)],
    }


def _labels(spec: ModelSpec, window: Window, checked: dict[str, Any]) -> tuple[Ints, Ints]:
    """Return the classes and times of the labelled rows in order of time; shape (n,) each."""
    import numpy as np
    import pyarrow as pa

    from tasks.training import labels

    times, classes = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for batch in quarantine.accepted(spec, window, checked):
        label = labels(spec, batch)
        time = batch.column(spec.source.time).cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        times.append(time.to_numpy(zero_copy_only=False)[label >= 0])
        classes.append(label[label >= 0])
    when = np.concatenate(times)
    order = np.argsort(when, kind="stable")
    return np.concatenate(classes)[order], when[order]


def _by_class(spec: ModelSpec, label: Ints) -> dict[str, int]:
    return {str(name): int((label == i).sum()) for i, name in enumerate(spec.label.classes)}
