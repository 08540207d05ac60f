"""The digest of rows: what it depends on, and what not."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.data.digest import Digest

KINDS: dict[pa.DataType, list[Any]] = {
    pa.float64(): [0.5, -2.0],
    pa.int8(): [3, -3],
    pa.timestamp("us", "UTC"): [1, 2],
    pa.date32(): [1, 2],
    pa.decimal128(9, 2): [Decimal("1.25"), Decimal("-7")],
    pa.bool_(): [True, False],
    pa.string(): ["", "a", "aé"],
    pa.large_string(): ["", "a"],
    pa.string_view(): ["", "long enough to stand apart"],
    pa.dictionary(pa.int8(), pa.string()): ["a", "b"],
    pa.null(): [None],
    pa.binary(): [b"", b"a"],
    pa.binary(2): [b"ab", b"cd"],
    pa.list_(pa.int64()): [[], [1, 2]],
}


def digest(batches: Iterable[pa.RecordBatch]) -> str:
    found = Digest()
    given = list(batches)
    assert list(found.tap(iter(given))) == given
    return str(found)


def table(**columns: pa.Array) -> pa.RecordBatch:
    return pa.record_batch(columns)


@settings(deadline=None)  # the first one imports
@given(kind=st.sampled_from(list(KINDS)), data=st.data())
def test_the_same_rows_have_one_digest_however_the_stream_is_cut(
    kind: pa.DataType, data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.sampled_from([*KINDS[kind], None]), min_size=1, max_size=30))
    whole = table(a=pa.array(values, kind), b=pa.array(range(len(values))))
    cuts = data.draw(st.lists(st.integers(0, len(values)), max_size=4).map(sorted))
    ends = [*cuts, len(values)]
    parts = [whole[a:b] for a, b in zip([0, *cuts], ends, strict=True) if b > a]
    assert digest(parts) == digest([whole])


@settings(deadline=None)  # the first one imports
@given(kind=st.sampled_from(list(KINDS)), data=st.data())
def test_other_rows_have_another_digest(kind: pa.DataType, data: st.DataObject) -> None:
    columns = st.lists(st.sampled_from([*KINDS[kind], None]), min_size=1, max_size=6)
    one, other = data.draw(columns), data.draw(columns)
    digests = {digest([table(a=pa.array(values, kind))]) for values in (one, other)}
    assert len(digests) == (1 if one == other else 2)


def test_names_types_and_places_of_columns_count() -> None:
    ones, nothing = pa.array([1, 1]), pa.array([2, 2])
    with_and_without = [table(a=ones, b=nothing), table(a=ones), table(a=ones, b=nothing)]
    different = [
        [table(a=ones)],
        [table(b=ones)],
        [table(a=ones.cast(pa.uint64()))],
        [table(a=ones, b=nothing)],
        [table(a=nothing, b=ones)],
        with_and_without,
        sorted(with_and_without, key=lambda batch: batch.num_columns),
    ]
    digests = [digest(batches) for batches in different]
    assert len(set(digests)) == len(digests)


def test_a_reason_has_a_digest_of_its_own() -> None:
    assert len({str(Digest.of("a")), str(Digest.of("b")), str(Digest())}) == 3
    assert str(Digest.of("a")) == str(Digest.of("a"))
