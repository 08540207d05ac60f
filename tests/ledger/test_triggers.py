"""What the database itself refuses, and what the chain finds where somebody got round that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from tasks.audit import heads
from tasks.audit.heads import Head
from tasks.ledger import expiring
from tasks.ledger.chain import chain_fault, link
from tasks.ledger.ledger import Ledger
from tasks.ledger.looking import record_look
from tasks.ledger.records import Adoption, Delivery, Notice, Question
from tasks.ledger.tables import META
from tests.ledger.test_looking import LOOK
from tests.support.again import write_again
from tests.support.rows import day, decision, observation, promote, proposal, registered

TABLES = sorted(META.tables)
Tamper = Callable[[str], None]


def a_row_in_every_table(ledger: Ledger) -> None:
    """Write values that are hard to keep exactly."""
    figures = {"wide": 0.1 + 0.2, "small": 5e-324, "large": 2**53 + 1, "text": "é\U0001f512"}
    ledger.observe(observation(figures=figures, pressure=1))
    ledger.observe(observation(2, pressure=None, reason="'quoted'\n" * 100))
    ledger.propose(proposal())
    ledger.decide(decision())
    ledger.add_candidate(registered(metrics=figures, gates=[figures], reference={"g": [[0.1]]}))
    promote(ledger, 1, None)
    ledger.ask(
        Question(
            model="third", proposal="p1", step="retrain", evidence="shown", asked=[["ada", "ada"]]
        )
    )
    ledger.adopt(
        Adoption(
            model="third",
            position=1,
            head=ledger.trail("third").links[0].digest,
            by="ada",
            reason="old",
            lost=[],
        )
    )
    said: dict[str, Any] = {"model": "third", "kind": "summaries", "until": day(9), "by": "ada"}
    gone = {"summaries/third/v1/one.json": ""}
    ledger.alone(
        "third", lambda link: expiring.record_expiry(link, **said, policy="9d", expired=gone)
    )
    ledger.alone("third", lambda link: record_look(link, replace(LOOK, model="third")))
    ledger.freeze("third", "frozen", by="ada", reason="holidays")
    told: dict[str, Any] = {
        "model": "third",
        "event": "promotion/1",
        "channel": "owners",
        "attempt": 1,
    }
    assert ledger.claim(Notice(**told, severity="info", message="promoted"))
    ledger.deliver(Delivery(**told, outcome="told", detail=""))


@pytest.fixture
def written(ledger: Ledger) -> Ledger:
    write_again(ledger, a_row_in_every_table)
    return ledger


@pytest.fixture
def tamper(written: Ledger) -> Tamper:
    """Return what runs SQL as an owner of the tables can: with the triggers taken away first."""

    def run(sql: str) -> None:
        with written._engine.begin() as db:
            if db.dialect.name == "postgresql":
                db.execute(sa.text("set local session_replication_role = replica"))
            else:
                query = "select name from sqlite_master where type = 'trigger'"
                for name in db.execute(sa.text(query)).scalars().all():
                    db.execute(sa.text(f"drop trigger {name}"))
            for statement in sql.split("; "):
                db.execute(sa.text(statement))

    return run


@pytest.mark.parametrize("change", ["update {} set model = 'x'", "delete from {}", "truncate {}"])
def test_the_database_refuses_to_change_or_remove_a_row_of_any_table(
    written: Ledger, change: str
) -> None:
    if "truncate" in change and written._engine.dialect.name == "sqlite":
        change = "replace into {0} select * from {0}"  # SQLite has no TRUNCATE, but this
    before = written.trail("churn")
    for table in TABLES:
        with (
            pytest.raises(sa.exc.IntegrityError, match=f"the ledger is append-only: {table}"),
            written._engine.begin() as db,
        ):
            db.execute(sa.text(change.format(table)))
    assert written.trail("churn") == before


def test_every_row_is_linked_in_the_order_of_writing_each_model_apart(written: Ledger) -> None:
    written.propose(proposal(model="other"))
    trail = written.trail("churn")
    order = [found.table_name for found in trail.links]
    assert order == [
        "observations",
        "observations",
        "proposals",
        "decisions",
        "candidates",
        "promotions",
    ]
    assert chain_fault(trail) is chain_fault(written.trail("other")) is None
    assert [found.position for found in written.trail("other").links] == [1]


def test_what_is_not_written_is_not_linked(written: Ledger) -> None:
    before = written.trail("churn")
    written.observe(observation(2, pressure=None, reason="'quoted'\n" * 100))
    written.propose(proposal())
    written.decide(decision())
    promote(written, 1, None)
    assert written.trail("churn") == before


SWAP = "; ".join(
    f"update observations set id = {new} where id = {old}" for old, new in [(1, 9), (2, 1), (9, 2)]
)
TAMPERING = {
    "update observations set pressure = 1.5 where id = 1": "row 1 of observations (link 1) is not",
    "update promotions set recorded_at = '2020-01-01 00:00:00.000000'": "row 1 of promotions",
    "update candidates set metrics = '{}'": "row 1 of candidates (link 5) is not as it was",
    "delete from decisions": "row 1 of decisions (link 4) was removed",
    "delete from chain where position = 4": "link 4 of the chain is missing: the next one is 5",
    "update chain set digest = 'x' where position = 2": "row 2 of observations (link 2) is not",
    SWAP: "row 1 of observations (link 1) is not as it was recorded",
    "insert into decisions select {copy} from decisions": "row 2 of decisions has no link",
    "delete from chain where position = 6": "row 1 of promotions has no link",
}


@pytest.mark.parametrize("sql", TAMPERING)
def test_what_somebody_did_past_the_triggers_is_found_and_the_row_named(
    written: Ledger, tamper: Tamper, sql: str
) -> None:
    columns = [c.name for c in META.tables["decisions"].columns]
    values = {"id": "2", "step": "'promote'"}
    copy = ", ".join(values.get(name, f'"{name}"') for name in columns)
    tamper(sql.replace("{copy}", copy))
    found = chain_fault(written.trail("churn"))
    assert found is not None
    assert TAMPERING[sql] in found


def test_a_truncated_tail_is_found_with_a_head_that_was_kept(
    written: Ledger, tamper: Tamper
) -> None:
    head = [Head(str(written.trail("churn").head), "elsewhere")]

    def missed() -> str | None:
        return heads.head_fault("churn", written.trail("churn"), head, {})

    assert missed() is None
    tamper("delete from promotions")
    tamper("delete from chain where position = 6; delete from seals where position = 6")
    assert chain_fault(written.trail("churn")) is None
    assert "kept elsewhere is not in the chain" in str(missed())
    promote(written, 2, None)
    assert "kept elsewhere is not in the chain" in str(missed())


def test_triggers_that_were_taken_away_are_back_when_the_ledger_is_opened_again(
    written: Ledger,
) -> None:
    with written._engine.begin() as db:
        name = "decisions_append_only"
        if db.dialect.name == "postgresql":
            db.execute(sa.text(f"drop trigger {name} on decisions"))
        else:
            db.execute(sa.text(f"drop trigger {name}_delete"))
    written.create()
    with (
        pytest.raises(sa.exc.IntegrityError, match="append-only"),
        written._engine.begin() as db,
    ):
        db.execute(sa.text("delete from decisions"))


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_role_that_may_only_read_and_insert_is_enough(written: Ledger, url: str) -> None:
    role = f"writer_{uuid4().hex[:12]}"
    with written._engine.begin() as db:
        schema = db.execute(sa.text("select current_schema()")).scalar_one()
        db.execute(sa.text(f"create role {role} login"))
        for right in ("usage on schema", "select, insert on all tables in schema"):
            db.execute(sa.text(f"grant {right} {schema} to {role}"))
        db.execute(sa.text(f"grant usage on all sequences in schema {schema} to {role}"))
    writer = Ledger(url.replace("postgres@", f"{role}@"))
    try:
        writer.create()
        writer.propose(proposal("p2"))
        assert chain_fault(writer.trail("churn")) is None
        for change in ("delete from decisions", "drop trigger decisions_append_only on decisions"):
            with (
                pytest.raises(sa.exc.ProgrammingError, match=r"permission denied|must be owner"),
                writer._engine.begin() as db,
            ):
                db.execute(sa.text(change))
    finally:
        writer._engine.dispose()
        with written._engine.begin() as db:
            db.execute(sa.text(f"drop owned by {role}"))
            db.execute(sa.text(f"drop role {role}"))


def test_a_row_has_the_digest_of_its_plain_values_on_either_database(written: Ledger) -> None:
    trail = written.trail("churn")
    stored = trail.rows["candidates", 1]
    plain = {
        **asdict(written.candidates("churn")[0]),
        "id": 1,
        "recorded_at": stored["recorded_at"],
    }
    assert link(trail.links[3], "candidates", plain) == trail.links[4]
