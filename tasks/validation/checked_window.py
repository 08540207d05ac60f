"""Is a window fit to be measured? Each row accepted or quarantined, and the table as a whole."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.arrays import Mask
from tasks.data.classes import Strangers
from tasks.data.keys import comparable, repeats
from tasks.data.proofs import Column
from tasks.data.unpacking import BATCH_BYTES
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tasks.validation.expectations import (
    Check,
    Finding,
    Rule,
    check_expectations,
    finding,
    rules_of,
    suite_of,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# A run of the suite costs some 8 ms per expectation, whatever the rows: small batches are joined.
CHUNK_ROWS = 65_536


@dataclass(frozen=True)
class Validation:
    """The outcome for a window; `problem` says why it cannot be measured, None if it can.

    A broken table ends the stream at once: `rows` is then what was read so far, `accepted` 0.
    """

    rows: int
    accepted: int
    quarantined: int
    checks: tuple[Check, ...]
    problem: str | None
    warnings: tuple[str, ...]


def validate(
    spec: ModelSpec,
    window: Window,
    batches: Iterable[pa.RecordBatch],
    *,
    repeated: pa.Array,
    constants: Mapping[str, float],
    quarantine: Callable[[pa.Table], None],
) -> Validation:
    """Judge a window's rows, in constant memory.

    Parameters
    ----------
    batches
        The window's rows, with whatever of `spec.columns` the source has.
    repeated
        Keys that occur more than once, from `repeated_keys`; the first row of each is kept.
    constants
        Numeric features that were constant in the champion's reference, with their value.
    quarantine
        Receives bad rows: their columns, `_row` (position in the stream, from 0) and `_reason`.

    Raises
    ------
    SpecError
        If an expectation of the spec cannot be used.
    """
    import pyarrow as pa

    check_expectations(spec)
    rules = rules_of(spec)
    judge = suite_of(rules)
    unique = Rule("expect_column_values_to_be_unique", spec.source.key, "the first row per key")
    strangers = Strangers()
    alive = dict.fromkeys((n for n in spec.features.numeric if n in constants), 0)
    seen: set[Any] = set()
    key_type: pa.DataType | None = None
    newest: datetime | None = None
    rows = bad_rows = 0
    schema: list[Finding] = []
    for table in _chunks(batches):
        start, rows = rows, rows + table.num_rows
        key_type = _type(table, spec.source.key) if key_type in (None, "null") else key_type
        schema = _schema_findings(spec, table, key_type)
        broken = any(check.effect == "stop" and not check.passed for check, _ in schema)
        if not broken:
            doubtful = _doubtful(rules, table)
            judged = judge(_frame(table), doubtful) if doubtful else []
            failures = [(rule, mask) for rule, mask in judged if rule.mostly == 1]
        if broken or any(rule.error for rule in rules):
            found = [*schema, *(rule.found() for rule in rules if rule.judged or rule.error)]
            return _outcome(found, rows, 0, bad_rows)
        again = repeats(table.column(spec.source.key), key_type, repeated, seen)
        unique.count(table.num_rows, again)
        for rule, mask in failures:
            if _of_labels(spec, rule) and mask.any():
                strangers.count(table.column(spec.label.column).filter(pa.array(mask)))
                rule.told = strangers.told
        failures.append((unique, again))
        bad = np.logical_or.reduce([mask for _, mask in failures])
        if bad.any():
            bad_rows += int(bad.sum())
            quarantine(_with_reasons(table, start, bad, failures))
        for name in alive:
            values = table.column(name).cast(pa.float64(), safe=False).to_numpy()[~bad]
            alive[name] += int((~np.isclose(values, constants[name], rtol=1e-9, atol=0)).sum())
        newest = _newest(table.column(spec.source.time), ~bad, newest)
        del table  # before the next one is gathered
    found = [*schema, *(rule.found() for rule in (*rules, unique))]
    found[len(schema) : len(schema)] = [_share(spec, rows, bad_rows, [*rules, unique])]
    found += [_constant(spec, name, differ) for name, differ in alive.items()]
    found += [_volume(spec, rows - bad_rows), _freshness(spec, window, newest)]
    named = (strangers.told,) if strangers.rows else ()
    return _outcome(found, rows, rows - bad_rows, bad_rows, named)


def _of_labels(spec: ModelSpec, rule: Rule) -> bool:
    """Return whether a rule is that labels are classes of the spec."""
    name = "expect_column_values_to_be_in_set"
    return (rule.origin, rule.column, rule.expectation) == ("derived", spec.label.column, name)


def _outcome(
    found: list[Finding],
    rows: int,
    accepted: int,
    quarantined: int,
    named: tuple[str, ...] = (),
) -> Validation:
    failed = [(check.effect, text) for check, text in found if not check.passed]
    again = ", then run the window again"
    problem = next((text + again for effect, text in failed if effect == "stop"), None)
    warned = tuple(text for effect, text in failed if effect == "warn")
    checks = tuple(check for check, _ in found)
    return Validation(rows, accepted, quarantined, checks, problem, (*warned, *named))


def _chunks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Join batches of one schema up to CHUNK_ROWS rows, and as many bytes as one batch may take."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if held and (rows > CHUNK_ROWS or size > BATCH_BYTES or batch.schema != held[0].schema):
            joined, held = pa.Table.from_batches(held), []
            rows, size = batch.num_rows, batch.nbytes
            yield joined
            del joined
        held.append(batch)
    if held:
        yield pa.Table.from_batches(held)


def _doubtful(rules: list[Rule], table: pa.Table) -> tuple[int, ...]:
    """Return the places of the rules that rows may fail; count the rows for all the others."""
    columns = {name: Column(table.column(name)) for name in table.column_names}
    doubtful = []
    for place, rule in enumerate(rules):
        column = columns.get(rule.column)
        if column is not None and column.proves(rule.expectation, rule.arguments):
            rule.judged += table.num_rows
        else:
            doubtful.append(place)
    return tuple(doubtful)


def _type(table: pa.Table, name: str) -> pa.DataType | None:
    return table.schema.field(name).type if name in table.column_names else None


def _schema_findings(
    spec: ModelSpec, table: pa.Table, key_type: pa.DataType | None
) -> list[Finding]:
    """Judge columns and types by the Arrow schema: pandas turns integers with a gap into floats."""
    from pyarrow import types as t

    def number(kind: pa.DataType) -> bool:
        return any(f(kind) for f in (t.is_integer, t.is_floating, t.is_decimal, t.is_null))

    def word(kind: pa.DataType) -> bool:
        kind = kind.value_type if t.is_dictionary(kind) else kind
        text = (t.is_string, t.is_large_string, t.is_string_view)
        return any(f(kind) for f in (*text, t.is_integer, t.is_boolean, t.is_null))

    def plain(kind: pa.DataType) -> bool:
        return number(kind) or word(kind)

    def key(kind: pa.DataType) -> bool:
        return comparable(table.column(spec.source.key), key_type) is not None

    wanted: list[tuple[str, str, Callable[[pa.DataType], bool]]] = [
        (spec.source.time, "timestamp", lambda kind: t.is_timestamp(kind) or t.is_null(kind)),
        (spec.source.key, "one plain type in the whole window", key),
    ]
    for name in spec.features.numeric:
        wanted.append((name, "number or bool", lambda kind: number(kind) or t.is_boolean(kind)))
    for name in (*spec.features.categorical, *spec.features.text):
        wanted.append((name, "string, integer or bool", word))
    for logged in (spec.source.margin, spec.source.weight):
        if logged:
            wanted.append((logged, "number", number))
    if spec.source.version_column:
        wanted.append((spec.source.version_column, "version number", plain))
    found = []
    # Windows are measured without them; a gate that needs one says so.
    beside = set(spec.gates.slices.columns) - set(spec.needed_columns)
    for name in dict.fromkeys([*spec.columns, *(c for e in spec.expectations for c in e.columns)]):
        there = name in table.column_names
        detail = "in the source" if there else "not in the source"
        remedy = "add it there or correct the spec"
        effect = "warn" if name in beside else "stop"
        found.append(finding("expect_column_to_exist", name, effect, there, detail, remedy))
    for name, expected, fits in wanted:
        kind = _type(table, name)
        if kind is not None:
            right = fits(kind)
            shown = textwrap.shorten(str(kind), 80, placeholder="…")  # nested types are long
            detail = expected if right else f"{expected}; the source has {shown}"
            expectation = "expect_column_values_to_be_in_type_list"
            found.append(finding(expectation, name, "stop", right, detail, "write it as such"))
    return found


def _frame(table: pa.Table) -> pd.DataFrame:
    """Return the table in pandas' plain types: times in UTC without zone, decimals as floats."""
    import pyarrow as pa

    def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
        kind = column.type
        if pa.types.is_dictionary(kind):
            return column.cast(kind.value_type)
        if pa.types.is_decimal(kind) or pa.types.is_null(kind):
            return column.cast(pa.float64())
        if pa.types.is_boolean(kind):
            return column.cast(pa.uint8())
        if pa.types.is_timestamp(kind):
            return column.cast(pa.timestamp(kind.unit))
        return column.cast(pa.timestamp("s")) if pa.types.is_date(kind) else column

    columns = [plain(column) for column in table.itercolumns()]
    plainly = pa.Table.from_arrays(columns, names=table.column_names)
    frame: pd.DataFrame = plainly.to_pandas(ignore_metadata=True)
    return frame


