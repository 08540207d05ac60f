"""A follower says what a fresh read says, reads only what is new, and never mixes two ledgers."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.errors import GatelatchError
from tasks.ledger import chain, sealing, status, stored, triggers
from tasks.ledger.chain import LedgerRefused
from tasks.ledger.follower import Follower
from tasks.ledger.ledger import Ledger
from tasks.ledger.reader import LedgerReader
from tasks.ledger.records import Observation
from tasks.ledger.status import Status
from tasks.ledger.status_json import status_json
from tasks.ledger.tables import CHAIN, META, OBSERVATIONS
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN
from tests.support.forging import as_owner
from tests.support.rows import day, decision, observation, promote, proposal

SPEC = ModelSpec.model_validate(CHURN)
OTHER = SPEC.model_copy(update={"model": "other"})


def windows(found: Status | GatelatchError) -> list[tuple[int, int]]:
    assert isinstance(found, Status)
    return [(o.window_start.day, o.revision) for o in found.observations]


@pytest.fixture
def read_rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by how many observations each read from the database gives."""
    counts: list[int] = []
    plain = stored.observations

    def counted(*arguments: Any) -> dict[int, Observation]:
        found = plain(*arguments)
        counts.append(len(found))
        return found

    monkeypatch.setattr(stored, "observations", counted)
    return counts


def test_one_new_window_is_read_alone_and_nothing_if_none_came(
    ledger: Ledger, read_rows: list[int]
) -> None:
    follower = Follower(ledger)
    promote(ledger, 1, None, since=1)
    for number in range(2, 9):
        ledger.observe(observation(number))
    assert len(follower.status(SPEC).observations) == 7
    before = follower.status(SPEC)
    ledger.observe(observation(9))
    ledger.observe(observation(3, data_digest="late labels"))
    assert follower.statuses([SPEC, OTHER])["churn"] == status.read(SPEC, ledger)
    assert read_rows == [7, 2, 9]  # by the follower, and by the fresh read
    assert follower.status(SPEC) is follower.statuses([SPEC])["churn"]
    assert before is not follower.status(SPEC)
    assert len(read_rows) == 3


def test_another_spec_folds_what_was_read_without_reading_again(
    ledger: Ledger, read_rows: list[int]
) -> None:
    follower = Follower(ledger)
    promote(ledger, 1, None, since=1)
    for number in (2, 3):
        ledger.observe(observation(number, verdict="drifting", pressure=2.0))
    assert follower.status(SPEC).latch.state == "open"
    opening = SPEC.latch.open.model_copy(update={"breaches": 3})
    slower = SPEC.model_copy(update={"latch": SPEC.latch.model_copy(update={"open": opening})})
    assert follower.status(slower).latch.state == "closed"
    assert read_rows == [2]


actions = st.lists(
    st.one_of(
        st.tuples(st.just("observe"), st.integers(2, 6), st.sampled_from(["a", "b", "c"])),
        st.tuples(st.just("promote"), st.integers(1, 20), st.just("")),
        st.tuples(st.just("propose"), st.integers(1, 3), st.just("")),
        st.tuples(st.just("decide"), st.integers(1, 3), st.just("")),
        st.tuples(st.just("freeze"), st.just(0), st.sampled_from(["frozen", "thawed"])),
        st.tuples(st.just("look"), st.just(0), st.just("")),
    ),
    max_size=25,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(actions)
def test_whenever_one_looks_the_follower_says_what_a_fresh_read_says(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, str]]
) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path_factory.mktemp('followed') / 'ledger.db'}")
    ledger.create()
    follower = Follower(ledger)
    for kind, number, data in [*steps, ("look", 0, "")]:
        if kind == "observe":
            verdict = "drifting" if data == "b" else "steady"
            ledger.observe(observation(number, data_digest=data, verdict=verdict, pressure=1.5))
        elif kind == "freeze":
            ledger.freeze(
                "churn", "frozen" if data == "frozen" else "thawed", by="ada", reason="why"
            )
        elif kind in ("promote", "propose") and status.read(SPEC, ledger).frozen:
            pass
        elif kind == "promote":
            count = len(ledger.promotions("churn"))
            promote(ledger, count + 1, count or None, since=number)
        elif kind == "propose":
            ledger.propose(proposal(f"asked{number}"))
        elif kind == "decide":
            ledger.decide(decision("rejected", proposal=f"asked{number}"))
        else:
            now, fresh = follower.status(SPEC), status.read(SPEC, ledger)
            assert now == fresh
            assert status_json(now) == status_json(fresh)
    ledger.close()


