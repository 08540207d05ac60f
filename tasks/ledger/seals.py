"""Signatures over the chain's links: which key wrote each row of the ledger, and whether it might.

The workers' keys may write anything. The key of the API server may record what people answer, and
nothing else: no question, no candidate, no promotion, and no approval by policy.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tasks.ledger.chain import Link, Row, Seal, Trail, named
from tasks.ledger.records import POLICY
from tasks.signing import keyring, signatures

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

KeyRole = Literal["workers", "answers"]
STEPS = ("retrain", "promote", "rollback")  # those that people are asked about


@dataclass(frozen=True)
class Signer:
    """A public key that is trusted, and with what."""

    key: EllipticCurvePublicKey
    role: KeyRole


Trusted = Mapping[str, Signer]  # by fingerprint


def trusted() -> Trusted:
    """Return the keys that this process was told to trust.

    Raises
    ------
    tasks.signing.keyring.KeyUnusable
        If one is missing or no key.
    """

    found: dict[str, Signer] = {}
    for key in keyring.public_of_answers().values():
        found[keyring.fingerprint(key)] = Signer(key, "answers")
    for key in keyring.public().values():  # a key for both is the workers'
        found[keyring.fingerprint(key)] = Signer(key, "workers")
    return found


def seal(model: str, link: Link) -> Seal:
    """Sign a link with the key of this process.

    Raises
    ------
    tasks.signing.keyring.KeyUnusable
        If there is none.
    """

    key = keyring.writing_key()
    made = key.sign(statement(model, link.position, link.digest), signatures.ecdsa())
    signer = keyring.fingerprint(key.public_key())
    return Seal(link.position, signer, b64encode(made).decode())


def statement(model: str, position: int, digest: str) -> bytes:
    """Return what a seal signs: this link, at this place of this model's chain."""
    return f"gatelatch ledger\0{model}\0{position}\0{digest}".encode()


def holds(model: str, position: int, digest: str, made: Seal, keys: Trusted) -> bool:
    """Return whether a trusted key made this seal over this link."""
    from cryptography.exceptions import InvalidSignature

    if made.position != position or made.signer not in keys:
        return False
    try:
        signature = b64decode(made.signature, validate=True)
        content = statement(model, position, digest)
        keys[made.signer].key.verify(signature, content, signatures.ecdsa())
    except (InvalidSignature, ValueError):
        return False
    return True


def may_write(role: KeyRole, table: str, row: Row) -> bool:
    """Return whether keys of that role may write this row."""
    if role == "workers":
        return True
    return table == "decisions" and row["step"] in STEPS and row["by"] != POLICY


def refusal(
    model: str, link: Link, row: Row | None, made: Seal | None, keys: Trusted
) -> str | None:
    """Return why a link does not count as written by who might; None if it does.

    Without its `row` only the signature is looked at.
    """
    if made is None:
        return f"{named(link)} is not signed: it was written past the ledger, or before it signed"
    signer = keys.get(made.signer)
    if signer is None:
        return f"{named(link)} is signed by a key that is not trusted: {made.signer[:12]}…"
    if not holds(model, link.position, link.digest, made, keys):
        return f"{named(link)} is not what the signature on it was made for"
    if row is not None and not may_write(signer.role, link.table_name, row):
        return f"{named(link)} is signed by the key for people's answers, which may not write it"
    return None


def adopted(trail: Trail) -> int:
    """Return up to which position rows count though they are not signed: 0 if nobody said so."""
    return max((row["position"] for _, row in _adoptions(trail)), default=0)


def lost(trail: Trail) -> set[str]:
    """Return the kept heads that a person has given up, as after a backup was put back."""
    return {head for _, row in _adoptions(trail) for head in row["lost"]}


def _adoptions(trail: Trail) -> list[tuple[Link, Row]]:
    rows = [(link, trail.rows.get((link.table_name, link.row_id))) for link in trail.links]
    return [(link, row) for link, row in rows if row and link.table_name == "adoptions"]


def seal_fault(model: str, trail: Trail, keys: Trusted) -> str | None:
    """Return a sentence on the first row that no allowed key signed; None if all are signed.

    Of rows in unread tables only the newest is looked at. Whoever writes a row has looked at the
    seal before it, so that nothing signed stands on what is not.
    """
    since = adopted(trail)
    for link, word in _adoptions(trail):
        vouched = word["position"]
        there = trail.at(vouched) if 0 < vouched < link.position else None
        if there is None or there.digest != word["head"]:
            return f"{named(link)} is the word for a chain that is not this one"
    for link in trail.links:
        if link.position <= since:
            continue
        if link.table_name in trail.unread and link is not trail.links[-1]:
            continue
        row = trail.rows.get((link.table_name, link.row_id))
        if why := refusal(model, link, row, trail.seals.get(link.position), keys):
            return why
    positions = {link.position for link in trail.links}
    for position in sorted(trail.seals.keys() - positions):
        return f"signature {position} has no link: the rows from there on were cut off"
    return None