def _with_reasons(
    table: pa.Table, start: int, bad: Mask, failures: list[tuple[Rule, Mask]]
) -> pa.Table:
    import pyarrow as pa

    failed = np.stack([mask[bad] for _, mask in failures], axis=1)
    # Few patterns of failure are many rows: hashed, not sorted, and each text is written once.
    packed = np.packbits(failed, axis=1)
    width, buffers = packed.shape[1], [None, pa.py_buffer(packed)]
    binary = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(packed), buffers)
    pattern = binary.dictionary_encode().indices.to_numpy()
    _, examples = np.unique(pattern, return_index=True)
    texts = [
        "; ".join(str(rule) for (rule, _), hit in zip(failures, failed[row], strict=True) if hit)
        for row in examples
    ]
    rows = table.filter(pa.array(bad))
    rows = rows.append_column("_row", pa.array(start + np.flatnonzero(bad), pa.int64()))
    reasons = pa.array(texts, pa.string()).take(pa.array(pattern))
    return rows.append_column("_reason", reasons)


def _newest(times: Any, accepted: Mask, newest: datetime | None) -> datetime | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.max(times.filter(pa.array(accepted)).cast(pa.timestamp("us"), safe=False)).as_py()
    moments = [m for m in (newest, found and found.replace(tzinfo=UTC)) if m is not None]
    return max(moments, default=None)


