"""The only file that writes the ledger: append-only, each row named by its natural key.

Writing a row twice is a no-op; writing a different one under the same key is a `Conflict`. Every
row is linked into its model's chain, and the link signed, in the transaction that writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import sqlalchemy as sa

from tasks import formats
from tasks.ledger import conflicts, freezes, migrations, sealing, stored, thinning, triggers
from tasks.ledger import engine as database
from tasks.ledger.conflicts import Conflict
from tasks.ledger.reader import LedgerReader
from tasks.ledger.records import (
    Adoption,
    Candidate,
    Decision,
    Delivery,
    Freeze,
    FreezeState,
    Notice,
    Observation,
    Promotion,
    Proposal,
    Question,
)
from tasks.ledger.tables import (
    ADOPTIONS,
    CANDIDATES,
    DECISIONS,
    DELIVERIES,
    FREEZES,
    NOTICES,
    OBSERVATIONS,
    PROMOTIONS,
    PROPOSALS,
    QUESTIONS,
)

_Row = TypeVar("_Row")


class Ledger(LedgerReader):
    """A connection to the ledger, SQLite or PostgreSQL, to read and to append."""

    def __init__(self, url: str) -> None:
        super().__init__(database.engine_of(url))

    @classmethod
    def open(cls) -> Ledger:
        """Return the ledger that GATELATCH_LEDGER names, with its tables in place.

        Raises
        ------
        tasks.ledger.migrations.OtherSchema
            If another release wrote it.
        """
        return _opened(database.address())

    @classmethod
    def before_forks(cls) -> Ledger:
        """Return what `open` will return here and in processes forked from this one.

        Each of them still looks at the schema. To be closed before the first of them is forked: a
        connection must not be shared; the statements that were compiled may be.
        """
        return _connection(database.address())

    @classmethod
    def prepare(cls) -> None:
        """Bring the ledger that GATELATCH_LEDGER names to today's schema, from none as well."""
        ledger = cls(database.address())
        try:
            ledger.create()
        finally:
            ledger.close()

    def create(self) -> None:
        """Create or upgrade the tables, and the triggers that keep them append-only."""
        migrations.upgrade(self._engine)

    def observe(self, observation: Observation) -> Observation:
        """Append an observation; the same data and spec under the same key must say the same.

        New data or a new spec is a new revision, which then stands for the window.
        """
        earlier = self.observation(observation.model, observation.version, observation.window)
        same = earlier is not None and (
            (earlier.spec_digest, earlier.data_digest)
            == (observation.spec_digest, observation.data_digest)
        )
        if earlier is not None and same:
            if thinning.EXPIRED in earlier.figures:
                return earlier  # what it said stands; its figures cannot be compared any more
            if earlier.figures.get(formats.CODE) != observation.figures.get(formats.CODE):
                return earlier  # another release judged it, perhaps otherwise; what it said stands
            conflicts.require_same(earlier, observation, but=("revision",))
            return earlier
        revision = 0 if earlier is None else earlier.revision + 1
        row = {**stored.row_of(observation), "revision": revision}
        try:
            self._insert(OBSERVATIONS, row)
        except sa.exc.IntegrityError:
            return self.observe(observation)  # another run of this window was first
        return Observation(**row)

    def propose(self, proposal: Proposal) -> Proposal:
        """Append a proposal, once; a second call returns the first one's row unchanged.

        Raises
        ------
        tasks.ledger.freezes.Frozen
            If the model is frozen, and it is no rollback that a person asks for.
        """
        return self._once(
            PROPOSALS,
            proposal,
            ("proposal",),
            compare=False,
            allowed=lambda link: freezes.require_may_propose(link, proposal),
        )

    def ask(self, question: Question) -> Question:
        """Append whom a step is put to on which evidence, once."""
        return self._once(QUESTIONS, question, ("proposal", "step", "evidence"), compare=False)

    def decide(self, decision: Decision) -> Decision:
        """Append a decision, once.

        Raises
        ------
        Conflict
            If the step was decided otherwise before.
        """
        return self._once(
            DECISIONS, decision, ("proposal", "step"), but=("effective_from", "comment")
        )

    def add_candidate(self, candidate: Candidate) -> Candidate:
        """Append a candidate, once.

        Raises
        ------
        Conflict
            If another stands under its proposal, or its version is the candidate of another one.
        """
        return self._once(
            CANDIDATES,
            candidate,
            ("proposal",),
            allowed=lambda link: conflicts.require_new(link, candidate),
        )

    def promote(
        self,
        model: str,
        proposal: str,
        *,
        version: int,
        expected: int | None,
        effective_from: datetime,
        by: str,
        reason: str,
    ) -> Promotion:
        """Move the champion from `expected` to `version`; compare-and-set.

        A second call for the same proposal returns the first one's row.

        Raises
        ------
        Conflict
            If another version is champion by now: says which and who promoted it; if the proposal
            was refused or withdrawn meanwhile.
        tasks.ledger.freezes.Frozen
            If the model is frozen, and it is no rollback that a person asked for.
        """
        past = self.promotions(model)
        mine = [p for p in past if p.proposal == proposal]
        if mine and (mine[-1].version, mine[-1].expected) != (version, expected):
            raise Conflict(
                f"{model}: {proposal} already promoted version {mine[-1].version} in place of "
                f"{conflicts.version_named(mine[-1].expected)}; nothing was changed"
            )
        if mine:
            return mine[-1]
        conflicts.require_champion(past, model, version, expected)
        row = Promotion(
            model=model,
            number=len(past) + 1,
            proposal=proposal,
            version=version,
            expected=expected,
            effective_from=effective_from,
            by=by,
            reason=reason,
        )

        def allowed(link: sa.Connection) -> None:
            conflicts.require_standing(link, row)
            freezes.require_may_promote(link, row)

        try:
            self._insert(PROMOTIONS, stored.row_of(row), allowed)
        except sa.exc.IntegrityError:
            # Somebody took this number: the comparison above now fails and says who.
            return self.promote(
                model,
                proposal,
                version=version,
                expected=expected,
                effective_from=effective_from,
                by=by,
                reason=reason,
            )
        return row

    def adopt(self, adoption: Adoption) -> Adoption:
        """Append a person's word for all rows so far, signed or not."""
        self._insert(ADOPTIONS, stored.row_of(adoption))
        return adoption

    def alone(self, model: str, write: Callable[[sa.Connection], _Row]) -> _Row:
        """Write about a model in one transaction, as `expiring` and `looking` do."""
        with self._engine.begin() as link:
            triggers.alone(link, model)
            return write(link)

    def freeze(self, model: str, state: FreezeState, *, by: str, reason: str) -> Freeze | None:
        """Append that a person stopped a model or let it go on; None if it is so already."""
        past = self.freezes(model)
        if state == (past[-1].state if past else "thawed"):
            return None
        row = Freeze(
            model=model,
            number=len(past) + 1,
            state=state,
            by=by,
            reason=reason,
            recorded_at=datetime.now(UTC),
        )
        try:
            self._insert(FREEZES, stored.row_of(row))
        except sa.exc.IntegrityError:
            return self.freeze(model, state, by=by, reason=reason)  # somebody else was first
        return row

    def claim(self, notice: Notice) -> bool:
        """Append the claim to tell a channel of an event; False if another process has it."""
        try:
            self._insert(NOTICES, stored.row_of(notice))
        except sa.exc.IntegrityError:
            return False
        return True

    def deliver(self, delivery: Delivery) -> Delivery:
        """Append how an attempt to tell a channel ended, once."""
        return self._once(DELIVERIES, delivery, ("event", "channel", "attempt"), compare=False)

    def _once(
        self,
        table: sa.Table,
        row: _Row,
        key: tuple[str, ...],
        but: tuple[str, ...] = (),
        compare: bool = True,
        allowed: Callable[[sa.Connection], None] | None = None,
    ) -> _Row:
        try:
            self._insert(table, stored.row_of(row), allowed)
            return row
        except sa.exc.IntegrityError:
            names = ("model", *key)
            query = sa.select(table).where(*(table.c[n] == getattr(row, n) for n in names))
            with self._engine.connect() as link:
                earlier = stored.records(link, query, type(row))[0]
            if compare:
                conflicts.require_same(earlier, row, but=but)
            return earlier

    def _insert(
        self,
        table: sa.Table,
        row: Mapping[str, Any],
        allowed: Callable[[sa.Connection], None] | None = None,
    ) -> None:
        with self._engine.begin() as link:
            triggers.alone(link, row["model"])
            if allowed is not None:
                allowed(link)
            sealing.append(link, table, {"recorded_at": datetime.now(UTC), **row})


_connection = cache(Ledger)


@cache
def _opened(url: str) -> Ledger:
    ledger = _connection(url)
    try:
        migrations.make_ready(ledger._engine)
    except BaseException:
        ledger.close()
        raise
    return ledger
