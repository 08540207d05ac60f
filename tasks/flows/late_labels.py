"""Labels that come late: which windows to measure again, and measuring them."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from tasks.bounds import shifted
from tasks.data.window_rows import digest_of
from tasks.flows import monitor
from tasks.flows.measure import measure
from tasks.flows.scored_windows import NotYetScored
from tasks.ledger import kept_fold
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Observation
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window, labels_awaited_until

_LOG = logging.getLogger(__name__)
AT_MOST = 8  # windows that one run reads again


def due_again(
    spec: ModelSpec, observations: Iterable[Observation], window: Window
) -> list[Observation]:
    """Return the observations to look at again in the run of this window, oldest first.

    They lack labels, and `label.delay` has passed since the end of their window. Time is event
    time: that of the newest window observed, so that the order of runs makes no difference. After
    four times the delay, and at least four windows, nothing more is expected. If more than
    `AT_MOST` wait, runs of consecutive windows look at them in turn.

    Parameters
    ----------
    observations
        The one that stands for each window.
    """
    known = sorted(observations, key=lambda o: o.window)
    now = max([window.end, *(o.window_end for o in known)])
    waiting = [
        o
        for o in known
        if o.window != window
        and shifted(o.window_end, spec.label.delay) <= now <= labels_awaited_until(spec, o.window)
        and _lacks_labels(o)
    ]
    turns = -(-len(waiting) // AT_MOST)
    mine = [o for o in waiting if not (_number(spec, o.window) - _number(spec, window)) % turns]
    return mine[:AT_MOST]


def _lacks_labels(observation: Observation) -> bool:
    # A window that could not be measured has no labels either: theirs may be the file that broke.
    numbers = observation.numbers
    return numbers.labelled is None or numbers.labelled < numbers.accepted


def _number(spec: ModelSpec, window: Window) -> int:
    return (window.start - spec.window.start) // spec.window.every


def measure_again(spec: ModelSpec, window: Window) -> list[Observation]:
    """Measure the windows that are due in the run of this window and whose rows have changed.

    Returns
    -------
    Their new observations, each of which now stands for its window.
    """
    measured_again = []
    for seen in due_again(spec, _newest(spec), window):
        if digest_of(spec, seen.window) == seen.data_digest:
            continue
        try:
            validated = monitor.validate(spec, seen.window)
        except NotYetScored as said:  # from before `scoring` was in the spec: what was said stands
            _LOG.warning("%s", said)
            continue
        measured = measure(spec, seen.window, validated)
        measured_again.append(monitor.judge(spec, seen.window, measured))
    return measured_again


def _newest(spec: ModelSpec) -> list[Observation]:
    """Return what stands for the windows that may wait for labels, and for others."""
    return kept_fold.read_newest(spec, Ledger.open()).observations


def overdue(spec: ModelSpec, window: Window) -> list[str]:
    """Return a sentence on each window that is due in this run and has no labelled row."""
    where = spec.label.source or spec.source
    return [
        f"{seen.window}: label.delay has passed, and {where} has no label for any of its rows; "
        "land the labels, or compare their keys (label.source.key) with those of the rows "
        "(source.key)"
        for seen in due_again(spec, _newest(spec), window)
        if seen.numbers.labelled == 0
    ]
