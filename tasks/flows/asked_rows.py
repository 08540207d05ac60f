"""The rows of an approved proposal, cut into those that fit, calibrate and judge."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from tasks.classifier import spans
from tasks.classifier.cut import cut_unfitted
from tasks.classifier.training_rows import gather
from tasks.flows import handover
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Proposal
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tasks.validation import checked_rows
from tasks.validation.checked_rows import Checked

if TYPE_CHECKING:
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
    """Return the labelled rows of a proposal that passed validation."""
    return gather(spec, checked_rows.accepted(spec.unscored, interval_of(asked), checked))


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

    if asked.kind in ("recalibrate", "adopt"):  # nothing is fit here
        share = {"calibrate": spec.calibration.share, "judge": spec.training.judge}
        return cut_unfitted(len(times), **share)
    return spans.cut_of(spec, times, label, changes)
