"""A connection to PostgreSQL that is lost: nothing is half-written, and the next one is new."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from tasks.disk import Unusable
from tasks.ledger.chain import chain_fault
from tasks.ledger.engine import engine_to_read
from tasks.ledger.ledger import Ledger
from tests.support.rows import observation

pytestmark = pytest.mark.parametrize("url", ["postgresql"], indirect=True)


def backend(link: sa.Connection) -> int:
    return int(link.exec_driver_sql("select pg_backend_pid()").scalar_one())


def end(url: str, number: int) -> None:
    """End a connection from the server's side, as its restart does."""
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as other:
        ended = other.exec_driver_sql(f"select pg_terminate_backend({number}, 5000)")
        assert ended.scalar_one() is True


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    ledger = Ledger(url)
    ledger.create()
    yield ledger
    ledger._engine.dispose()


def test_a_connection_that_the_database_ended_in_between_is_made_anew(
    ledger: Ledger, url: str
) -> None:
    ledger.observe(observation(data_digest="before"))
    with ledger._engine.connect() as link:
        kept = backend(link)
    end(url, kept)
    ledger.observe(observation(data_digest="after"))
    assert len(ledger.history("churn")) == 2


def test_so_is_one_of_who_only_reads(ledger: Ledger, url: str) -> None:
    ledger.observe(observation())
    reader = engine_to_read(url)
    with reader.connect() as link:
        kept = backend(link)
    end(url, kept)
    with reader.connect() as link:
        assert link.exec_driver_sql("select count(*) from observations").scalar_one() == 1
    reader.dispose()


def test_a_connection_lost_in_mid_transaction_leaves_nothing_and_the_step_runs_again(
    ledger: Ledger, url: str
) -> None:
    lost: list[int] = []

    def lose(link: sa.Connection) -> None:
        if not lost:  # all is written, and not yet committed
            lost.append(backend(link))
            end(url, lost[0])

    sa.event.listen(ledger._engine, "commit", lose)
    with pytest.raises((Unusable, sa.exc.DBAPIError)) as said:
        ledger.observe(observation())
    assert "terminating connection" in str(said.value)
    assert lost
    assert ledger.history("churn") == []
    ledger.observe(observation())
    trail: Any = ledger.trail("churn")
    assert len(trail.links) == len(ledger.history("churn")) == 1
    assert chain_fault(trail) is None
