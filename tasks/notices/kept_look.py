"""What there is to tell of a model, read from its newest windows and what was told of the others.

A look keeps in the store, signed by a worker, what the latches remember of the windows of which
everything was told. It is a cache and never the truth: like the fold of whoever acts, it counts if
nothing that was written since belongs before it. Else all is read and folded. It is one of its own:
a monitor may have moved its fold past a window of which nobody was told yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from tasks.bounds import shifted
from tasks.drift.episode import breach_of
from tasks.drift.error_budget import looked_at
from tasks.ledger import kept_fold, sealing, status
from tasks.ledger.budget import burning_since
from tasks.ledger.chain import Link
from tasks.ledger.kept_fold import KeptFold
from tasks.ledger.reader import LedgerReader
from tasks.ledger.records import Observation
from tasks.ledger.status import Status
from tasks.ledger.when_recorded import when_recorded_of
from tasks.notices.event_kinds import events_of
from tasks.notices.events import ModelFacts, NoticeEvent, is_quiet
from tasks.notices.owed import owed, subscribed_at
from tasks.reports import drift_evidence
from tasks.spec.model import ModelSpec


@dataclass(frozen=True, kw_only=True)
class KeptLook:
    """A fold of windows of which all was told, and whether one of these had labels."""

    fold: KeptFold
    labelled: bool


def read_to_tell(spec: ModelSpec, ledger: LedgerReader, now: datetime) -> ModelFacts:
    """Return what is known of a model for whoever tells of it; it may lack older windows.

    What is due by it is what is due by all windows.
    """
    kept = _load(spec)
    with ledger.at_one_moment() as link:
        newest = sealing.newest(link, spec.model)
        found = None if kept is None else kept_fold.fold_on(link, spec, kept.fold)
        if kept is None or found is None or not _suffices(found, kept):
            kept, found = None, status.read_on(spec, link)
        facts = _facts(link, found, kept, newest)
    before = 0 if kept is None else kept.fold.position + kept_fold.BEHIND
    if newest is not None and newest.position > before:
        _keep(facts, kept, newest, now)
    return facts


def read_all(spec: ModelSpec, ledger: LedgerReader) -> ModelFacts:
    """Return all that the ledger has of a model now."""
    with ledger.at_one_moment() as link:
        newest = sealing.newest(link, spec.model)
        return _facts(link, status.read_on(spec, link), None, newest)


def _facts(
    link: sa.Connection, known: Status, kept: KeptLook | None, newest: Link | None
) -> ModelFacts:
    since = None if kept is None else kept.fold.since
    recorded = when_recorded_of(link, known.spec.model, since)
    return ModelFacts(status=known, recorded=recorded, head=newest)


def _suffices(known: Status, kept: KeptLook) -> bool:
    """Return whether the windows since what is kept show all that may have to be told."""
    whole = all(breach >= kept.fold.since for breach in _breaches(known))
    if not whole or _oldest(known) < 0:
        return False
    # Labels are missed since the newest window that had some; who never had any misses none.
    if _newest_labelled(known) is None:
        return not (kept.labelled or known.spec.label.late)
    return True


def _breaches(known: Status, since: datetime | None = None) -> Iterator[datetime]:
    """Yield the first breach of each episode that a latch was in, after windows since a moment."""
    for history in (known.history, known.calibration):
        for reading, latch in history.steps:
            breach = breach_of(latch.episode)
            if breach is not None and (since is None or reading.window.start >= since):
                yield breach


def _oldest(known: Status) -> int:
    """Return the place of the oldest window on which rests what goes on; -1 if it may be older."""
    seen, since = known.observations, kept_fold.needed_since(known)
    if since is None or since < seen[0].window_start:
        return -1
    ends = [sum(o.window_end <= p.trained_until for o in seen) for p in known.live if p.champion]
    places = [sum(o.window_start < since for o in seen), len(seen) - kept_fold.NEWEST_READ]
    places += [end - drift_evidence.BRIEF_WINDOWS for end in ends]  # in the brief on it
    if known.spec.slo is not None:
        burning = burning_since(known)
        first = len(seen) if burning is None else _place(seen, burning[0])
        places.append(first - looked_at(known.spec.slo.windows(known.spec.window.every)))
    return max(min(places), -1)


def _place(seen: Sequence[Observation], one: Observation) -> int:
    return next(place for place, other in enumerate(seen) if other is one)


def _newest_labelled(known: Status) -> int | None:
    """Return the place of the newest window that ends a gap of labels; None if there is none."""
    label, until = known.spec.label, known.observed_until
    for place, one in reversed(list(enumerate(known.observations))):
        due = until is None or not label.late or shifted(one.window_end, label.delay) < until
        if due and _has_labels(one):
            return place
    return None


def _has_labels(seen: Observation) -> bool:
    return seen.labels is not None and seen.labels.labelled > 0


def _cut(known: Status) -> int:
    """Return the place of a window before which all is over, and through which no event reaches."""
    labelled = _newest_labelled(known)
    if labelled is None and known.spec.label.late:
        return 0  # labels were missed from the first window on
    place = _oldest(known) if labelled is None else min(_oldest(known), labelled)
    while place > 0 and not _is_over(known, place):
        place -= 1
    return place


def _is_over(known: Status, place: int) -> bool:
    before, since = known.observations[place - 1], known.observations[place].window_start
    if before.verdict == "insufficient" or any(b < since for b in _breaches(known, since)):
        return False
    states = (
        next((latch for r, latch in reversed(history.steps) if r.window.start < since), None)
        for history in (known.history, known.calibration)
    )
    return all(latch is None or latch.episode is None for latch in states)


def _keep(facts: ModelFacts, kept: KeptLook | None, newest: Link, now: datetime) -> None:
    """Keep the fold of the windows of which all was told, if what is left tells the same."""
    known, spec = facts.status, facts.status.spec
    heard = all(subscribed_at(facts, *one) is not None for one in spec.notify.items())
    # While the margins drift, nobody is told of the probabilities; who knows what there was.
    if not heard or known.history.now.episode is not None or not is_quiet(facts, now):
        return
    place = _cut(known)
    if place < 0 or (place == 0 and kept is None):
        return
    since = known.observations[place].window_start if place or kept is None else kept.fold.since
    before = None if kept is None else kept.fold
    fold = kept_fold.fold_before(spec, known, before, newest, since)
    if fold is None or not _tells_the_same(facts, _from(facts, fold), now):
        return
    early = known.observations[:place]
    labelled = any(map(_has_labels, early)) or (kept is not None and kept.labelled)
    content = {
        "fold": kept_fold.fold_to_json(spec, fold),
        "labelled": labelled,
        "notify": dict(spec.notify),
    }
    kept_fold.write_sealed(spec, _place_kept(spec), json.dumps(content))


def _from(facts: ModelFacts, fold: KeptFold) -> ModelFacts:
    """Return what is known of the windows from what is kept on."""
    known = facts.status
    rows = known.rows_with([o for o in known.observations if o.window_start >= fold.since])
    windows = {of: at for of, at in facts.recorded.windows.items() if of[0].start >= fold.since}
    return ModelFacts(
        status=status.folded(known.spec, rows, fold.memories),
        recorded=replace(facts.recorded, windows=windows),
        head=facts.head,
    )


def _tells_the_same(facts: ModelFacts, less: ModelFacts, now: datetime) -> bool:
    """Return whether fewer windows show all but what was told of the others, or given up."""
    shown = {event.key: _said(event) for event in events_of(less, now)}
    everything = {event.key: _said(event) for event in events_of(facts, now)}
    if any(everything.get(key) != said for key, said in shown.items()):
        return False
    left = (one for one in owed(facts, now) if one.event.key not in shown)
    return all(one.state in ("told", "failed") for one in left)


def _said(event: NoticeEvent) -> tuple[Any, ...]:
    return event.severity, event.since, event.subject, event.goes_on, event.past


def _load(spec: ModelSpec) -> KeptLook | None:
    def load(raw: Mapping[str, Any]) -> KeptLook | None:
        fold = kept_fold.fold_from_json(spec, raw["fold"])
        if fold is None or raw["notify"] != dict(spec.notify):
            return None  # who hears of more from now on is told what goes on
        return KeptLook(fold=fold, labelled=raw["labelled"])

    return kept_fold.read_sealed(spec, _place_kept(spec), load)


def _place_kept(spec: ModelSpec) -> str:
    return f"told/{spec.model}"
