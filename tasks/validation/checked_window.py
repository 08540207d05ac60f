"""Is a window fit to be measured? Each row accepted or quarantined, and the table as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.arrays import Mask
from tasks.data.classes import Strangers
from tasks.data.keys import repeats
from tasks.data.proofs import ProvenColumn
from tasks.data.unpacking import BATCH_BYTES
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tasks.validation.expectations import check_expectations
from tasks.validation.rules import Check, Rule, Tally, rules_of
from tasks.validation.schema_checks import check_schema, type_of
from tasks.validation.suite import RuleFailures, Suite, frame_of
from tasks.validation.table_checks import check_constant, check_freshness, check_share, check_volume

if TYPE_CHECKING:
    import pyarrow as pa

# A run of the suite costs some 8 ms per expectation, whatever the rows: small batches are joined.
CHUNK_ROWS = 65_536


@dataclass(frozen=True, kw_only=True)
class WindowOutcome:
    """What a window's checks found; `problem` says why it cannot be measured, None if it can.

    A broken table ends the stream at once: `rows` is then what was read so far, `accepted` 0.
    `reasons` are the rules that put rows aside, with how many each; a row may break several.
    """

    rows: int
    accepted: int
    quarantined: int
    checks: tuple[Check, ...]
    problem: str | None
    warnings: tuple[str, ...]
    reasons: Mapping[str, int] = field(default_factory=dict)


def judge_window(
    spec: ModelSpec,
    window: Window,
    batches: Iterable[pa.RecordBatch],
    *,
    repeated: pa.Array,
    constants: Mapping[str, float],
    quarantine: Callable[[pa.Table], None],
) -> WindowOutcome:
    """Judge a window's rows, in constant memory; see `WindowCheck` for what is given.

    Parameters
    ----------
    batches
        The window's rows, with whatever of `spec.columns` the source has.

    Raises
    ------
    SpecError
        If an expectation of the spec cannot be used.
    """
    check_expectations(spec)
    check = WindowCheck(spec, window, repeated=repeated, constants=constants, quarantine=quarantine)
    for chunk in _chunks(batches):
        check.add(chunk)
        if check.broken:
            break
        del chunk  # before the next one is gathered
    return check.outcome()


class WindowCheck:
    """Judges a window chunk by chunk; holds counts, and of the keys the repeated ones alone.

    Parameters
    ----------
    repeated
        Keys that occur more than once, from `repeated_keys`; the first row of each is kept.
    constants
        Numeric features that were constant in the champion's reference, with their value.
    quarantine
        Receives bad rows: their columns, `_row` (position in the stream, from 0) and `_reason`.
    """

    def __init__(
        self,
        spec: ModelSpec,
        window: Window,
        *,
        repeated: pa.Array,
        constants: Mapping[str, float],
        quarantine: Callable[[pa.Table], None],
    ) -> None:
        self._spec, self._window = spec, window
        self._repeated, self._quarantine = repeated, quarantine
        self._rules = rules_of(spec)
        self._suite = Suite(self._rules)
        key = spec.source.key
        self._unique = Rule("expect_column_values_to_be_unique", key, "the first row per key")
        self._tallies = dict.fromkeys([*self._rules, self._unique], Tally())
        self._constants = {n: constants[n] for n in spec.features.numeric if n in constants}
        self._differ = dict.fromkeys(self._constants, 0)
        self._strangers = Strangers()
        self._schema: list[Check] = []
        self._key_type: pa.DataType | None = None
        self._keys_seen: set[Any] = set()
        self._newest: datetime | None = None
        self._rows = self._bad_rows = 0
        self.broken = False

    def add(self, chunk: pa.Table) -> None:
        """Judge the next rows; once the window is `broken`, further ones make no difference."""
        first, self._rows = self._rows, self._rows + chunk.num_rows
        if self._key_type in (None, "null"):
            self._key_type = type_of(chunk, self._spec.source.key)
        self._schema = check_schema(self._spec, chunk, self._key_type)
        self.broken = any(check.effect == "stop" and not check.passed for check in self._schema)
        if self.broken:
            return
        failures = self._judge(chunk)
        self.broken = any(tally.error for tally in self._tallies.values())
        if self.broken:
            return
        failures.append(self._repeats(chunk))
        bad = np.logical_or.reduce([f.mask for f in failures])
        if bad.any():
            self._bad_rows += int(bad.sum())
            self._quarantine(_with_reasons(chunk, first, bad, failures))
        self._add_accepted(chunk, ~bad)

    def outcome(self) -> WindowOutcome:
        """Return what came of all rows so far."""
        if self.broken:
            judged = [r for r in self._rules if self._tallies[r] != Tally()]
            return self._outcome([*self._schema, *self._row_checks(judged)], accepted=0)
        accepted = self._rows - self._bad_rows
        checks = [
            *self._schema,
            check_share(self._spec, self._rows, self._bad_rows, self._main_reason()),
            *self._row_checks([*self._rules, self._unique]),
            *(check_constant(self._spec, name, n) for name, n in self._differ.items()),
            check_volume(self._spec, accepted),
            check_freshness(self._spec, self._window, self._newest),
        ]
        return self._outcome(checks, accepted)

    def _judge(self, chunk: pa.Table) -> list[RuleFailures]:
        """Count what each rule says of a chunk; return the failures that quarantine a row."""
        columns = {name: ProvenColumn(chunk.column(name)) for name in chunk.column_names}
        doubtful = []
        for rule in self._rules:
            column = columns.get(rule.column)
            if column is not None and column.proves(rule.expectation, rule.arguments):
                self._tallies[rule] += Tally(judged=chunk.num_rows)
            else:
                doubtful.append(rule)
        failures = self._suite.run(frame_of(chunk), doubtful) if doubtful else []
        for found in failures:
            self._tallies[found.rule] += found.tally
            if self._of_labels(found.rule) and found.mask.any():
                labels = chunk.column(self._spec.label.column)
                self._strangers.count(_where(labels, found.mask))
        return [found for found in failures if found.rule.mostly == 1]

    def _repeats(self, chunk: pa.Table) -> RuleFailures:
        keys = chunk.column(self._spec.source.key)
        again = repeats(keys, self._key_type, self._repeated, self._keys_seen)
        tally = Tally(chunk.num_rows, int(again.sum()))
        self._tallies[self._unique] += tally
        return RuleFailures(rule=self._unique, tally=tally, mask=again)

    def _add_accepted(self, chunk: pa.Table, accepted: Mask) -> None:
        import pyarrow as pa

        for name, value in self._constants.items():
            values = chunk.column(name).cast(pa.float64(), safe=False).to_numpy()[accepted]
            self._differ[name] += int((~np.isclose(values, value, rtol=1e-9, atol=0)).sum())
        self._newest = _newest(chunk.column(self._spec.source.time), accepted, self._newest)

    def _of_labels(self, rule: Rule) -> bool:
        """Return whether a rule is that labels are classes of the spec."""
        name = "expect_column_values_to_be_in_set"
        wanted = ("derived", self._spec.label.column, name)
        return (rule.origin, rule.column, rule.expectation) == wanted

    def _seen(self, rule: Rule) -> str | None:
        """Return what is known about the rows that fail a rule, apart from their number."""
        return self._strangers.told if self._strangers.rows and self._of_labels(rule) else None

    def _row_checks(self, rules: Iterable[Rule]) -> list[Check]:
        return [rule.check(self._tallies[rule], self._seen(rule)) for rule in rules]

    def _main_reason(self) -> str:
        strict = [rule for rule in self._tallies if rule.mostly == 1]
        worst = max(strict, key=lambda rule: self._tallies[rule].failed)
        seen = self._seen(worst)
        return str(worst) if seen is None else f"{worst} ({seen})"

    def _outcome(self, checks: list[Check], accepted: int) -> WindowOutcome:
        failed = [check for check in checks if not check.passed]
        stops = (f"{c.text}, then run the window again" for c in failed if c.effect == "stop")
        warnings = [c.text for c in failed if c.effect == "warn"]
        if self._strangers.rows and not self.broken:
            warnings.append(self._strangers.told)
        return WindowOutcome(
            rows=self._rows,
            accepted=accepted,
            quarantined=self._bad_rows,
            checks=tuple(checks),
            problem=next(stops, None),
            warnings=tuple(warnings),
            reasons={} if self.broken else self._reasons(),
        )

    def _reasons(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for rule, tally in self._tallies.items():
            if rule.mostly == 1 and tally.failed:
                found[str(rule)] += tally.failed
        return dict(found.most_common())


def _where(values: pa.ChunkedArray, mask: Mask) -> pa.ChunkedArray:
    import pyarrow as pa

    return values.filter(pa.array(mask))


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


def _with_reasons(table: pa.Table, first: int, bad: Mask, failures: list[RuleFailures]) -> pa.Table:
    import pyarrow as pa

    failed = np.stack([f.mask[bad] for f in failures], axis=1)
    # Few patterns of failure are many rows: hashed, not sorted, and each text is written once.
    packed = np.packbits(failed, axis=1)
    width, buffers = packed.shape[1], [None, pa.py_buffer(packed)]
    binary = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(packed), buffers)
    pattern = binary.dictionary_encode().indices.to_numpy()
    _, examples = np.unique(pattern, return_index=True)
    texts = [
        "; ".join(str(f.rule) for f, hit in zip(failures, failed[row], strict=True) if hit)
        for row in examples
    ]
    rows = table.filter(pa.array(bad))
    rows = rows.append_column("_row", pa.array(first + np.flatnonzero(bad), pa.int64()))
    reasons = pa.array(texts, pa.string()).take(pa.array(pattern))
    return rows.append_column("_reason", reasons)


def _newest(times: Any, accepted: Mask, newest: datetime | None) -> datetime | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.max(_where(times, accepted).cast(pa.timestamp("us"), safe=False)).as_py()
    moments = [m for m in (newest, found and found.replace(tzinfo=UTC)) if m is not None]
    return max(moments, default=None)
