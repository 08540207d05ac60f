"""The chain, without a database: whatever is done to a sequence of rows is found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.audit import heads
from tasks.audit.heads import Head
from tasks.ledger.chain import Link, Trail, chain_fault, link

_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_rows = st.lists(
    st.tuples(st.sampled_from(["observations", "decisions", "promotions"]), _values), min_size=1
)


def trail(written: list[tuple[str, Any]]) -> Trail:
    links: list[Link] = []
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for number, (table, value) in enumerate(written, 1):
        row = {"id": number, "model": "churn", "value": value}
        links.append(link(links[-1] if links else None, table, row))
        rows[table, number] = row
    return Trail(links, rows)


def missed(whole: Trail, *digests: str | None) -> str | None:
    """Return what the chain or somebody who kept these heads finds."""
    kept = [Head(str(digest), "by the auditor") for digest in digests]
    return chain_fault(whole) or heads.head_fault("churn", whole, kept, {})


@given(_rows)
def test_what_was_written_verifies_and_so_does_each_head_it_ever_had(
    written: list[tuple[str, Any]],
) -> None:
    whole = trail(written)
    assert missed(whole, *(found.digest for found in whole.links)) is None
    assert whole.head == whole.links[-1].digest


@given(_rows, st.data(), _values)
def test_an_altered_value_is_found_and_its_row_named(
    written: list[tuple[str, Any]], data: st.DataObject, other: Any
) -> None:
    whole = trail(written)
    key = data.draw(st.sampled_from(sorted(whole.rows)))
    altered = {**whole.rows[key], "value": [whole.rows[key]["value"], other]}
    found = chain_fault(replace(whole, rows={**whole.rows, key: altered}))
    assert found is not None
    assert f"row {key[1]} of {key[0]} (link {key[1]}) is not as it was recorded" in found


@given(_rows, st.data())
def test_a_removed_row_is_found_and_so_is_a_removed_link(
    written: list[tuple[str, Any]], data: st.DataObject
) -> None:
    whole = trail(written)
    key = data.draw(st.sampled_from(sorted(whole.rows)))
    rows = {k: row for k, row in whole.rows.items() if k != key}
    links = [found for found in whole.links if found.row_id != key[1]]
    assert f"row {key[1]} of {key[0]}" in str(chain_fault(replace(whole, rows=rows)))
    assert chain_fault(replace(whole, links=links)) is not None
    # Taken off the end together, they are missed by whoever kept a head, and by nobody else.
    both = missed(Trail(links, rows), whole.head)
    assert both is not None
    last = key[1] == len(written)
    assert ("the head" in both and "kept by the auditor" in both) is last
    assert (chain_fault(Trail(links, rows)) is None) is last


@given(_rows.filter(lambda written: len(written) > 1), st.data())
def test_closing_the_gap_that_a_removed_row_left_is_found(
    written: list[tuple[str, Any]], data: st.DataObject
) -> None:
    whole = trail(written)
    gone = data.draw(st.integers(1, len(written) - 1))
    rows = {key: row for key, row in whole.rows.items() if key[1] != gone}
    links = [
        replace(found, position=found.position - (found.position > gone))
        for found in whole.links
        if found.position != gone
    ]
    assert "is not as it was recorded" in str(chain_fault(Trail(links, rows)))


@given(_rows.filter(lambda written: len(written) > 1), st.data())
def test_any_two_rows_or_links_that_changed_places_are_found(
    written: list[tuple[str, Any]], data: st.DataObject
) -> None:
    whole = trail(written)
    pair = st.lists(st.sampled_from(range(len(written))), min_size=2, max_size=2, unique=True)
    one, two = data.draw(pair)
    links = list(whole.links)
    links[one], links[two] = (
        replace(links[two], position=one + 1),
        replace(links[one], position=two + 1),
    )
    assert chain_fault(replace(whole, links=links)) is not None
    keys = [(found.table_name, found.row_id) for found in whole.links]
    rows = dict(whole.rows)
    rows[keys[one]], rows[keys[two]] = rows[keys[two]], rows[keys[one]]
    assert chain_fault(replace(whole, rows=rows)) is not None


@given(_rows, _values)
def test_a_row_that_the_ledger_did_not_write_is_found(
    written: list[tuple[str, Any]], value: Any
) -> None:
    whole = trail(written)
    extra = {("decisions", 99): {"id": 99, "model": "churn", "value": value}}
    found = chain_fault(replace(whole, rows={**whole.rows, **extra}))
    assert found == "row 99 of decisions has no link: it was not written by the ledger"


@given(_rows, _rows)
def test_a_chain_written_anew_does_not_hold_a_head_that_was_kept(
    written: list[tuple[str, Any]], other: list[tuple[str, Any]]
) -> None:
    head = trail(written).head
    forged = trail([("decisions", {"forged": True}), *other])
    assert "the head" in str(missed(forged, head))


def test_a_moment_seals_alike_in_every_zone_and_a_float_to_its_last_bit() -> None:
    moment = datetime(2026, 1, 1, 12, 30, 0, 1, UTC)
    row = {"id": 1, "at": moment, "value": 0.1 + 0.2}
    there = {**row, "at": moment.astimezone(timezone(timedelta(hours=-5)))}
    assert link(None, "t", row) == link(None, "t", there)
    assert link(None, "t", row) != link(None, "t", {**row, "value": 0.3})


def test_a_column_that_was_added_later_and_is_empty_leaves_the_link_as_it_was() -> None:
    assert link(None, "t", {"id": 1}) == link(None, "t", {"id": 1, "new": None})
    assert link(None, "t", {"id": 1}) != link(None, "t", {"id": 1, "new": ""})


def test_a_value_without_a_canonical_form_is_refused() -> None:
    with pytest.raises(TypeError, match="holds JSON and datetimes"):
        link(None, "t", {"id": 1, "value": object()})


def test_an_empty_trail_has_no_head_and_no_fault() -> None:
    assert (Trail([], {}).head, chain_fault(Trail([], {}))) == (None, None)