# --- rows that become visible in another order than that of their ids


def append(link: sa.Connection, seen: Observation) -> int:
    """Write an observation as the ledger does, in a transaction that stays open; return its id."""
    triggers.alone(link, seen.model)
    row = {**stored.row_of(seen), "recorded_at": datetime.now(UTC)}
    sealing.append(link, OBSERVATIONS, row)
    return int(link.execute(sa.select(sa.func.max(OBSERVATIONS.c.id))).scalar_one())


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_lower_row_id_that_is_committed_after_a_higher_one_was_read_is_not_lost(
    ledger: Ledger,
) -> None:
    follower = Follower(ledger)
    for model in ("churn", "other"):
        ledger.promote(
            model, "p1", version=1, expected=None, effective_from=day(1), by="a", reason="r"
        )
    with ledger._engine.connect() as first, ledger._engine.connect() as second:
        lower = append(first, observation(2))
        higher = append(second, observation(2, model="other"))
        assert lower < higher
        second.commit()
        seen = follower.statuses([SPEC, OTHER])
        assert [windows(seen[m]) for m in ("churn", "other")] == [[], [(2, 0)]]
        first.commit()
    seen = follower.statuses([SPEC, OTHER])
    assert [windows(seen[m]) for m in ("churn", "other")] == [[(2, 0)], [(2, 0)]]


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_two_transactions_of_one_model_become_visible_in_the_order_of_its_chain(
    ledger: Ledger,
) -> None:
    follower = Follower(ledger)
    promote(ledger, 1, None, since=1)
    with ledger._engine.connect() as first, ThreadPoolExecutor(1) as other:
        append(first, observation(2))
        waiting = other.submit(ledger.observe, observation(3))
        _until_somebody_waits(ledger)
        assert windows(follower.status(SPEC)) == []
        assert not waiting.done()
        first.commit()
        waiting.result()
    assert windows(follower.status(SPEC)) == [(2, 0), (3, 0)]


def _until_somebody_waits(ledger: Ledger) -> None:
    waiting = sa.text("select count(*) from pg_locks where locktype = 'advisory' and not granted")
    for _ in range(10_000):
        with ledger._engine.connect() as link:
            if link.execute(waiting).scalar_one():
                return
    pytest.fail("nobody waits for the lock")


# --- another ledger in the same place


@pytest.mark.parametrize("pooled", [True, False])
def test_a_backup_that_was_put_back_is_read_from_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pooled: bool
) -> None:
    file, backup = tmp_path / "ledger.db", tmp_path / "backup.db"
    monkeypatch.setenv("GATELATCH_LEDGER", f"sqlite:///{file}")
    ledger = Ledger(f"sqlite:///{file}")
    ledger.create()
    promote(ledger, 1, None, since=1)
    ledger.observe(observation(2))
    ledger.close()  # which leaves one file
    shutil.copy(file, backup)
    reader = Ledger(f"sqlite:///{file}") if pooled else LedgerReader.open_to_read()
    follower = Follower(reader)
    ledger.observe(observation(3))
    ledger.observe(observation(4, verdict="drifting"))
    assert windows(follower.status(SPEC)) == [(2, 0), (3, 0), (4, 0)]
    ledger.close()
    other = Ledger(f"sqlite:///{backup}")
    for number in (5, 6, 7):  # its chain is longer than what was read, and another one
        other.observe(observation(number))
    other.close()
    for beside in tmp_path.glob("ledger.db-*"):  # as SQLite asks of whoever replaces an open file
        assert pooled
        beside.unlink()
    backup.replace(file)
    assert windows(follower.status(SPEC)) == [(2, 0), (5, 0), (6, 0), (7, 0)]
    assert follower.status(SPEC) == status.read(SPEC, ledger)
    for opened in (reader, ledger):
        opened.close()


