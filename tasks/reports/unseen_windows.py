"""Which windows of a period nothing, or too little, is known of, and which came late. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Literal, TypeAlias

from tasks.ledger.recorded import RecordedTimes
from tasks.ledger.records import Observation
from tasks.reports.as_read import ago
from tasks.spec.model import ModelSpec
from tasks.spec.windows import measured_by

BlankKind: TypeAlias = Literal[
    "insufficient", "not measured", "without labels", "recorded late", "measured again"
]
BLANK_KINDS: tuple[BlankKind, ...] = (
    *("insufficient", "not measured", "without labels", "recorded late", "measured again"),
)


@dataclass(frozen=True, kw_only=True)
class Blank:
    """Windows in a row, from `since` until `until`, that share what is not known of them."""

    kind: BlankKind
    since: datetime
    until: datetime
    windows: int
    why: str


def blanks(
    spec: ModelSpec,
    seen: Sequence[Observation],
    times: RecordedTimes,
    ends: tuple[datetime, datetime] | None = None,
) -> list[Blank]:
    """Return what is not known of these windows, kind by kind, oldest first.

    Parameters
    ----------
    ends
        From when until when windows should have been measured, beyond those that were.
    """

    def late(one: Observation) -> timedelta | None:
        recorded = times.first(one)
        over = recorded and recorded - measured_by(spec.window, one.window)
        return over if over and over > timedelta(0) else None

    def how_late(many: Sequence[Observation]) -> str:
        return f"up to {ago(max(filter(None, map(late, many))))} after they were due"

    def reasons(many: Sequence[Observation]) -> str:
        return "; ".join(dict.fromkeys(o.reason for o in many))

    def revisions(many: Sequence[Observation]) -> str:
        labels = sum(o.numbers.labelled or 0 for o in many)
        return f"revision {max(o.revision for o in many)} at the most; {labels:,} labels now"

    return [
        *_rows("insufficient", seen, lambda o: o.verdict == "insufficient", reasons),
        *_gaps(spec, seen, ends),
        *_rows("without labels", seen, _bare, lambda _: "losses and accuracy are not known"),
        *_rows("recorded late", seen, lambda o: late(o) is not None, how_late),
        *_rows("measured again", seen, lambda o: o.revision > 0, revisions),
    ]


def _bare(seen: Observation) -> bool:
    return seen.verdict != "insufficient" and not seen.numbers.labelled


def _rows(
    kind: BlankKind,
    seen: Sequence[Observation],
    counts: Callable[[Observation], bool],
    why: Callable[[Sequence[Observation]], str],
) -> Iterator[Blank]:
    """Yield the windows in a row that count."""
    for is_so, group in groupby(seen, counts):
        many = list(group)
        if is_so:
            yield Blank(
                kind=kind,
                since=many[0].window_start,
                until=many[-1].window_end,
                windows=len(many),
                why=why(many),
            )


def _gaps(
    spec: ModelSpec, seen: Sequence[Observation], ends: tuple[datetime, datetime] | None
) -> Iterator[Blank]:
    since = [o.window_end for o in seen]
    until = [o.window_start for o in seen]
    if ends is None:
        until = until[1:]
    else:
        since, until = [ends[0], *since], [*until, ends[1]]
    every = spec.window.every
    # Without `ends` nothing follows the last window, so it has no partner.
    for left, right in zip(since, until, strict=False):
        if right - left > every / 2:  # windows of a clock change differ by an hour
            yield Blank(
                kind="not measured",
                since=left,
                until=right,
                windows=max(1, round((right - left) / every)),
                why="the ledger has no row of them",
            )
