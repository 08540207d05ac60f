"""What the monitor DAG does with one window: validate → measure → judge.

What each step hands to the next is in `window_steps`; rows and summaries stay in the store.
"""

from __future__ import annotations

from dataclasses import replace

from tasks import bounds
from tasks.audit import heads, verification
from tasks.data import served_by
from tasks.data.readers import SourceChanged
from tasks.drift.episode import Numbered
from tasks.errors import Final
from tasks.flows import plan, rollback
from tasks.flows.measure import measure
from tasks.flows.next_action import NextAction, RunToStart
from tasks.flows.observe import constants_of, observation, reigns_at
from tasks.flows.scored_windows import require_scores
from tasks.flows.window_steps import Measured, Validated
from tasks.ledger import kept_fold, remembered, status
from tasks.ledger.freezes import freeze_told, way_out
from tasks.ledger.ledger import Ledger
from tasks.ledger.logged_names import logged_names
from tasks.ledger.records import Observation, champion_at
from tasks.ledger.status import Status
from tasks.promotion import ramping, shadow
from tasks.promotion.ramp import decided_on
from tasks.reports import validation_page
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError
from tasks.spec.windows import Window, window_at, windows_within
from tasks.validation.checked_rows import check_rows


class NoChampion(Final):
    """There is nothing to measure a window with: it lies before the first champion."""


def validate(spec: ModelSpec, window: Window, *, version: int | None = None) -> Validated:
    """Check a window's rows, put the bad ones in quarantine, write the report.

    They are checked for the window's champion and for each version that is measured beside it:
    candidates in shadow, earlier champions, and versions that scored rows of this window. With a
    `version` (what if) they are checked for that one alone.

    Raises
    ------
    NoChampion
        If no `version` is given, and the window had no champion.
    tasks.flows.scored_windows.NotYetScored
        If the window is measured by the scores that `scoring` writes, and these are not there yet.
    """
    ledger = Ledger.open()
    period = champion_at(ledger.promotions(spec.model), window.start)
    champion = period.version if period else None
    own = champion if version is None else version
    if own is None:
        raise NoChampion(
            f"{spec.model} had no champion for {window}; train the first one: trigger "
            f"retrain.{spec.model} with reason 'bootstrap', then run this window again"
        )
    if version is None and period is not None:
        require_scores(spec, window, period)
    constants = constants_of(spec, ledger, own)
    candidates = ledger.candidates(spec.model)
    names = logged_names(spec, candidates, own)
    checked = check_rows(spec, window, constants, names)
    known = {c.version for c in candidates}
    served = plan.serving(spec, checked.scored_by)
    others = known & _beside(spec, ledger, window, served) if version is None else set()
    planned = plan.Plan(
        window=window,
        champion=champion,
        version=own,
        beside=tuple(sorted(others - {champion})),
        served=served,
        margins_only=spec.margins_only,
    )
    found = {own: checked}
    for other in planned.beside:
        try:
            theirs = constants_of(spec, ledger, other)
        except SpecError:  # a reference that nobody can read: no way back to it
            continue
        # What was constant for the champion need not have been for another version.
        found[other] = checked if theirs == constants else check_rows(spec, window, theirs, names)
    report = validation_page.publish(spec, window, checked, own)
    mine, *beside = (
        Validated(
            version=v,
            rows_of=planned.rows_of(v),
            logged=planned.logged(v),
            checked=rows,
            report=report,
        )
        for v, rows in found.items()
    )
    scored = checked.scored_by
    remark = None if scored is None else served_by.unknown(scored, known, names)
    return replace(mine, what_if=version is not None, remark=remark, beside=tuple(beside))


def _beside(
    spec: ModelSpec, ledger: Ledger, window: Window, served: frozenset[int] | None
) -> set[int]:
    if spec.margins_only:  # nobody knows what another version says of these rows
        return set(served or ())
    earlier = remembered.beside(spec, reigns_at(spec, ledger, window.start), window.start)
    shadowed = (
        shadow.watched(kept_fold.read_newest(spec, ledger), window)
        if spec.shadow.windows
        else frozenset()
    )
    return {*(served or ()), *earlier, *shadowed}


