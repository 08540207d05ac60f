"""What the monitor DAG does with one window: validate → measure → judge.

Each step returns a small JSON-ready dict for the next; rows and summaries stay in the store.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tasks import status
from tasks.ledger import Ledger
from tasks.measuring import measure as measure
from tasks.observing import constants_of, observation
from tasks.quarantine import check_rows
from tasks.readers import SourceChanged as SourceChanged
from tasks.records import Observation, champion_at
from tasks.spec import ModelSpec
from tasks.windows import Window, window_at, windows_between


def validate(spec: ModelSpec, window: Window, *, version: int | None = None) -> dict[str, Any]:
    """Validate a window's rows, quarantine the bad ones, write the report.

    Returns
    -------
    `version` the window is to be measured with (None: there was no champion), `problem` (why it
    cannot be measured, or None), counts, `data_digest`, `warnings`, and paths in the store.
    """
    ledger = Ledger.open()
    what_if = version is not None
    if version is None:
        period = champion_at(ledger.promotions(spec.model), window.start)
        if period is None:
            return {"version": None, "problem": no_champion(spec, window)}
        version = period.version
    constants = constants_of(spec, ledger, version)
    checked = check_rows(spec, window, constants, version)
    return {"version": version, "what_if": what_if, **checked}


def no_champion(spec: ModelSpec, window: Window) -> str:
    """Return the sentence for a window before the first champion."""
    return (
        f"{spec.model} had no champion for {window}; train the first one: trigger "
        f"retrain.{spec.model} with reason 'bootstrap', then run this window again"
    )


def judge(spec: ModelSpec, window: Window, measured: dict[str, Any]) -> Observation:
    """Hold the summary against the reference and append the observation.

    If the champion of the window changed since it was validated, the window is measured again.
    """
    ledger = Ledger.open()
    if not measured["what_if"]:
        champion = champion_at(ledger.promotions(spec.model), window.start)
        if champion is not None and champion.version != measured["version"]:
            measured = measure(spec, window, validate(spec, window))
    return ledger.observe(observation(spec, window, measured, ledger))


def due(spec: ModelSpec) -> str | None:
    """Return the name of the proposal that an open episode waits for; None if none does.

    Read from the newest state of the fold, whichever window the caller just observed: so the last
    of several parallel runs finds what they saw together.
    """
    return status.read(spec, Ledger.open()).due


def due_after(spec: ModelSpec, span: str) -> str | None:
    """Return what `due` does, once every window of a backfilled range is observed; else None.

    So the last of its runs asks, whichever that is; should two see the end of it at once, they
    name the same proposal.

    Parameters
    ----------
    span
        Starts of the first and the last window, in ISO 8601: `2026-01-05/2026-03-30`.

    Raises
    ------
    ValueError
        If it is no such range.
    """
    known = status.read(spec, Ledger.open())
    first, last = (window_at(spec.window, moment) for moment in _moments(span))
    seen = {o.window for o in known.observations}
    # Before the first champion there is nothing to observe.
    expected = [
        window
        for window in windows_between(spec.window, first.start, last.end)
        if champion_at(known.promotions, window.start)
    ]
    return known.due if expected and seen.issuperset(expected) else None


def _moments(span: str) -> list[datetime]:
    moments = [datetime.fromisoformat(part) for part in span.split("/")]
    if len(moments) != 2:
        raise ValueError(f"{span!r} is no range; write FROM/TO, such as 2026-01-05/2026-03-30")
    return [m if m.tzinfo else m.replace(tzinfo=UTC) for m in moments]