def _share(spec: ModelSpec, rows: int, bad: int, rules: list[Rule]) -> Finding:
    most = spec.validation.max_quarantined
    passed = bad <= most * rows
    detail = f"{bad:,} of {rows:,} rows are quarantined, at most {100 * most:g} % may be"
    worst = max((rule for rule in rules if rule.mostly == 1), key=lambda rule: rule.failed)
    why = worst if worst.told is None else f"{worst} ({worst.told})"
    remedy = f"most of them by {why}; repair them, or raise validation.max_quarantined"
    name = "expect_quarantined_share_to_be_at_most"
    return finding(name, None, "stop", passed, detail, remedy, 0 if passed else bad)


def _constant(spec: ModelSpec, column: str, differ: int) -> Finding:
    detail = "constant in the reference"
    if differ:
        detail += f", now alive: {differ:,} rows differ"
    if spec.validation.constant_feature == "insufficient":
        effect, remedy = "stop", "repair it, or set validation.constant_feature: measure"
    else:
        effect, remedy = "warn", "it is measured all the same (validation.constant_feature)"
    name = "expect_column_values_to_be_in_set"
    return finding(name, column, effect, not differ, detail, remedy, differ)


def _volume(spec: ModelSpec, accepted: int) -> Finding:
    name, least = "expect_table_row_count_to_be_between", spec.window.min_rows
    detail = f"at least {least:,} accepted rows; there are {accepted:,}"
    remedy = "land the rest, or lower window.min_rows"
    return finding(name, None, "stop", accepted >= least, detail, remedy)


def _freshness(spec: ModelSpec, window: Window, newest: datetime | None) -> Finding:
    name, share = "expect_column_max_to_be_between", spec.validation.fresh
    since = window.end - share * (window.end - window.start)
    passed = newest is not None and newest >= since
    detail = f"an accepted row at or after {since:%Y-%m-%d %H:%M} UTC"
    detail += "" if passed else "; there is none, the data is stale"
    remedy = "land the rest, or raise validation.fresh"
    return finding(name, spec.source.time, "stop", passed, detail, remedy)
