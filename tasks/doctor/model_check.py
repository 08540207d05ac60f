"""Models whose state shows that something stands still: read, proposals, reference, windows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice

from tasks.doctor.finding import Finding
from tasks.doctor.patient import Patient
from tasks.drift.reference import reference_from_json
from tasks.errors import Final, GatelatchError
from tasks.ledger.status import Status
from tasks.promotion.time_left import time_is_up
from tasks.spec.windows import Window, windows_between
from tasks.views.model_metrics import windows_due
from tasks.views.trust_metrics import next_run

KEPT_TOO_LONG = timedelta(days=7)  # of event time: the DAG runs each day
LATE = timedelta(minutes=15)  # as the alerts have it: a run takes its time


def look_at_specs(patient: Patient) -> Iterator[Finding]:
    """Yield which specs cannot be read."""
    specs, mistakes = patient.read_specs
    for mistake in mistakes:
        yield Finding(
            state="ill",
            finding=mistake,
            remedy="mend the file; `python -m tasks check FILE` says whether it is good",
        )
    if not specs:
        yield Finding(
            state="ill",
            finding="there is no model spec that can be used",
            remedy="let GATELATCH_MODELS name the folder of specs that the scheduler has",
            bars=True,
        )


def look_at_models(patient: Patient) -> Iterator[Finding]:
    """Yield which models' state cannot be folded."""
    for model, known in patient.folded.items():
        if isinstance(known, GatelatchError):
            yield Finding(
                state="ill",
                finding=str(known),
                remedy=f"see `python -m tasks audit {model} --verify`; install the release that "
                "wrote the row, or restore the ledger",
                model=model,
            )


def look_at_proposals(patient: Patient) -> Iterator[Finding]:
    """Yield which live proposals nobody can bring to an end any more."""
    for known in patient.standing():
        touched = patient.reader.touched(known.spec.model) if known.live else {}
        ends: dict[str, datetime] = {}
        for proposal in known.live:
            with suppress(Final):  # as of two candidates of a version: others say so
                until = time_is_up(known, patient.reader, proposal, touched[proposal.proposal])
                if until is not None:
                    ends[proposal.proposal] = until
        yield from proposal_findings(known, ends, patient.clock())


def proposal_findings(
    known: Status, ends: Mapping[str, datetime], now: datetime
) -> Iterator[Finding]:
    """Yield which live proposals are dead. Pure.

    Parameters
    ----------
    ends
        By proposal, from when on the monitor's next run ends it.
    """
    spec = known.spec
    for proposal in known.live:
        name, end = proposal.proposal, ends.get(proposal.proposal)
        withdraw = f"`python -m tasks withdraw {spec.model} {name} --reason … --by …`"
        if end is not None and now > next_run(spec, end) + LATE:
            yield Finding(
                state="ill",
                finding=f"the proposal {name} is dead since {end:%Y-%m-%d}: its time is up, and "
                "no run of the monitor has ended it",
                remedy=f"let monitor.{spec.model} run (is it paused?), or run {withdraw}",
                model=spec.model,
            )
        elif proposal.spec_digest != spec.digest or proposal.champion != known.champion:
            other = "spec" if proposal.spec_digest != spec.digest else "champion"
            yield Finding(
                state="warning",
                finding=f"the proposal {name} was made on another {other}, so nothing comes of it",
                remedy=f"let the next run of monitor.{spec.model} end it, or run {withdraw}",
                model=spec.model,
            )


def look_at_references(patient: Patient) -> Iterator[Finding]:
    """Yield which champions have nothing that windows could be compared with."""
    for known in patient.standing():
        yield from reference_findings(known)


def reference_findings(known: Status) -> Iterator[Finding]:
    """Yield what is wrong with the champion's reference. Pure."""
    model, version = known.spec.model, known.champion
    if version is None:
        return
    retrain = f"go back with `python -m tasks rollback {model}`, or trigger retrain.{model}"
    try:
        candidate = known.candidate(version)
        if candidate is not None:
            reference_from_json(candidate.reference, f"the reference of version {version}")
            return
        told = f"the ledger has no candidate of version {version}, so the champion has no reference"
    except GatelatchError as error:
        told = str(error)
    except (KeyError, TypeError, ValueError, AttributeError):
        told = f"the reference of version {version} in the ledger cannot be read"
    yield Finding(state="ill", finding=told, remedy=retrain, model=model)


def look_at_windows(patient: Patient) -> Iterator[Finding]:
    """Yield which models' windows are overdue or were passed over."""
    for known in patient.standing():
        yield from window_findings(known, patient.clock())
        yield from passed_over(known)


def window_findings(known: Status, now: datetime) -> Iterator[Finding]:
    """Yield whether windows are overdue. Pure."""
    due = list(islice(windows_due(known), 2))
    late = [moment for moment in due if now > moment + LATE]
    if late:
        model = known.spec.model
        what = "a window is" if len(late) == 1 else "two windows or more are"
        yield Finding(
            state="warning" if len(late) == 1 else "ill",
            finding=f"{what} overdue: the first was due on {late[0]:%Y-%m-%d %H:%M} UTC",
            remedy=f"look at the newest run of monitor.{model} in Airflow: it is paused, failed, "
            "or no scheduler runs",
            model=model,
        )


def passed_over(known: Status) -> Iterator[Finding]:
    """Yield whether windows of this champion have no verdict though later ones have. Pure."""
    if known.observed_until is None or not known.promotions:
        return
    seen = sorted((o.window_start, o.window_end) for o in known.observations)
    starts = [start for start, _ in seen]

    def judged(window: Window) -> bool:
        before = bisect_right(starts, window.start)  # on another grid it lies within one of them
        return before > 0 and window.start < seen[before - 1][1]

    since = known.promotions[-1].effective_from
    every = windows_between(known.spec.window, since, known.observed_until)
    if missing := [window for window in every if not judged(window)]:
        model, last = known.spec.model, missing[-1]
        yield Finding(
            state="warning",
            finding=f"{len(missing)} window(s) before the newest one were never judged: the first "
            f"begins on {missing[0].start:%Y-%m-%d %H:%M}, the last on {last.start:%Y-%m-%d %H:%M} "
            "UTC",
            remedy=f"look for runs of monitor.{model} that failed, and clear them; or backfill "
            "these windows, if the schedule went past them",
            model=model,
        )


def look_at_retention(patient: Patient) -> Iterator[Finding]:
    """Yield which models keep more than their specs say."""
    from tasks.flows import expire

    for known in patient.standing():
        for due in expire.due(known, patient.reader, kept=KEPT_TOO_LONG):
            who = (
                "let the role that owns the ledger's tables run" if due.kind == "figures" else "run"
            )
            yield Finding(
                state="warning",
                finding=f"retention.{due.kind}: what should have expired is kept, the oldest of "
                f"{due.end:%Y-%m-%d}",
                remedy=f"let the DAG gatelatch.expire run (is it paused?), or {who} "
                f"`{expire.COMMAND}`",
                model=known.spec.model,
            )
