"""Eight processes promoting at once through a real MLflow: its aliases end where the ledger is.

Three rounds are played; the environment variable RACES says how many others: 50 take 4 minutes.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tasks.audit import heads
from tasks.ledger import chain, seals
from tasks.ledger.conflicts import Conflict
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Decision
from tasks.promotion import decisions, promotion
from tasks.registry import tagged_heads, tracking
from tests.conftest import mlflow_in_postgres
from tests.support.flow import MODEL, answer, day, enter, land, promote, propose, read, register

PROCESSES = 8
RACES, STORMS = int(os.environ.get("RACES", "3")), 2

_GATE: Any = None


@pytest.fixture(params=["sqlite", "postgresql"])
def bootstrapped(
    request: pytest.FixtureRequest, stores: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Have a first champion in an MLflow of the test's own."""
    enter(monkeypatch, stores)
    with ExitStack() as stack:
        if request.param == "postgresql":
            database = stack.enter_context(mlflow_in_postgres())
            monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
            monkeypatch.setenv("GATELATCH_LEDGER", database.replace("psycopg2", "psycopg"))
        tracking.prepare_store()
        Path("data").mkdir()
        for number in range(1, 6):
            land(number)
        propose("boot", training_window=timedelta(days=5), until=day(6))
        register("boot")
        promote("boot")
        yield


def together(gate: Any) -> None:
    global _GATE
    _GATE = gate


def prepare(turn: int) -> None:
    """Let eight candidates wait, all compared with the champion of now and all approved."""
    ledger, known, client = Ledger.open(), read(), tracking.connect()
    asked, first = known.proposals[0], known.candidates[0]
    source = client.get_model_version("churn", str(first.version)).source
    for number in range(PROCESSES):
        name = f"race {turn}.{number}"
        ledger.propose(replace(asked, proposal=name, champion=known.champion))
        decisions.decide(MODEL, name, "retrain", answer())
        version = int(client.create_model_version("churn", source, first.run_id).version)
        ledger.add_candidate(replace(first, proposal=name, version=version))
        decisions.decide(MODEL, name, "promote", answer())


def race(number: int) -> list[str | None]:
    """Take part in every round, or end the others' waiting; return what the ledger refused."""
    try:
        return race_on(number)
    except Exception as error:
        print(f"process {number}: {error!r}", file=sys.stderr, flush=True)
        _GATE.abort()
        raise


def race_on(number: int) -> list[str | None]:
    refused: list[str | None] = []
    for turn in range(RACES):
        _GATE.wait()
        try:
            promotion.promote(MODEL, f"race {turn}.{number}")
            refused.append(None)
        except Conflict as conflict:
            refused.append(str(conflict))
        _GATE.wait()
    for turn in range(STORMS):
        _GATE.wait()
        insist(f"storm {turn}.{number}")
        _GATE.wait()
    return refused


def insist(name: str) -> None:
    """Go back, in place of whoever is champion, again and again until that is done; then follow."""
    ledger = Ledger.open()
    asked = ledger.proposals("churn")[0]
    for attempt in count():
        past = ledger.promotions("churn")
        expected = past[-1].version
        target = next(p.version for p in past if p.version != expected)
        again: dict[str, Any] = {"model": "churn", "proposal": f"{name} {attempt}"}
        usual: dict[str, Any] = {"effective_from": day(20), "by": "ada"}
        kind: dict[str, Any] = {"kind": "rollback", "proposer": "ada", "target": target}
        ledger.propose(replace(asked, **again, **kind, champion=expected))
        ledger.decide(
            Decision(
                **again, **usual, step="rollback", answer="approved", comment="", evidence="none"
            )
        )
        try:
            ledger.promote(**again, **usual, version=target, expected=expected, reason="complaints")
        except Conflict:
            continue
        return promotion.settle(MODEL, ledger)


def test_the_aliases_end_at_the_ledgers_champion_after_every_round(
    bootstrapped: None,
) -> None:
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(PROCESSES + 1, timeout=240)
    with context.Pool(PROCESSES, together, (gate,)) as pool:
        running = pool.map_async(race, range(PROCESSES), chunksize=1)
        for turn in range(RACES + STORMS):
            if turn < RACES:
                prepare(turn)
            gate.wait()
            gate.wait()
            known = read()
            there = tracking.connect().get_registered_model("churn").aliases
            before = known.promotions[-1].expected
            assert (there["champion"], there["previous"]) == (known.champion, before)
        ends = running.get(60)
    known = read()
    assert len(known.promotions) == 1 + RACES + STORMS * PROCESSES
    for turn, refused in enumerate(zip(*ends, strict=True)):
        assert refused.count(None) == 1
        winner = known.promotions[1 + turn]
        told = f"champion is version {winner.version} (promoted by ada, {winner.proposal})"
        assert all(told in said for said in refused if said is not None)
    superseded = [d for d in known.decisions if d.answer == "superseded"]
    assert len(superseded) == RACES * (PROCESSES - 1)
    there, versions = tagged_heads.kept_heads("churn")
    assert len(there) == len(known.promotions)
    ledger = Ledger.open()
    trail = ledger.trail("churn")
    assert chain.chain_fault(trail) is seals.seal_fault("churn", trail, seals.trusted()) is None
    made = [(p.number, p.version, ledger.head_at(p)[0].digest) for p in known.promotions]
    assert heads.misplaced(made, there, versions, "churn") is None
