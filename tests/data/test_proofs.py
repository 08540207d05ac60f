"""What aggregates prove is what Great Expectations finds row by row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.data.proofs import ProvenColumn, distinct
from tasks.validation import checked_window
from tasks.validation.rules import Rule, Tally
from tasks.validation.suite import Suite, frame_of
from tests.support.checked import rows, run

NULL, BETWEEN, IN_SET = (
    f"expect_column_values_to_{what}" for what in ("not_be_null", "be_between", "be_in_set")
)
LARGEST = float(np.finfo(np.float64).max)
RULES = [
    Rule(name, "a", "", {"column": "a", **arguments})
    for name, arguments in [
        (NULL, {}),
        (BETWEEN, {"min_value": -LARGEST, "max_value": LARGEST}),
        (BETWEEN, {"min_value": 0, "max_value": 1}),
        (BETWEEN, {"min_value": 0, "max_value": 1, "strict_max": True}),
        (BETWEEN, {"max_value": 1}),
        (IN_SET, {"value_set": [0, 1]}),
        (IN_SET, {"value_set": [0, 1.0, "a"]}),
    ]
]
VALUES = {
    pa.float64(): [0.0, 0.5, 1.0, 2.0, -1e308, 1e308, np.inf, -np.inf, np.nan, None],
    pa.int8(): [0, 1, 2, -1, None],
    pa.uint64(): [0, 1, 2**64 - 1, None],
    pa.timestamp("us"): [0, 1, None],
    pa.string(): ["", "a", None],
    pa.null(): [None],
}
SUITE = Suite(RULES)


@settings(deadline=None, max_examples=60)
@given(kind=st.sampled_from(list(VALUES)), data=st.data())
def test_a_proof_is_never_wrong(kind: pa.DataType, data: st.DataObject) -> None:
    good = data.draw(st.lists(st.sampled_from(VALUES[kind]), min_size=1, max_size=4))
    table = pa.table({"a": pa.array(good, kind)})
    frame = frame_of(table)
    column = ProvenColumn(table.column("a"))
    proven = [rule for rule in RULES if column.proves(rule.expectation, rule.arguments)]
    found = SUITE.run(frame, proven)
    assert [f.rule for f in found] == proven
    for one in found:
        assert not one.mask.any()
        assert one.tally == Tally(judged=len(good))


def test_whole_good_columns_need_no_row_by_row_judgement() -> None:
    numbers, classes = (ProvenColumn(pa.chunked_array([values])) for values in ([0.0, 0.5], [0, 1]))
    proven = [numbers.proves(rule.expectation, rule.arguments) for rule in RULES]
    assert proven == [True, True, True, False, False, False, False]
    assert classes.proves(IN_SET, RULES[5].arguments)


@settings(deadline=None, max_examples=8)
@given(
    price=st.dictionaries(st.integers(0, 39), st.sampled_from([None, np.nan, np.inf, 2.0])),
    up=st.dictionaries(st.integers(0, 39), st.sampled_from([None, 2])),
)
def test_a_window_is_judged_as_it_is_without_proofs(
    price: dict[int, float | None], up: dict[int, int | None]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checked_window, "CHUNK_ROWS", 1)
        batches = rows(40, price=price, up=up).to_batches(max_chunksize=10)
        found = run(batches)
        patch.setattr(ProvenColumn, "proves", lambda *_: False)
        assert repr(found) == repr(run(batches))  # a NaN does not equal itself


KEYS = {
    pa.int64(): st.integers(-3, 30),
    pa.float64(): st.sampled_from([*range(9), np.nan, np.inf, -0.0]),
    pa.string(): st.text("abÿ😀", max_size=3),
    pa.bool_(): st.booleans(),
    pa.dictionary(pa.int8(), pa.string()): st.text("ab", max_size=2),
}


@settings(deadline=None)
@given(kind=st.sampled_from(list(KEYS)), data=st.data())
def test_values_proven_to_be_distinct_are(kind: pa.DataType, data: st.DataObject) -> None:
    some = st.lists(st.none() | KEYS[kind], max_size=6).map(lambda v: data.draw(orders)(v))
    orders = st.sampled_from([list, lambda v: sorted(v, key=lambda x: (x is None, x))])
    parts = [pa.array(values, kind) for values in data.draw(st.lists(some, max_size=4))]
    there = [value for part in parts for value in part.to_pylist() if value is not None]
    if distinct(iter(parts)):
        assert len(there) == len(set(there))


@pytest.mark.parametrize("files", [1, 30])
def test_keys_that_rise_within_files_are_proven_in_whatever_order_the_files_come(
    files: int,
) -> None:
    starts = np.random.default_rng(1).permutation(files) * 100
    parts = [pa.array(np.arange(start, start + 100)[half]) for start in starts for half in HALVES]
    assert distinct(parts)
    again = pa.array([None, int(starts[0]) + 99])
    assert not distinct([*parts, again])


def test_values_that_arrow_cannot_order_are_not_proven_to_be_distinct() -> None:
    assert not distinct([pa.array([1.0, 2.0], pa.float16())])


def test_keys_in_no_order_are_not_looked_at_for_long() -> None:
    shuffled = pa.array(np.random.default_rng(1).permutation(3000))
    asked = iter([shuffled, shuffled])
    assert not distinct(asked)
    assert len(list(asked)) == 1


HALVES = (slice(50), slice(50, None))
