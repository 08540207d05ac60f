"""Where a model stands, read from its newest windows and from what its latches remember.

What they remember is kept in the store, signed by a worker. It is a cache and never the truth: it
counts if it is of this spec, this release, and this chain up to a link that is still there, and if
nothing that was written since belongs before it. Else all is read and folded, as by `status.read`.
So a run of the monitor costs the same, however long the past is.
"""

from __future__ import annotations

import json
import logging
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from tasks import __version__, formats, store
from tasks.disk import Unusable
from tasks.drift.episode import breach_of
from tasks.ledger import kept_memories, latches, remembered, sealing, status, stored
from tasks.ledger.chain import Link
from tasks.ledger.extended import BegunReign, reigned
from tasks.ledger.latches import Memories
from tasks.ledger.reader import LedgerReader, ModelRows, rows_of
from tasks.ledger.records import Promotion, champion_at
from tasks.ledger.status import Status
from tasks.ledger.tables import OBSERVATIONS
from tasks.signing import signatures
from tasks.signing.keyring import KeyUnusable
from tasks.signing.signatures import SignatureRefused
from tasks.spec.model import ModelSpec
from tasks.spec.windows import labels_awaited_until

FOLD_FORMAT = 2  # since 2 a window that waits for labels does not help to close
NEWEST_READ = 64  # windows that are read at least
BEHIND = 64  # links, after which what is kept is renewed
_Kept = TypeVar("_Kept")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class KeptFold:
    """What the latches remember of all windows that start before `since`, as of a link.

    `reigned` are the reigns that had begun by then.
    """

    position: int
    digest: str
    since: datetime
    reigned: tuple[BegunReign, ...]
    memories: Memories


def read_newest(spec: ModelSpec, ledger: LedgerReader, *, keep: bool = True) -> Status:
    """Return the status of a model for whoever acts on it; it may lack older windows.

    It has the newest 64 windows, those that wait for labels, those of an open episode and of what
    its retrain has to learn, and those since a promotion while earlier champions are measured
    beside it. All that does not list windows is as `status.read` has it.

    Parameters
    ----------
    keep
        Whether to keep what was folded, for which the workers' key is needed.
    """
    kept = load_fold(spec)
    with ledger.at_one_moment() as link:
        head = sealing.newest(link, spec.model)
        found = None if kept is None else fold_on(link, spec, kept)
        if kept is not None and found is not None:
            needed = needed_since(found)
            # Fewer windows are left where a promotion begins before windows that it did not judge.
            few = len(found.observations) < NEWEST_READ
            if few or needed is None or needed < kept.since:
                found = None
        if found is None:
            kept, found = None, status.read_on(spec, link)
    if keep and head is not None and (kept is None or head.position - kept.position > BEHIND):
        _keep(spec, found, kept, head)
    return found


def fold_on(link: sa.Connection, spec: ModelSpec, kept: KeptFold) -> Status | None:
    """Return the status of the windows from what is kept on; None if it does not go before them."""
    rows = _rows_since(link, spec, kept)
    return None if rows is None else status.folded(spec, rows, kept.memories)


def _rows_since(link: sa.Connection, spec: ModelSpec, kept: KeptFold) -> ModelRows | None:
    """Return the rows from what is kept on; None if it does not go before them."""
    model = spec.model
    links = sealing.links_from(link, model, kept.position)
    if not links or (links[0].position, links[0].digest) != (kept.position, kept.digest):
        return None
    if links[-1].position != kept.position + len(links) - 1:
        return None  # a gap, which the audit names
    rows = rows_of(link, model, ())
    if reigned(rows.promotions, kept.since) != kept.reigned:
        return None
    if not _newer(link, links[1:], rows.promotions, kept.since):
        return None
    ruled = champion_at(rows.promotions, kept.since)
    versions = {p.version for p in rows.promotions if p.effective_from > kept.since}
    versions |= {ruled.version} if ruled else set()
    c = OBSERVATIONS.c
    seen = stored.observations(
        link, model, c.version.in_(versions), c.window_start >= kept.since
    ).values()
    rows = replace(rows, observations=stored.ruling(seen, rows.promotions))
    return rows if kept.memories.go_before(spec, rows) else None


def _newer(
    link: sa.Connection, links: list[Link], promotions: list[Promotion], since: datetime
) -> bool:
    """Return whether no window that counts and starts earlier was written with these links."""
    ids = [one.row_id for one in links if one.table_name == OBSERVATIONS.name]
    c = OBSERVATIONS.c
    query = sa.select(c.version, c.window_start).where(c.id.in_(ids))
    written = link.execute(query).all()
    return len(written) == len(ids) and not any(
        (ruled := champion_at(promotions, start)) is not None and ruled.version == version
        for version, start in written
        if start < since
    )


