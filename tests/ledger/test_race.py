"""Eight processes at once on one ledger, SQLite and PostgreSQL: one champion a round, one chain."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

from tasks.ledger import seals
from tasks.ledger.chain import chain_fault
from tasks.ledger.conflicts import Conflict
from tasks.ledger.ledger import Ledger
from tests.support.rows import observation, promote

PROCESSES = 8
ROUNDS = 50

_GATE: Any = None


def together(gate: Any) -> None:
    global _GATE
    _GATE = gate


def race(url: str, number: int) -> list[tuple[int, str | None]]:
    """Take part in every round; return of each the version tried and what the ledger refused."""
    ledger = Ledger(url)
    _GATE.wait()
    ledger.create()  # nobody has created the tables yet, so that the processes meet there too
    ledger.observe(observation(data_digest=f"data {number}"))
    ends: list[tuple[int, str | None]] = []
    for turn in range(ROUNDS):
        past = ledger.promotions("churn")
        version = 1 + turn * PROCESSES + number
        _GATE.wait()  # all have seen the same champion
        try:
            promote(ledger, version, past[-1].version if past else None)
            ends.append((version, None))
        except Conflict as conflict:
            ends.append((version, str(conflict)))
        _GATE.wait()  # all have tried
    ledger._engine.dispose()
    return ends


def test_of_eight_processes_promoting_at_once_exactly_one_wins_each_round(url: str) -> None:
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(PROCESSES, timeout=120)
    with context.Pool(PROCESSES, together, (gate,)) as pool:
        ends = pool.starmap(race, [(url, n) for n in range(PROCESSES)], chunksize=1)
    ledger = Ledger(url)
    champions = [p.version for p in ledger.promotions("churn")]
    assert len(champions) == ROUNDS
    for champion, tried in zip(champions, zip(*ends, strict=True), strict=True):
        assert [version for version, conflict in tried if conflict is None] == [champion]
        told = [conflict for _, conflict in tried if conflict is not None]
        winner = f"champion is version {champion} (promoted by ada, p{champion})"
        assert all(winner in conflict for conflict in told)
    history = ledger.history("churn")
    assert sorted(o.data_digest for o in history) == [f"data {n}" for n in range(PROCESSES)]
    assert sorted(o.revision for o in history) == list(range(PROCESSES))
    trail = ledger.trail("churn")
    assert chain_fault(trail) is seals.seal_fault("churn", trail, seals.trusted()) is None
    assert [found.position for found in trail.links] == list(range(1, PROCESSES + ROUNDS + 1))
    ledger._engine.dispose()


def first_connection(folder: Path) -> None:
    for turn in range(ROUNDS):
        _GATE.wait()  # nobody has made the file yet
        ledger = Ledger(f"sqlite:///{folder}/{turn}.db")
        assert ledger._engine.connect().exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        ledger._engine.dispose()


def test_of_eight_processes_connecting_first_at_once_none_is_told_that_it_is_locked(
    tmp_path: Path,
) -> None:
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(PROCESSES, timeout=120)
    with context.Pool(PROCESSES, together, (gate,)) as pool:
        pool.map(first_connection, [tmp_path] * PROCESSES, chunksize=1)
