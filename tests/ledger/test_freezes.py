"""What a freeze stops, on SQLite and PostgreSQL: also where both are written at once."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from time import sleep
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.audit import meaning
from tasks.ledger import freezes, sealing, status, stored, triggers
from tasks.ledger.follower import Follower
from tasks.ledger.freezes import Frozen
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Freeze
from tasks.ledger.tables import FREEZES
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN
from tests.support import forging
from tests.support.forging import rollback, version
from tests.support.rows import decision, observation, promote, proposal

SPEC = ModelSpec.model_validate(CHURN)
AGAIN = r"frozen by ada since 20\d\d-\d\d-\d\d \d\d:\d\d UTC: holidays\. .*tasks thaw churn"


def stop(ledger: Ledger) -> None:
    ledger.freeze("churn", "frozen", by="ada", reason="holidays.")


def go_on(ledger: Ledger) -> None:
    ledger.freeze("churn", "thawed", by="grace", reason="we are back")


def test_a_frozen_model_takes_no_proposal_and_no_promotion_and_goes_on_after_the_thaw(
    ledger: Ledger,
) -> None:
    ledger.propose(proposal("p1"))
    stop(ledger)
    with pytest.raises(Frozen, match=AGAIN):
        ledger.propose(proposal("p2"))
    with pytest.raises(Frozen, match=AGAIN):
        promote(ledger, 1, None)
    assert [p.proposal for p in ledger.proposals("churn")] == ["p1"]
    assert ledger.promotions("churn") == []
    go_on(ledger)
    ledger.propose(proposal("p2"))
    assert promote(ledger, 1, None).number == 1


def test_observations_decisions_and_other_models_go_on(ledger: Ledger) -> None:
    ledger.propose(proposal("p1"))
    stop(ledger)
    ledger.observe(observation())
    ledger.decide(decision("rejected"))
    ledger.propose(proposal("p1", model="other"))
    assert len(ledger.history("churn")) == 1


def test_a_proposal_that_is_there_may_be_written_again(ledger: Ledger) -> None:
    ledger.propose(proposal("p1"))
    stop(ledger)
    assert ledger.propose(proposal("p1", reason="again")).reason == "drift"


def test_a_person_may_go_back_to_an_earlier_version_and_the_monitor_may_not(
    ledger: Ledger,
) -> None:
    for number in (1, 2):
        version(ledger, number)
    stop(ledger)
    with pytest.raises(Frozen):
        ledger.propose(replace(rollback(), proposal="theirs", proposer="gatelatch"))
    ledger.propose(rollback())
    ledger.decide(decision(proposal="back", step="rollback", by="otto"))
    forging.move(ledger, "back", 1, 2, "otto")
    assert ledger.promotions("churn")[-1].version == 1
    assert meaning.meaning_fault(ledger.trail("churn")) is None


def test_whoever_freezes_or_thaws_twice_changes_nothing_the_second_time(ledger: Ledger) -> None:
    assert ledger.freeze("churn", "thawed", by="ada", reason="why") is None
    first = ledger.freeze("churn", "frozen", by="ada", reason="holidays")
    assert ledger.freeze("churn", "frozen", by="grace", reason="me too") is None
    assert ledger.freezes("churn") == [first]


def test_a_follower_that_knows_a_model_sees_it_frozen_and_thawed(ledger: Ledger) -> None:
    follower = Follower(ledger)
    ledger.observe(observation())
    assert follower.status(SPEC).frozen is None
    stop(ledger)
    seen = follower.status(SPEC)
    assert seen.frozen is not None
    assert (seen.frozen.by, seen) == ("ada", status.read(SPEC, ledger))
    go_on(ledger)
    assert follower.statuses([SPEC])["churn"] == status.read(SPEC, ledger)
    assert follower.status(SPEC).frozen is None


# --- in a race


def frozen_by_other(link: sa.Connection) -> None:
    """Write a freeze as the ledger does, in a transaction that stays open."""
    triggers.alone(link, "churn")
    now = datetime.now(UTC)
    row = Freeze(
        model="churn", number=1, state="frozen", by="ada", reason="holidays", recorded_at=now
    )
    sealing.append(link, FREEZES, stored.row_of(row))


def test_a_freeze_that_is_being_written_stops_a_promotion_that_was_let_through_before(
    ledger: Ledger,
) -> None:
    ledger.propose(proposal("p1"))
    with ThreadPoolExecutor(1) as other, ledger._engine.connect() as link:
        with link.begin():
            frozen_by_other(link)
            freezes.require_thawed(ledger.freezes("churn"))  # nobody sees it yet
            promoting = other.submit(promote, ledger, 1, None)
            sleep(0.5)
            assert not promoting.done()  # it waits for the model's lock
        with pytest.raises(Frozen):
            promoting.result(timeout=30)
    assert ledger.promotions("churn") == []


ROUNDS = 25
_GATE: Any = None


def together(gate: Any) -> None:
    global _GATE
    _GATE = gate


def race(url: str, part: str) -> list[str]:
    """In every round one process freezes, one promotes, one proposes; return what became of it."""
    ledger, ends = Ledger(url), []
    for turn in range(ROUNDS):
        past = len(ledger.promotions("churn"))
        _GATE.wait()
        try:
            if part == "freeze":
                stop(ledger)
            elif part == "promote":
                promote(ledger, turn + 1, ledger.promotions("churn")[-1].version if past else None)
            else:
                ledger.propose(proposal(f"asked{turn}"))
            ends.append("done")
        except Frozen:
            ends.append("frozen")
        _GATE.wait()  # all have tried
        if part == "freeze":
            go_on(ledger)
        _GATE.wait()
    ledger.close()
    return ends


def test_whatever_is_written_at_once_nothing_stands_behind_a_freeze_that_it_stops(url: str) -> None:
    ledger = Ledger(url)
    ledger.create()
    parts = ["freeze", "promote", "propose"]
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(len(parts), timeout=120)
    with context.Pool(len(parts), together, (gate,)) as pool:
        _, promoted, proposed = pool.starmap(race, [(url, p) for p in parts], chunksize=1)
    frozen = False
    for table, row in forging.written(ledger.trail("churn")):
        assert table == "freezes" or not frozen, row
        frozen = table == "freezes" and row["state"] == "frozen"
    assert len(ledger.freezes("churn")) == 2 * ROUNDS
    assert len(ledger.promotions("churn")) == promoted.count("done")
    assert len(ledger.proposals("churn")) == proposed.count("done")
    ledger.close()


# --- whatever happens, in which order


steps = st.lists(
    st.tuples(st.sampled_from(["freeze", "thaw", "retrain", "observe", "back"]), st.integers(1, 3)),
    max_size=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_in_any_order_what_is_refused_is_what_a_freeze_stops_and_the_audit_finds_no_fault(
    tmp_path_factory: pytest.TempPathFactory, taken: list[tuple[str, int]]
) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path_factory.mktemp('frozen') / 'ledger.db'}")
    ledger.create()
    for number in (1, 2):
        version(ledger, number)
    frozen = False
    for turn, (kind, number) in enumerate(taken):
        champion = ledger.promotions("churn")[-1].version
        if kind in ("freeze", "thaw"):
            stop(ledger) if kind == "freeze" else go_on(ledger)
            frozen = kind == "freeze"
        elif kind == "observe":
            ledger.observe(observation(number, data_digest=str(turn)))
        elif kind == "retrain":
            try:
                ledger.propose(proposal(f"t{turn}", champion=champion))
                assert not frozen
            except Frozen:
                assert frozen
        else:
            back, name = {1: 2, 2: 1}[champion], f"back{turn}"
            asked = replace(rollback(), proposal=name, champion=champion, target=back)
            ledger.propose(asked)
            ledger.decide(decision(proposal=name, step="rollback", by="otto"))
            forging.move(ledger, name, back, champion, "otto")
        known = status.read(SPEC, ledger)
        assert (known.frozen is not None) == frozen
        assert known.due is None or not frozen
    assert meaning.meaning_fault(ledger.trail("churn")) is None
    ledger.close()
