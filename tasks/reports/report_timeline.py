"""What happened in a period, in event time: the ledger's rows, and what they fold to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks.audit.events import Event, events
from tasks.ledger.chain import Row, Trail
from tasks.ledger.status import Status
from tasks.reports.as_read import how_many, minute
from tasks.reports.report_cases import Case
from tasks.reports.report_period import Period
from tasks.reports.timeline import LETTERS, Happening, happenings

FOLDED = ("opened", "closed", "spec")  # what no row says, and all rows together do
_MOVES = ("promoted", "recalibrated", "rolled back")
_LETTERS: Mapping[str, str] = {"proposals": LETTERS["proposed"], "decisions": LETTERS["decided"]}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Something that happened; of what the rows only fold to, there is no link.

    `letter` is the one that stands in the charts.
    """

    at: datetime | None
    letter: str
    what: str
    by: str = ""
    why: str = ""
    proposal: str = ""
    evidence: str = ""
    recorded_at: datetime | None = None
    position: int | None = None


def marks_of(known: Status, period: Period) -> list[Happening]:
    """Return what stands as a letter in the charts of a period."""
    shown = {*FOLDED, *_MOVES}
    return [e for e in happenings(known) if e.kind in shown and period.holds(e.at)]


def entries_of(known: Status, trail: Trail, period: Period, cases: Sequence[Case]) -> list[Entry]:
    """Return what happened in a period, oldest first; observations are left to their own table."""
    folded = [
        Entry(at=e.at, letter=e.letter, what=e.text)
        for e in happenings(known)
        if e.kind in FOLDED and period.holds(e.at)
    ]
    rows = _rows(known, trail, period, cases)
    # What has no event time of its own stands where it was written.
    found = [*((e.at, 0, 0, e) for e in folded), *((at, 1, e.position or 0, e) for at, e in rows)]
    return [entry for *_, entry in sorted(found, key=lambda one: one[:3])]


def _rows(
    known: Status, trail: Trail, period: Period, cases: Sequence[Case]
) -> Iterator[tuple[datetime, Entry]]:
    tables = {link.position: link.table_name for link in trail.links}
    rows = {n.position: trail.rows.get((n.table_name, n.row_id)) for n in trail.links}
    moves = {e.proposal: e.letter for e in happenings(known) if e.kind in _MOVES}
    mine = {c.proposal.proposal: c.proposal.trained_until for c in cases}
    others = {p.proposal for p in known.proposals} - mine.keys()
    reached: datetime | None = None  # event time of the row before
    for event in events(trail):
        reached = event.event_time or reached
        table = tables[event.first]
        if event.proposal in others:
            continue
        if table == "observations":
            yield from _revised(
                event, [rows[p] for p in range(event.first, event.last + 1) if p in rows], period
            )
            continue
        at = event.event_time or mine.get(event.proposal) or reached or event.recorded_at
        if event.proposal in mine or period.holds(at):
            moved = moves.get(event.proposal, "") if table == "promotions" else ""
            known_at = event.event_time or mine.get(event.proposal)
            yield at, _entry(event, known_at, moved or _LETTERS.get(table, ""))


def _revised(
    event: Event, rows: Iterable[Row | None], period: Period
) -> Iterator[tuple[datetime, Entry]]:
    """Yield what was measured again, of observations that were written one after another."""
    again = [r for r in rows if r and r["revision"] and period.holds(r["window_end"])]
    if again:
        since, until = min(r["window_start"] for r in again), max(r["window_end"] for r in again)
        yield (
            until,
            Entry(
                at=until,
                letter="",
                what=f"{how_many(len(again), 'window')} from {minute(since)} on measured again, "
                "such as after late labels",
                by=event.by,
                recorded_at=event.recorded_at,
                position=event.last,
            ),
        )


def _entry(event: Event, at: datetime | None, letter: str) -> Entry:
    return Entry(
        at=at,
        letter=letter,
        what=event.what,
        by=event.by,
        why=event.why,
        proposal=event.proposal,
        evidence=event.evidence.get("evidence", ""),
        recorded_at=event.recorded_at,
        position=event.first,
    )
