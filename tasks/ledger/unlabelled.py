"""What a model's windows still lack of labels, for people: awaited, overdue, or given up. Pure."""

from __future__ import annotations

from tasks.drift.label_gap import LabelGap, label_gap
from tasks.ledger.latches import awaited_until
from tasks.ledger.records import Observation
from tasks.ledger.status import Status


def gap_of(status: Status) -> LabelGap | None:
    """Return the windows whose labels are overdue; see `label_gap`."""
    until = status.observed_until
    if until is None:
        return None
    seen = [(o.window, _labelled(o)) for o in status.observations]
    return label_gap(status.spec, seen, until)


def awaited(status: Status) -> list[Observation]:
    """Return the steady windows that are judged on their scores alone, while labels may come."""
    until = status.observed_until
    return [
        o
        for o in status.observations
        if o.verdict == "steady"
        and (end := awaited_until(status.spec, o)) is not None
        and until is not None
        and until <= end
    ]


def awaited_told(status: Status) -> str | None:
    """Return for people what is not judged on labels yet, and what that means; None if all is."""
    waiting = awaited(status)
    if not waiting:
        return None
    count, first = len(waiting), waiting[0].window_start
    what = "one steady window is" if count == 1 else f"{count} steady windows are"
    last = awaited_until(status.spec, waiting[-1])
    told = (
        f"{what} not judged on labels yet (the first of {first:%Y-%m-%d %H:%M}); labels are "
        f"awaited until {last:%Y-%m-%d %H:%M} at the latest"
    )
    if status.history.now.episode:
        told += ", and until then such windows do not close the latch"
    return told


def _labelled(seen: Observation) -> int | None:
    labels = seen.labels
    return labels.labelled if labels is not None and labels.rows else None