def needed_since(known: Status) -> datetime | None:
    """Return the start of the oldest window that whoever acts may look at; None without windows."""
    seen, until, spec = known.observations, known.observed_until, known.spec
    if until is None:
        return None
    oldest = seen[-NEWEST_READ:][0].window_start
    waiting = (o.window_start for o in seen if labels_awaited_until(spec, o.window) >= until)
    found = [oldest, next(waiting, oldest)]
    for episode in (known.history.now.episode, known.calibration.now.episode):
        if (breach := breach_of(episode)) is not None:
            found += [breach, *known.changes(episode, until)]
    newest = seen[-1].window_start
    if remembered.beside(spec, known.reigns(newest), newest):
        found.append(known.promotions[-1].effective_from)
    return min(found)


def _keep(spec: ModelSpec, known: Status, kept: KeptFold | None, head: Link) -> None:
    """Keep what the latches remember of the windows that nobody who acts looks at."""
    since = needed_since(known)
    made = None if since is None else fold_before(spec, known, kept, head, since)
    if made is not None:
        write_sealed(spec, _place(spec), json.dumps(fold_to_json(spec, made)))


def fold_before(
    spec: ModelSpec, known: Status, kept: KeptFold | None, head: Link, since: datetime
) -> KeptFold | None:
    """Return what the latches remember of the windows before a moment; None if that is nothing.

    Parameters
    ----------
    known
        All windows, or those from what is `kept` on.
    """
    early = [o for o in known.observations if o.window_start < since]
    if any(o.window_end > since for o in early) or not (early or kept):
        return None
    before = kept.memories if kept else Memories()
    return KeptFold(
        position=head.position,
        digest=head.digest,
        since=since,
        reigned=reigned(known.promotions, since),
        memories=latches.latches_of(
            spec, known.rows_with(early), before, known.observed_until
        ).memories,
    )


def write_sealed(spec: ModelSpec, place: str, content: str) -> None:
    """Keep a text in the store under a worker's signature; the log says if that cannot be."""
    try:
        sealed = signatures.seal_content(content.encode(), place)
        kept_as = {"fold": content, "signature": b64encode(sealed).decode()}
        store.write(f"{place}.json", json.dumps(kept_as))
    except (Unusable, KeyUnusable) as error:
        _LOG.warning("%s: what its latches remember is not kept: %s", spec.model, error)


def load_fold(spec: ModelSpec) -> KeptFold | None:
    """Return what is kept for a model as its spec is now; None if there is nothing to trust.

    What was changed, or signed by a key that is not trusted, is named in the log.
    """
    return read_sealed(spec, _place(spec), lambda content: fold_from_json(spec, content))


def read_sealed(
    spec: ModelSpec, place: str, load: Callable[[dict[str, Any]], _Kept | None]
) -> _Kept | None:
    """Return what `load` makes of the JSON that is kept at a place; None if there is none.

    What was changed, or signed by a key that is not trusted, is named in the log.
    """
    try:
        raw = formats.parsed_json(store.read_bytes(f"{place}.json"))
        content = str(raw["fold"])
        sealed = b64decode(raw["signature"], validate=True)
        signatures.check_content(content.encode(), place, sealed)
        return load(formats.parsed_json(content))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, SignatureRefused, KeyUnusable) as error:
        _LOG.warning(
            "%s: what the store keeps of its latches (%s) is not used, and all windows are read: "
            "%s",
            spec.model,
            store.url(f"{place}.json"),
            type(error).__name__ if isinstance(error, ValueError | LookupError) else error,
        )
        return None


def fold_to_json(spec: ModelSpec, kept: KeptFold) -> dict[str, object]:
    """Return it ready for JSON."""
    return {
        formats.KEY: FOLD_FORMAT,
        formats.CODE: __version__,
        "spec": spec.digest,
        "position": kept.position,
        "digest": kept.digest,
        "since": kept.since.isoformat(),
        "reigned": [(*one, since.isoformat()) for *one, since in kept.reigned],
        "drift": kept_memories.memory_to_json(kept.memories.drift),
        "calibration": kept_memories.memory_to_json(kept.memories.calibration),
    }


def fold_from_json(spec: ModelSpec, raw: Mapping[str, Any]) -> KeptFold | None:
    """Return what `fold_to_json` wrote; None if that was for another spec or release."""
    mine = (FOLD_FORMAT, __version__, spec.digest)
    if (raw[formats.KEY], raw[formats.CODE], raw["spec"]) != mine:
        return None  # as after an upgrade, or a new spec: it is made anew
    return KeptFold(
        position=raw["position"],
        digest=raw["digest"],
        since=datetime.fromisoformat(raw["since"]),
        reigned=tuple(BegunReign(n, v, datetime.fromisoformat(at)) for n, v, at in raw["reigned"]),
        memories=Memories(
            kept_memories.memory_from_json(raw["drift"]),
            kept_memories.memory_from_json(raw["calibration"]),
        ),
    )


def _place(spec: ModelSpec) -> str:
    return f"folds/{spec.model}"
