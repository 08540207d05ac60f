"""What the monitor DAG does with one window: validate → measure → judge.

Each step returns a small JSON-ready dict for the next; rows and summaries stay in the store.
"""

from __future__ import annotations

from typing import Any

from tasks import bounds
from tasks.audit import heads, verification
from tasks.data import served_by
from tasks.data.readers import SourceChanged as SourceChanged
from tasks.drift.latch import kind_of
from tasks.flows import rollback
from tasks.flows.measure import measure as measure
from tasks.flows.observe import constants_of, observation, reigns_at
from tasks.ledger import remembered, status
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Observation, champion_at
from tasks.promotion import shadow
from tasks.spec.model import ModelSpec, SpecError
from tasks.spec.windows import Window, window_at, windows_within
from tasks.validation.quarantine import check_rows


def validate(spec: ModelSpec, window: Window, *, version: int | None = None) -> dict[str, Any]:
    """Validate a window's rows, quarantine the bad ones, write the report.

    Returns
    -------
    `version` the window is to be measured with (None: there was no champion), `problem` (why it
    cannot be measured, or None), counts, `data_digest`, `warnings`, and paths in the store;
    `rows_of` the version whose rows count (None: all), and whether their margins may be `logged`
    ones. `beside`: the same for each further version: candidates in shadow, and versions that
    scored rows of this window. With a `version` (what if) there is none. `remark` names rows that
    no known version scored.
    """
    ledger = Ledger.open()
    period = champion_at(ledger.promotions(spec.model), window.start)
    champion = period.version if period else None
    what_if = version is not None
    asked = champion if version is None else version
    if asked is None:
        return {"version": None, "problem": no_champion(spec, window)}
    constants = constants_of(spec, ledger, asked)
    checked = check_rows(spec, window, constants, asked)
    served = _served(spec, checked)
    known = {c.version for c in ledger.candidates(spec.model)}
    beside = {}
    for other in sorted(known & _beside(spec, window, served) - {champion}) if not what_if else ():
        try:
            theirs = constants_of(spec, ledger, other)
        except SpecError:  # a reference that nobody can read: no way back to it
            continue
        # What was constant for the champion need not have been for another version.
        beside[other] = (
            checked if theirs == constants else check_rows(spec, window, theirs, other, page=False)
        )
    if "scored_by" in checked:
        checked["remark"] = served_by.unknown(checked["scored_by"], known)
    told = {
        v: {"version": v, **_rows_of(spec, v, champion, served), **found}
        for v, found in {asked: checked, **beside}.items()
    }
    others = [told[v] for v in beside]
    return {**told[asked], "what_if": what_if, "beside": others}


def _beside(spec: ModelSpec, window: Window, served: set[int]) -> set[int]:
    ledger = Ledger.open()
    earlier = remembered.beside(spec, reigns_at(spec, ledger, window.start), window.start)
    if not spec.shadow.windows:
        return served | set(earlier)
    return served | set(earlier) | shadow.watched(status.read(spec, ledger), window)


def _served(spec: ModelSpec, checked: dict[str, Any]) -> set[int]:
    """Return the versions that scored enough of a window's rows to be measured on their own."""
    if spec.source.version_column is None:
        return set()
    rows = checked["scored_by"]["versions"].items()
    return {int(version) for version, count in rows if count >= spec.window.min_rows}


def _rows_of(
    spec: ModelSpec, version: int, champion: int | None, served: set[int]
) -> dict[str, Any]:
    """Return whose rows a version is measured on: its own if it has any, else the champion's."""
    if spec.source.version_column is None:
        return {"rows_of": None, "logged": version == champion}
    own = version == champion or version in served
    return {"rows_of": version if own else champion, "logged": own}


def no_champion(spec: ModelSpec, window: Window) -> str:
    """Return the sentence for a window before the first champion."""
    return (
        f"{spec.model} had no champion for {window}; train the first one: trigger "
        f"retrain.{spec.model} with reason 'bootstrap', then run this window again"
    )


def judge(spec: ModelSpec, window: Window, measured: dict[str, Any]) -> Observation:
    """Hold each summary against its version's reference and append the observations.

    Returns the one of the window's own version. If the champion of the window changed since it was
    validated, the window is measured again.
    """
    ledger = Ledger.open()
    verification.require(ledger, spec.model)
    if not measured["what_if"]:
        champion = champion_at(ledger.promotions(spec.model), window.start)
        if champion is not None and champion.version != measured["version"]:
            measured = measure(spec, window, validate(spec, window))
    # The window's own version comes last: whoever sees it breach, in a run at the same time, also
    # sees how those beside it did, and goes back to one of them rather than retrain.
    for other in measured["beside"]:
        ledger.observe(observation(spec, window, other, ledger))
    seen = ledger.observe(observation(spec, window, measured, ledger))
    heads.keep(spec.model, ledger)
    return seen


def advice(spec: ModelSpec) -> str | None:
    """Return what to change if window after window says nothing; see `advice.advise`."""
    return status.read(spec, Ledger.open()).advice


def action(spec: ModelSpec, span: str = "") -> dict[str, Any] | None:
    """Return which DAG's run to start: `flow`, its run id `proposal`, and `conf`; None if none.

    Where something asks for it but nobody is asked, `silence` says why, and there is no `proposal`.
    Where it is only too early to ask, or a level was given up, `waits` says so.

    A rollback goes before a retrain: it takes seconds, and what is retrained would be measured
    against a champion that is on its way out. With the `span` of a backfill, see `due_after`.
    """
    worse = None if span else rollback.due(spec)
    if worse is not None and not worse.silence:
        conf: dict[str, Any] = {"reason": worse.reason}
        return {"flow": "rollback", "proposal": worse.proposal, "conf": conf}
    proposal = due_after(spec, span) if span else due(spec)
    if proposal is not None:
        kind = kind_of(proposal)
        reason = "drift" if kind == "retrain" else "calibration drift"
        conf = {"reason": reason, "action": kind, "backfill": span}
        return {"flow": "retrain", "proposal": proposal, "conf": conf}
    known = status.read(spec, Ledger.open())
    if worse is not None:
        return {"silence": f"{spec.model}: nobody is asked to roll back: {worse.silence}"}
    if known.silence:
        return {"silence": f"{spec.model}: the latch is open and nobody is asked: {known.silence}"}
    told = known.patience or known.given_up
    return {"waits": f"{spec.model}: {told}"} if told else None


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
    tasks.bounds.OutOfBounds
        If it is no such range, or one of too many windows.
    """
    known = status.read(spec, Ledger.open())
    seen = {o.window for o in known.observations}
    # Before the first champion there is nothing to observe.
    expected = [
        window for window in span_of(spec, span) if champion_at(known.promotions, window.start)
    ]
    return known.due if expected and seen.issuperset(expected) else None


def span_of(spec: ModelSpec, span: str) -> list[Window]:
    """Return the windows of a range FROM/TO, that of TO included.

    Raises
    ------
    tasks.bounds.OutOfBounds
        If it is no such range, or one of too many windows.
    """
    first, _, last = str(span).partition("/")
    try:
        ends = [window_at(spec.window, bounds.moment(part)) for part in (first, last)]
        return windows_within(spec.window, ends[0].start, ends[1].end)
    except bounds.OutOfBounds as error:
        told = f"{str(span)[: bounds.NAME]!r} is no range ({error})"
        raise bounds.OutOfBounds(f"{told}; write FROM/TO, such as 2026-01-05/2026-03-30") from None
