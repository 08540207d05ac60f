"""Format numbers of what is stored: none means release 0.1, a newer one is refused by name."""

from __future__ import annotations

import pytest

from tasks import formats
from tasks.formats import OtherFormat
from tasks.ledger.conflicts import Conflict
from tasks.ledger.ledger import Ledger
from tests.support.rows import observation, proposal, registered


def test_each_number_has_its_loader_and_no_number_is_the_first() -> None:
    loaders = {1: lambda raw: f"old {raw['a']}", 2: lambda raw: f"new {raw['b']}"}
    assert formats.load_stored("thing", {"a": 3}, loaders) == "old 3"
    assert formats.load_stored("thing", {"format": 1, "a": 3}, loaders) == "old 3"
    assert formats.load_stored("thing", {"format": 2, "b": 4}, loaders) == "new 4"


@pytest.mark.parametrize("found", [3, "2", None])
def test_a_number_that_no_loader_knows_is_taken_for_a_newer_one(found: object) -> None:
    with pytest.raises(OtherFormat, match=rf"stored thing has the format {found}, .* a newer Gate"):
        formats.load_stored("thing", {"format": found}, {1: dict, 2: dict})


def test_a_row_of_a_newer_format_is_named_with_the_way_out(ledger: Ledger) -> None:
    ledger.observe(observation(1))
    ledger.observe(observation(2, figures={"format": 7}))
    with pytest.raises(OtherFormat, match="figures of observation 2 of churn has the format 7,"):
        ledger.history("churn")
    ledger.propose(proposal())
    ledger.add_candidate(registered(metrics={"format": 7}))
    with pytest.raises(
        OtherFormat, match=r"metrics of candidate 1 of churn .* install that release"
    ):
        ledger.candidates("churn")


def test_a_row_without_a_number_is_the_same_as_one_with_the_first(ledger: Ledger) -> None:
    old = observation()
    new = observation(figures={"format": 1, **old.figures})
    ledger.observe(old)
    assert ledger.observe(new) == old
    with pytest.raises(Conflict, match="differs in figures"):
        ledger.observe(observation(figures={**new.figures, "rows": 301}))
    ledger.propose(proposal())
    first = ledger.add_candidate(registered())
    again = registered(metrics={"format": 1, **first.metrics})
    assert ledger.add_candidate(again) == first


def test_a_window_run_again_by_another_release_that_judges_otherwise_keeps_what_was_said(
    ledger: Ledger,
) -> None:
    old = ledger.observe(observation())
    again = observation(figures={"code": "0.2.0", "losses": []}, verdict="drifting")
    assert ledger.observe(again) == old
    assert ledger.history("churn") == [old]
    newer = ledger.observe(observation(figures={"code": "0.2.0"}, data_digest="new"))
    assert newer.revision == 1
    with pytest.raises(Conflict, match="differs in verdict"):
        ledger.observe(observation(figures=newer.figures, data_digest="new", verdict="drifting"))
