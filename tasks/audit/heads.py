"""Heads of the ledger, kept where its owner cannot reach: in the store, in MLflow, by people.

A head is a link of the chain with the signature on it. It proves that everything up to it once was
there. So it shows if the tail was later cut off or written again.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks import store
from tasks.disk import Unusable
from tasks.errors import Final
from tasks.formats import parsed_json
from tasks.ledger import seals
from tasks.ledger.chain import Link, Seal, Trail

if TYPE_CHECKING:
    from tasks.ledger.ledger import Ledger

HEADS_SCHEMA = "gatelatch.head/1"
_LOG = logging.getLogger(__name__)


class NoHead(Final):
    """What a person named as a kept head is no head; the message says what was named."""


@dataclass(frozen=True)
class Head:
    """The newest link at some moment, who signed it, and where that was kept.

    Of a digest that somebody noted there is neither position nor signature.
    """

    digest: str
    where: str
    position: int | None = None
    seal: Seal | None = None


def head_to_json(model: str, link: Link, made: Seal) -> str:
    """Return a head as it is kept."""
    kept = {
        "schema": HEADS_SCHEMA,
        "model": model,
        "position": link.position,
        "digest": link.digest,
    }
    return json.dumps({**kept, "signer": made.signer, "signature": made.signature})


def from_text(model: str, text: str, where: str) -> Head:
    """Return the head in a text: what `head_to_json` gave, or a digest alone.

    What is neither, or a head of another model, is a digest that no chain holds.
    """
    text = text.strip()
    try:
        kept: Any = parsed_json(text)
        if (kept["schema"], kept["model"]) != (HEADS_SCHEMA, model):
            return Head(text, where)
        made = Seal(int(kept["position"]), str(kept["signer"]), str(kept["signature"]))
        return Head(str(kept["digest"]), where, made.position, made)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return Head(text, where)


def head_fault(model: str, trail: Trail, kept: Iterable[Head], keys: seals.Trusted) -> str | None:
    """Return a sentence on the first kept head that the chain does not hold; None if it does all.

    One that no trusted key signed says nothing, and that is said, unless the chain holds it.
    """
    given_up = seals.lost(trail)
    digests = {link.digest for link in trail.links}
    for head in kept:
        if head.digest in digests | given_up:
            continue
        named = f"the head {head.digest[:12]}… kept {head.where}"
        if head.seal and not seals.holds(model, head.position or 0, head.digest, head.seal, keys):
            return f"{named} is forged: no trusted key signed it"
        return f"{named} is not in the chain: rows up to it were removed, or written again"
    return None


def misplaced(
    promotions: Iterable[tuple[int, int, str]],
    there: Mapping[tuple[int, int], str],
    versions: Collection[int],
    model: str,
) -> str | None:
    """Return a sentence on the first promotion whose head is not in MLflow; None if all are.

    Parameters
    ----------
    promotions
        Number, version and digest of each.
    there
        What MLflow keeps, by number and version.
    versions
        Those that MLflow has; what was deleted can keep nothing.
    """
    for number, version, digest in promotions:
        if version not in versions:
            continue
        kept = there.get((number, version))
        where = f"with version {version} in MLflow"
        if kept is None:
            return f"the head of promotion {number} is not {where}: removed, or not yet kept there"
        if from_text(model, kept, where).digest != digest:
            return f"the head {where} is not the one of promotion {number}"
    return None


def of_promotions(model: str, ledger: Ledger) -> dict[int, tuple[int, str]]:
    """Return the version and the head of each promotion, as MLflow keeps it."""
    found = {}
    for promotion in ledger.promotions(model):
        link, made = ledger.head_at(promotion)
        text = head_to_json(model, link, made) if made else link.digest
        found[promotion.number] = (promotion.version, text)
    return found


def keep(model: str, ledger: Ledger, *, replace: bool = False) -> None:
    """Keep the newest head in the store; an older one does not replace it unless `replace`.

    A store that cannot be written to is named in the log: the ledger is complete without it.
    """

    link, made = ledger.head(model) or (None, None)
    if link is None or made is None:
        return
    there = in_store(model)
    if there is None or replace or (there.position or 0) < link.position:
        try:
            store.write(_path(model), head_to_json(model, link, made))
        except Unusable as error:
            _LOG.warning("%s: the ledger's head is not kept in the store: %s", model, error)


def in_store(model: str) -> Head | None:
    """Return the head that the store keeps; None if there is none.

    A store that does not answer is named in the log: no answer of a person is lost with it.
    """

    try:
        kept = store.read_bytes(_path(model)).decode(errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        _LOG.warning("%s: the head in the store is not looked at: %s", model, error)
        return None
    return from_text(model, kept, "in the store")


def named_head(model: str, given: str) -> Head:
    """Return the head that a person names: its digest, or the file that `--save` wrote.

    Raises
    ------
    NoHead
        If it is neither.
    """
    if re.fullmatch("[0-9a-f]{64}", given):
        return Head(given, "by you")
    try:
        head = from_text(model, Path(given).read_text(), f"in {given}")
    except (OSError, UnicodeDecodeError) as error:
        raise NoHead(f"{given} is neither a digest nor a file with a head: {error}") from None
    if head.seal is None and not re.fullmatch("[0-9a-f]{64}", head.digest):
        raise NoHead(f"{given} holds no head of {model}")
    return head


def _path(model: str) -> str:
    return f"heads/{model}.json"
