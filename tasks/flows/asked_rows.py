"""The rows of an approved proposal, cut into those that fit, calibrate and judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from tasks.classifier import spans
from tasks.classifier.cut import cut_unfitted
from tasks.classifier.training_rows import gather
from tasks.flows import handed_margins, handover
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Proposal
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tasks.validation import checked_rows
from tasks.validation.checked_rows import Checked

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.arrays import Ints
    from tasks.classifier.cut import Cut
    from tasks.classifier.training_rows import TrainingRows


def interval_of(asked: Proposal) -> Window:
    """Return the event time that a proposal's candidate learns from."""
    return Window(asked.trained_from, asked.trained_until)


def rows_of_run(spec: ModelSpec, asked: Proposal, run_id: str) -> TrainingRows:
    """Return the rows that `train` accepted and kept with the run."""
    return rows_accepted(spec, asked, handover.ROWS.get(run_id))


def rows_accepted(spec: ModelSpec, asked: Proposal, checked: Checked) -> TrainingRows:
    """Return the labelled rows of a proposal that passed validation.

    Of a model that is never here they have the candidate's margins, the champion's beside them.
    """
    rows = gather(spec, batches_of(spec, asked, checked))
    handed = spec.margins_only and asked.kind == "adopt"
    return handed_margins.beside_champion(spec, asked, rows) if handed else rows


def batches_of(spec: ModelSpec, asked: Proposal, checked: Checked) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a proposal that passed validation, with a label or without."""
    batches = checked_rows.accepted(spec.unscored, interval_of(asked), checked)
    return handed_margins.logged_rows(spec, asked, batches)


def changes_of(spec: ModelSpec, ledger: Ledger, asked: Proposal) -> tuple[datetime, ...]:
    """Return when what a proposal's candidate has to learn began; of no episode, nothing did."""
    return status.read(spec, ledger).changes(asked.episode, asked.trained_until)


def slices_of(
    spec: ModelSpec, asked: Proposal, times: Ints, label: Ints, changes: Sequence[datetime]
) -> Cut:
    """Return which of a proposal's labelled rows fit, calibrate and judge.

    Parameters
    ----------
    times, label
        Of the rows, oldest first: microseconds since 1970, and index of the class, shape (n,).
    """

    if asked.kind in ("recalibrate", "adopt") or spec.margins_only:  # nothing is fit here
        share = {"calibrate": spec.calibration.share, "judge": spec.training.judge}
        return cut_unfitted(len(times), **share)
    return spans.cut_of(spec, times, label, changes)
