"""What a model's windows still lack of labels, for people: awaited, overdue, or given up. Pure."""

from __future__ import annotations

from itertools import takewhile

from tasks.drift.label_gap import LabelGap, label_gap
from tasks.ledger.records import Observation
from tasks.ledger.status import Status
from tasks.spec.windows import awaits_labels, labels_awaited_until


def gap_of(status: Status) -> LabelGap | None:
    """Return the windows whose labels are overdue; see `label_gap`."""
    until = status.observed_until
    if until is None:
        return None
    newest_first = ((o.window, _labelled(o)) for o in reversed(status.observations))
    return label_gap(status.spec, newest_first, until)


def awaited(status: Status) -> list[Observation]:
    """Return the steady windows that are judged on their scores alone, while labels may come."""
    spec, until = status.spec, status.observed_until
    if until is None:
        return []
    newest_first = reversed(status.observations)
    recent = takewhile(lambda o: awaits_labels(spec, o.window, until), newest_first)
    return [o for o in recent if o.verdict == "steady" and o.scores_alone][::-1]


def awaited_told(status: Status) -> str | None:
    """Return for people what is not judged on labels yet, and what that means; None if all is."""
    waiting = awaited(status)
    if not waiting:
        return None
    count, first = len(waiting), waiting[0].window_start
    what = "one steady window is" if count == 1 else f"{count} steady windows are"
    last = labels_awaited_until(status.spec, waiting[-1].window)
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