def measure_as_landed(spec: ModelSpec, window: Window, validated: Validated) -> Measured:
    """Measure a window; where its rows were replaced since, validate and measure those that came.

    Raises
    ------
    SourceChanged
        If they are replaced once more meanwhile.
    """
    try:
        return measure(spec, window, validated)
    except SourceChanged:
        version = validated.version if validated.what_if else None
        return measure(spec, window, validate(spec, window, version=version))


def judge(spec: ModelSpec, window: Window, measured: Measured) -> Observation:
    """Hold each summary against its version's reference and append the observations.

    Returns the one of the window's own version. If the champion of the window changed since it was
    validated, the window is measured again.
    """
    ledger = Ledger.open()
    verification.require(ledger, spec.model)
    if not measured.validated.what_if:
        champion = champion_at(ledger.promotions(spec.model), window.start)
        if champion is not None and champion.version != measured.version:
            measured = measure(spec, window, validate(spec, window))
    # The window's own version comes last: whoever sees it breach, in a run at the same time, also
    # sees how those beside it did, and goes back to one of them rather than retrain.
    for other in measured.beside:
        ledger.observe(observation(spec, window, other, ledger))
    seen = ledger.observe(observation(spec, window, measured, ledger))
    heads.keep(spec.model, ledger)
    return seen


def status_now(spec: ModelSpec) -> Status:
    """Return how a model stands, for what acts on it: one reading serves all that is decided."""
    return kept_fold.read_newest(spec, Ledger.open())


def canary_told(spec: ModelSpec, known: Status | None = None) -> str | None:
    """Return where the champion's canary stands; None if it has none, or had one before.

    That it held is recorded here, once. Without a reading as `known`, the ledger is read.
    """
    ledger = Ledger.open()
    known = known or status_now(spec)
    ramp = ramping.record_passed(known, ledger)
    if ramp is None or decided_on(known.decisions, ramp.promotion) is not None:
        return None
    return f"{spec.model}: {ramp.told}"


def action(spec: ModelSpec, span: str = "", known: Status | None = None) -> NextAction | None:
    """Return which run to start, or why none is; None if nothing asks for one.

    A rollback goes before a retrain: it takes seconds, and what is retrained would be measured
    against a champion that is on its way out. While a freeze holds the model, nothing is started,
    and that is no failure. With the `span` of a backfill, see `due_after`: for that all windows
    are read; else without a reading as `known` the newest.
    """
    # Read once: a window that another run records meanwhile asks for neither, or is seen by both.
    ledger = Ledger.open()
    known = status.read(spec, ledger) if span else known or status_now(spec)
    worse = None if span else rollback.rollback_due(known)
    if known.frozen:
        due = worse.proposal if worse and not worse.silence else known.due_when_thawed
        held = f". Held back: {due}" if due else ""
        return NextAction(waits=f"{freeze_told(known.frozen)}{held}. {way_out(known.frozen)}")
    if worse is not None and not worse.silence:
        back = {"reason": worse.reason}
        return NextAction(run=RunToStart(flow="rollback", proposal=worse.proposal, conf=back))
    proposal = due_after(known, span) if span else known.due
    if proposal is not None:
        asked = Numbered.parse(proposal)
        kind = "retrain" if asked is None else asked.asks
        reason = "drift" if kind == "retrain" else "calibration drift"
        conf = {"reason": reason, "action": kind, "backfill": span}
        return NextAction(run=RunToStart(flow="retrain", proposal=proposal, conf=conf))
    if worse is not None:
        said = f"nobody is asked to roll back: {worse.silence}"
        return NextAction(silence=f"{spec.model}: {said}")
    if known.silence:
        said = f"the latch is open and nobody is asked: {known.silence}"
        return NextAction(silence=f"{spec.model}: {said}")
    ramp = None if span else ramping.ramp_read(known, ledger)
    if ramp is not None and ramp.stuck:
        return NextAction(silence=f"{spec.model}: {ramp.stuck}")
    told = known.patience or known.given_up
    return NextAction(waits=f"{spec.model}: {told}") if told else None


def due_after(known: Status, span: str) -> str | None:
    """Return the run that is due, once every window of a backfilled range is observed; else None.

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
    seen = {o.window for o in known.observations}
    # Before the first champion there is nothing to observe.
    expected = [
        window
        for window in windows_of_range(known.spec, span)
        if champion_at(known.promotions, window.start)
    ]
    return known.due if expected and seen.issuperset(expected) else None


def windows_of_range(spec: ModelSpec, span: str) -> list[Window]:
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
