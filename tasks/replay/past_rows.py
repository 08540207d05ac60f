"""A model's past rows read and validated as one table, and cut into its windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from tasks.arrays import Ints, Mask
from tasks.bounds import OutOfBounds
from tasks.classifier.training_rows import facts_of
from tasks.data import memory
from tasks.data.frame import class_indices, feature_frame
from tasks.data.outside import Outside
from tasks.data.readers import SourceError
from tasks.data.window_rows import batches
from tasks.replay.history import History
from tasks.spec.model import ModelSpec
from tasks.spec.part import format_duration
from tasks.spec.rule_options import Validation
from tasks.spec.windows import Window, stamp, whole_windows, window_at, windows_within
from tasks.validation.checked_window import judge_window
from tasks.validation.rules import rules_of
from tasks.validation.suite import Suite, frame_of

if TYPE_CHECKING:
    import pyarrow as pa

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = int(np.iinfo(np.int64).min)


def load_history(
    spec: ModelSpec, start: datetime, end: datetime, advance: Callable[[int], None] = lambda _: None
) -> History:
    """Return the rows of all whole windows in `[start, end)`, without those of bad content.

    They are read and validated as one table, which must have the spec's columns; that keys are
    unique is not looked at. Windows before the first row and after the last are left out, and so
    are few rows that stand far off.

    Parameters
    ----------
    advance
        Told how many rows were read, batch by batch.

    Raises
    ------
    SourceError
        If nothing is there, or it cannot be used.
    """
    import pyarrow as pa

    spec = spec.unscored  # a replay scores them itself
    whole = whole_windows(spec.window, start, end)
    if whole is None:
        raise SourceError(
            f"no whole window of {format_duration(spec.window.every)} lies in [{start:%Y-%m-%d}, "
            f"{end:%Y-%m-%d}); widen the range"
        )
    found: list[pa.RecordBatch] = []
    outside = Outside()

    def tapped() -> Iterator[pa.RecordBatch]:
        rows = batches(spec, whole, outside=outside)
        for batch in memory.held(rows, spec.model, "narrow --from and --to", SourceError):
            found.append(batch)
            advance(batch.num_rows)
            yield batch

    bad, why = _bad_rows(spec, whole, tapped())
    tables = [pa.Table.from_batches([batch]) for batch in found]
    table = pa.concat_tables(tables, promote_options="permissive")
    good = np.ones(table.num_rows, dtype=bool)
    good[bad] = False
    stamps = _stamps(table.column(spec.source.time))
    held = stamps[stamps != _NEVER]
    if not len(held):
        raise SourceError(f"{spec.model}: no row has a time ({spec.source.time}); write it")
    first, last = _bulk(held)
    tiles = _tiles(spec, first, last)
    problems = _problems(spec, tiles, table, stamps, good)
    far = (stamps != _NEVER) & ((stamps < first) | (stamps > last))
    past = _cut(spec, tiles, problems, table.filter(pa.array(good & ~far)))
    remarks = (*outside.told, *_far(spec, tiles, int(far.sum())))
    return replace(past, remarks=remarks, quarantined=why)


def _tiles(spec: ModelSpec, first: int, last: int) -> list[Window]:
    """Return the windows from that of the first row to that of the last."""
    oldest, newest = (window_at(spec.window, _moment(stamp)) for stamp in (first, last))
    try:
        return windows_within(spec.window, oldest.start, newest.end)
    except OutOfBounds as error:
        raise SourceError(str(error)) from None


def _bulk(stamps: Ints) -> tuple[int, int]:
    """Return the first and the last time of all rows but the few that stand far off.

    Those are at most one of a hundred rows, with nothing between them and the others for longer
    than all of the others last: a year mistyped, or 1970 for a time that is not known.
    """
    times = np.sort(stamps)
    most = len(times) // 100
    while len(times) > 1:
        place = int(np.diff(times).argmax()) + 1
        gap = times[place] - times[place - 1]
        early, late = times[:place], times[place:]
        few, rest = (early, late) if len(early) < len(late) else (late, early)
        if len(few) > most or gap <= rest[-1] - rest[0]:
            break
        times, most = rest, most - len(few)
    return int(times[0]), int(times[-1])


def _far(spec: ModelSpec, tiles: list[Window], count: int) -> list[str]:
    if not count:
        return []
    return [
        f"{count:,} rows stand alone, far before {tiles[0].start:%Y-%m-%d} or after "
        f"{tiles[-1].end:%Y-%m-%d}: they are left out; correct their time ({spec.source.time})"
    ]


def _bad_rows(
    spec: ModelSpec, whole: Window, rows: Iterator[pa.RecordBatch]
) -> tuple[Ints, tuple[str, ...]]:
    """Return the places of the rows that the monitor would quarantine, and a reason in a line."""
    import pyarrow as pa

    bad: list[Ints] = [np.empty(0, np.int64)]
    strict = {
        # What stops a window is looked at window by window.
        "validation": Validation(max_quarantined=1, fresh=1),
        "expectations": tuple(e for e in spec.expectations if e.mostly == 1),
    }
    result = judge_window(
        spec.model_copy(update=strict),
        whole,
        rows,
        repeated=pa.nulls(0),
        constants={},
        quarantine=lambda table: bad.append(table.column("_row").to_numpy()),
    )
    if result.problem:
        raise SourceError(f"{spec.model} {whole}: {result.problem}")
    failed = [c for c in result.checks if c.effect == "quarantine" and c.failed_rows]
    return np.concatenate(bad), tuple(
        f"{c.expectation} on column {c.column!r}: {c.detail}" for c in failed
    )


def _problems(
    spec: ModelSpec, tiles: list[Window], table: pa.Table, stamps: Ints, good: Mask
) -> tuple[str | None, ...]:
    """Return why `validation` stops each window: too many bad rows, an expectation, stale rows."""
    tolerant = _tolerant(spec)
    order = np.argsort(stamps, kind="stable")
    edges = np.searchsorted(stamps[order], _boundaries(tiles))
    found: list[str | None] = []
    for window, first, last in zip(tiles, edges[:-1], edges[1:], strict=True):
        rows = order[first:last]
        fresh = window.end - spec.validation.fresh * (window.end - window.start)
        accepted = stamps[rows][good[rows]]
        bad, most = len(rows) - len(accepted), spec.validation.max_quarantined
        problem = None
        if not len(rows):
            problem = "no row"
        elif bad > most * len(rows):
            problem = f"{bad:,} of {len(rows):,} rows are bad, at most {100 * most:g} % may be"
        elif failed := tolerant(table, rows):
            problem = failed
        elif not (accepted >= stamp(fresh)).any():
            problem = f"stale: no accepted row at or after {fresh:%Y-%m-%d %H:%M}"
        found.append(problem)
    return tuple(found)


def _tolerant(spec: ModelSpec) -> Callable[[pa.Table, Ints], str | None]:
    """Return what judges the expectations that only a share of a window's rows must meet."""

    rules = [rule for rule in rules_of(spec) if rule.mostly < 1]
    if not rules:
        return lambda table, rows: None
    suite = Suite(rules)

    def judge(table: pa.Table, rows: Ints) -> str | None:
        found = {f.rule: f.tally for f in suite.run(frame_of(table.take(rows)))}
        checks = (rule.check(found[rule]) for rule in rules)
        return next((check.text for check in checks if not check.passed), None)

    return judge


def _cut(
    spec: ModelSpec, tiles: list[Window], problems: tuple[str | None, ...], table: pa.Table
) -> History:

    table = table.sort_by([(spec.source.time, "ascending"), (spec.source.key, "ascending")])
    batch = table.combine_chunks().to_batches()[0]
    stamps = _stamps(batch.column(spec.source.time))
    edges = np.searchsorted(stamps, _boundaries(tiles))
    weight = spec.source.weight
    return History(
        tuple(tiles),
        problems,
        edges,
        stamps,
        feature_frame(spec, batch),
        class_indices(spec, batch),
        None if weight is None else batch.column(weight).to_numpy().astype(np.float64),
        facts_of(spec, batch).columns,
    )


def _stamps(column: pa.ChunkedArray | pa.Array) -> Ints:
    """Return microseconds since 1970; _NEVER where there is no time."""
    import pyarrow as pa

    whole = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64()).fill_null(_NEVER)
    return np.asarray(whole.to_numpy(), dtype=np.int64)


def _boundaries(tiles: list[Window]) -> Ints:
    return np.array([stamp(w.start) for w in tiles] + [stamp(tiles[-1].end)])


def _moment(stamp: int) -> datetime:
    return _EPOCH + timedelta(microseconds=stamp)
