"""A new champion that scores half of the keys, and does worse there: it goes back by itself."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from .conftest import Running
from .landed import ACCEPTED, BACK, DAY, SHARED, SHIFT

PROPOSAL = f"{SHARED}.v2.{BACK:%Y%m%dT%H%M}.rollback.1"
SCORED = (BACK, BACK + DAY)


@pytest.fixture(scope="module")
def shared(running: Running) -> None:
    """A second champion, of two days of another rule, whose canary two windows see."""
    running.accept(SHARED, "first", ACCEPTED, 8 * DAY)
    running.accept(SHARED, "second", BACK, BACK - SHIFT)
    for start in SCORED:
        run = running.operator.trigger(f"score.{SHARED}", {"conf": {"window": start.isoformat()}})
        assert running.operator.finished(f"score.{SHARED}", run) == "success"
    running.windows(SHARED, *SCORED)


def test_both_versions_score_their_keys_and_each_is_measured_on_these(
    running: Running, shared: None
) -> None:
    for start in SCORED:
        (file,) = (running.home / "shares").glob(f"window={start:%Y%m%dT%H%M}/*/*.parquet")
        there = pq.read_table(file, partitioning=None)["model_version"].to_pylist()
        assert 150 < there.count(2) < 250
        assert there.count(1) + there.count(2) == 400
        for version in (1, 2):
            seen = running.ledger.observations_of(SHARED, version, start)[0]
            assert seen.numbers.accepted == there.count(version)


def test_what_is_worse_goes_back_by_itself_whatever_the_spec_says_of_rollbacks(
    running: Running, shared: None
) -> None:
    assert running.spec(SHARED).approval.rollback == "human"
    assert running.operator.finished(f"rollback.{SHARED}", PROPOSAL) == "success"
    known = running.status(SHARED)
    assert (known.champion, running.alias(SHARED)) == (1, 1)
    decided = [(d.step, d.answer, d.by) for d in known.decisions if d.proposal == PROPOSAL]
    assert decided == [("rollback", "approved", "policy")]
    assert running.operator.runs(f"retrain.{SHARED}") == []
    running.verify(SHARED)
