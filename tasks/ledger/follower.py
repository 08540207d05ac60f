"""A ledger that a long-lived process follows: only what is new is read, and only that is folded.

The cursor is a model's place in its chain. Positions have no gap and each is written behind the
one before, under the model's lock; so none becomes visible before those below it, as row ids do in
PostgreSQL, whose transactions take an id first and commit in another order. A link's digest covers
all links before it: the same digest at the same position means the same past, and another one that
the ledger was replaced. Then the model is read again from its beginning.

A row that was written past the ledger has no link and is not seen here; the audit finds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import NamedTuple

import sqlalchemy as sa

from tasks.disk import Unusable
from tasks.errors import GatelatchError
from tasks.ledger import sealing, stored
from tasks.ledger.chain import LedgerRefused, Link
from tasks.ledger.extended import extended
from tasks.ledger.reader import LedgerReader, ModelRows, rows_of
from tasks.ledger.records import Observation
from tasks.ledger.status import Status, folded
from tasks.ledger.tables import OBSERVATIONS
from tasks.spec.model import ModelSpec

_AT_ONCE = 500  # row ids in one query


class _Head(NamedTuple):
    """The newest link of a model: whoever has read up to it has read everything."""

    position: int
    digest: str


_NO_ROWS = _Head(0, "")  # the head of a model without rows


@dataclass(frozen=True)
class _Read:
    """What was read of a model: up to which link, its observations by row id, and their fold."""

    upto: _Head = _NO_ROWS
    seen: Mapping[int, Observation] = field(default_factory=dict)
    status: Status | None = None


class Follower:
    """What one process has read of a ledger. Its methods may be called from several threads.

    Parameters
    ----------
    reader
        Where the rows come from.
    """

    def __init__(self, reader: LedgerReader) -> None:
        self._reader = reader
        self._lock = Lock()
        self._known: dict[str, _Read] = {}

    def status(self, spec: ModelSpec) -> Status:
        """Return the status of a model as the ledger has it now, as `status.read` does.

        Raises
        ------
        LedgerRefused
            If a link or a linked row is missing.
        """
        with self._lock, self._reader.at_one_moment() as link:
            newest = sealing.newest(link, spec.model)
            return self._status(link, spec, _head_of(newest) if newest else _NO_ROWS)

    def statuses(self, specs: Iterable[ModelSpec]) -> dict[str, Status | GatelatchError]:
        """Return the status of each model by its name, all of one moment.

        Where a model's rows cannot be read, the reason takes the place of its status: its chain has
        a gap, or a newer release wrote a row.
        """
        found: dict[str, Status | GatelatchError] = {}
        with self._lock, self._reader.at_one_moment() as link:
            heads = _heads(link)
            for spec in specs:
                try:
                    found[spec.model] = self._status(link, spec, heads.get(spec.model, _NO_ROWS))
                except Unusable:
                    raise
                except GatelatchError as error:
                    found[spec.model] = error
        return found

    def _status(self, link: sa.Connection, spec: ModelSpec, head: _Head) -> Status:
        known = self._known.get(spec.model, _Read())
        status = known.status
        if status and known.upto == head and (status.spec is spec or status.spec == spec):
            return status
        before = known.seen
        if known.upto != head:
            known = _read_on(link, spec.model, known)
        others = rows_of(link, spec.model, ())
        found = None
        # Another ledger may have rows of the same ids.
        goes_on = all(known.seen.get(row) is one for row, one in before.items())
        if status is not None and status.spec == spec and goes_on:
            new = (o for row, o in known.seen.items() if row not in before)
            found = extended(status, _with(others, new))
        status = found or folded(spec, _with(others, known.seen.values()))
        self._known[spec.model] = replace(known, status=status)
        return status


def _with(others: ModelRows, seen: Iterable[Observation]) -> ModelRows:
    return replace(others, observations=stored.ruling(seen, others.promotions))


def _read_on(link: sa.Connection, model: str, known: _Read) -> _Read:
    """Return what is known of a model together with what is new."""
    links = sealing.links_from(link, model, known.upto.position)
    if known.upto != _NO_ROWS:
        if not links or _head_of(links[0]) != known.upto:
            return _read_on(link, model, _Read())  # another ledger took the place of this one
        del links[0]
    for position, found in enumerate(links, known.upto.position + 1):
        if found.position != position:
            raise LedgerRefused(model, f"link {position} of the chain is missing")
    new = _observations(link, model, [n for n in links if n.table_name == OBSERVATIONS.name])
    upto = _head_of(links[-1]) if links else known.upto
    return _Read(upto, {**known.seen, **new})


def _head_of(link: Link) -> _Head:
    return _Head(link.position, link.digest)


def _observations(link: sa.Connection, model: str, links: list[Link]) -> Mapping[int, Observation]:
    """Return the observations of these links by row id, in the order of the chain."""
    if len(links) > _AT_ONCE:
        found = stored.observations(link, model)
    else:
        found = stored.observations(link, model, OBSERVATIONS.c.id.in_([n.row_id for n in links]))
    for one in links:
        if one.row_id not in found:
            raise LedgerRefused(model, f"row {one.row_id} of observations was removed")
    return {one.row_id: found[one.row_id] for one in links}


def _heads(link: sa.Connection) -> dict[str, _Head]:
    """Return every model's head, by one look for each into the chain's index."""
    return {model: _Head(position, digest) for model, position, digest in link.execute(_HEADS)}


# SQL has no word for the distinct first parts of an index; this walks from one to the next.
_HEADS = sa.text(
    """
    with recursive models (model) as (
      select min(model) from chain
      union all
      select (select min(chain.model) from chain where chain.model > models.model)
      from models where models.model is not null
    ), newest (model, position) as (
      select model, (select max(position) from chain where chain.model = models.model)
      from models where model is not null
    )
    select chain.model, chain.position, chain.digest
    from newest join chain on chain.model = newest.model and chain.position = newest.position
    """
)