def _rewritten(ledger: Ledger, rows: Callable[[], Any]) -> None:
    """Empty the ledger as its owner can, and let it be written again from its beginning."""
    with as_owner(ledger) as db:
        for table in META.sorted_tables:
            db.execute(sa.delete(table))
    rows()


@pytest.mark.parametrize("last", [3, 2])
def test_rows_that_go_back_or_differ_in_the_same_place_are_read_again(
    ledger: Ledger, last: int
) -> None:
    follower = Follower(ledger)
    promote(ledger, 1, None, since=1)
    for number in (2, 3):
        ledger.observe(observation(number))
    assert windows(follower.status(SPEC)) == [(2, 0), (3, 0)]

    def again() -> None:
        promote(ledger, 1, None, since=1)
        for number in range(2, last + 1):
            ledger.observe(observation(number + 10))

    _rewritten(ledger, again)
    assert windows(follower.status(SPEC)) == [(n + 10, 0) for n in range(2, last + 1)]


def test_a_model_whose_rows_are_gone_has_none(ledger: Ledger) -> None:
    follower = Follower(ledger)
    promote(ledger, 1, None, since=1)
    assert follower.status(SPEC).champion == 1
    _rewritten(ledger, lambda: None)
    assert follower.status(SPEC).champion is None
    assert follower.statuses([SPEC])["churn"] == status.read(SPEC, ledger)


# --- what is not as it was written


def test_a_missing_link_refuses_its_model_alone(ledger: Ledger) -> None:
    for model in ("churn", "other"):
        ledger.promote(
            model, "p1", version=1, expected=None, effective_from=day(1), by="a", reason="r"
        )
        for number in (2, 3):
            ledger.observe(observation(number, model=model))
    with as_owner(ledger) as db:
        db.execute(sa.delete(CHAIN).where(CHAIN.c.model == "churn", CHAIN.c.position == 2))
    seen = Follower(ledger).statuses([SPEC, OTHER])
    assert isinstance(seen["churn"], LedgerRefused)
    assert "link 2 of the chain is missing" in str(seen["churn"])
    assert windows(seen["other"]) == [(2, 0), (3, 0)]


def test_a_linked_row_that_was_removed_refuses_its_model(ledger: Ledger) -> None:
    promote(ledger, 1, None, since=1)
    ledger.observe(observation(2))
    with as_owner(ledger) as db:
        db.execute(sa.delete(OBSERVATIONS))
    with pytest.raises(LedgerRefused, match="row 1 of observations was removed"):
        Follower(ledger).status(SPEC)


def test_a_row_that_was_written_past_the_ledger_is_not_followed(ledger: Ledger) -> None:
    promote(ledger, 1, None, since=1)
    ledger.observe(observation(2))
    follower = Follower(ledger)
    forged = stored.row_of(observation(3)) | {"recorded_at": datetime.now(UTC)}
    with ledger._engine.begin() as link:
        link.execute(sa.insert(OBSERVATIONS).values(**forged))
    ledger.observe(observation(4))
    assert windows(follower.status(SPEC)) == [(2, 0), (4, 0)]
    assert chain.chain_fault(ledger.trail("churn")) is not None


def test_a_row_of_a_newer_release_refuses_its_model_alone(ledger: Ledger) -> None:
    promote(ledger, 1, None, since=1)
    ledger.observe(observation(2, figures={"format": 7}))
    seen = Follower(ledger).statuses([SPEC, OTHER])
    assert "figures of observation 1 of churn has the format 7" in str(seen["churn"])
    assert windows(seen["other"]) == []


def test_threads_that_look_while_others_write_see_each_row_once_and_none_go_back(
    ledger: Ledger,
) -> None:
    follower = Follower(ledger)
    promote(ledger, 1, None, since=1)

    def look() -> list[int]:
        return [len(follower.status(SPEC).observations) for _ in range(20)]

    with ThreadPoolExecutor(4) as pool:
        looking = [pool.submit(look) for _ in range(3)]
        for number in range(2, 12):
            ledger.observe(observation(number))
    for counts in (found.result() for found in looking):
        assert counts == sorted(counts)
    assert follower.status(SPEC) == status.read(SPEC, ledger)
    assert len(follower.status(SPEC).observations) == 10
