"""Keys: are they there, closed to others, and the signing one among those that are trusted?"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.doctor.finding import Finding
from tasks.signing import keyring
from tasks.signing.keyring import KeyUnusable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True, kw_only=True)
class KeyFacts:
    """What there is of one pair: the private key's file, and the public ones that are trusted.

    `signer` is the private key's fingerprint; None: it is not wanted here. `faults` are sentences
    of keys that cannot be used.
    """

    private: Path
    signer: str | None
    mode: int | None
    trusted: frozenset[str]
    faults: tuple[str, ...]
    trusting: str  # the variable with the public keys


def look_at_keys(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is wrong with the keys of this process."""
    for facts in _pairs(environment):
        yield from key_findings(facts)


def key_findings(facts: KeyFacts) -> Iterator[Finding]:
    """Yield what is wrong with a pair. Pure."""
    for fault in facts.faults:
        yield Finding(
            state="ill",
            finding=fault,
            remedy="put the key back from its backup; a new one (`python -m tasks init`) does not "
            "verify what the old one signed",
        )
    if facts.mode is not None and facts.mode & (stat.S_IRWXG | stat.S_IRWXO):
        everybody = bool(facts.mode & stat.S_IRWXO)
        yield Finding(
            state="ill" if everybody else "warning",
            finding=f"the private key {facts.private} is open to "
            f"{'every user' if everybody else 'its group'} of this machine "
            f"(mode {facts.mode:04o})",
            remedy=f"run chmod 600 {facts.private}, and make a new key if others may have read it",
        )
    if facts.signer is not None and not facts.faults and facts.signer not in facts.trusted:
        yield Finding(
            state="ill",
            finding=f"what {facts.private} signs is trusted by nobody: its public key is not "
            f"among those of {facts.trusting}",
            remedy=f"name its public key ({facts.private.with_suffix('.pub')}) in "
            f"{facts.trusting} too, beside the others and separated by {os.pathsep}",
        )


def _pairs(environment: Mapping[str, str]) -> Iterator[KeyFacts]:
    private, answers = keyring.private_path(), keyring.answer_path()
    # Who only verifies has no private key; an API server has the answers' alone.
    wanted = bool(environment.get("GATELATCH_SIGNING_KEY")) or not (
        environment.get("GATELATCH_VERIFY_KEY") or answers
    )
    if answers and not private.exists():
        wanted = False
    yield _pair(
        private, keyring.private if wanted else None, keyring.public, "GATELATCH_VERIFY_KEY"
    )
    if answers:
        yield _pair(
            answers,
            keyring.writing_key if not wanted else None,
            keyring.public_of_answers,
            "GATELATCH_ANSWER_VERIFY_KEY",
        )


def _pair(
    path: Path,
    private: Callable[[], ec.EllipticCurvePrivateKey] | None,
    public: Callable[[], Mapping[Path, ec.EllipticCurvePublicKey]],
    trusting: str,
) -> KeyFacts:
    faults: list[str] = []
    signer = None
    trusted: frozenset[str] = frozenset()
    try:
        if private is not None:
            signer = keyring.fingerprint(private().public_key())
    except KeyUnusable as error:
        faults.append(str(error))
    try:
        trusted = frozenset(map(keyring.fingerprint, public().values()))
    except KeyUnusable as error:
        faults.append(str(error))
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        mode = None
    return KeyFacts(
        private=path,
        signer=signer,
        mode=mode,
        trusted=trusted,
        faults=tuple(faults),
        trusting=trusting,
    )
