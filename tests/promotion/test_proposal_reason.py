"""Reasons of proposals: which backfill found what is proposed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.promotion.proposal_reason import ProposalReason

SPAN = "2026-01-05/2026-03-30"


@given(
    st.sampled_from(["drift", "calibration drift", "manual"]),
    st.sampled_from([None, SPAN]),
    st.sampled_from([None, "0" * 64]),
)
def test_a_reason_reads_back_as_itself(why: str, backfill: str | None, file: str | None) -> None:
    reason = ProposalReason(why=why, backfill=backfill, file=file)
    assert ProposalReason.parse(str(reason)) == reason


@pytest.mark.parametrize("said", ["manual", "the backfill of May was wrong", ""])
def test_what_a_person_wrote_is_found_by_no_backfill(said: str) -> None:
    assert ProposalReason.parse(said) == ProposalReason(why=said)
