"""The elliptic keys that sign and verify: where they are, how they are made.

Whoever trains needs the workers' private one; whoever only loads models needs public ones alone. To
change the key, name the old public key beside the new one in GATELATCH_VERIFY_KEY, separated by a
colon. An API server that has no workers' key signs people's answers with a key of its own.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from time import time
from typing import cast
from uuid import uuid4

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tasks import disk
from tasks.errors import Final

_MAKING = 60  # seconds, after which nobody makes that key any more


class KeyUnusable(Final):
    """A key file is missing or no key: names the file, the variable and the way out."""


def private_path() -> Path:
    """Return where the key is that signs."""
    return Path(os.environ.get("GATELATCH_SIGNING_KEY") or ".run/signing.pem")


def public_paths() -> list[Path]:
    """Return where the keys are that are trusted; if not told, beside the private one."""
    named = os.environ.get("GATELATCH_VERIFY_KEY")
    return [Path(p) for p in named.split(os.pathsep)] if named else [_beside(private_path())]


def _beside(key: Path) -> Path:
    return key.with_suffix(".pub")


def answer_path() -> Path | None:
    """Return where the key is that signs people's answers; None: they have none of their own."""
    named = os.environ.get("GATELATCH_ANSWER_KEY")
    return Path(named) if named else None


def answer_paths() -> list[Path]:
    """Return where the public keys are whose answers count; if not told, beside the private one."""
    named, own = os.environ.get("GATELATCH_ANSWER_VERIFY_KEY"), answer_path()
    if named:
        return [Path(p) for p in named.split(os.pathsep)]
    return [_beside(own)] if own else []


def create_keys() -> None:
    """Create the pairs of keys that are missing.

    A machine with GATELATCH_VERIFY_KEY only verifies and gets no pair. The workers' public key is
    copied beside the answers' key, because the API server sees only that folder.
    """
    path, answers = private_path(), answer_path()
    if not os.environ.get("GATELATCH_VERIFY_KEY"):
        _prepare(path)
        if answers:
            _prepare(answers)
    public, beside = _beside(path), answers and answers.with_name(_beside(path).name)
    if beside and public.exists() and not beside.exists():
        _publish(beside, public.read_bytes())


def _prepare(path: Path) -> None:
    _tidy(path)
    if not path.exists():
        _create(path)
    if not _beside(path).exists():
        _publish(_beside(path), pem(_private(path).public_key()))


def _publish(path: Path, key: bytes) -> None:
    with disk.whole(path, "the public key") as file:
        file.write_bytes(key)


def _create(path: Path) -> None:
    partial = path.with_name(f"{path.name}.{uuid4().hex}")  # threads, too, may be at it at once
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with disk.writing(f"the signing key {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.touch(mode=0o600)
            partial.write_bytes(key)
            with suppress(FileExistsError):  # another process was first, and its key stands
                os.link(partial, path)
        finally:
            partial.unlink(missing_ok=True)


def _tidy(path: Path) -> None:
    """Remove what a `kill -9` left of the making of a key."""
    for left in path.parent.glob(f"{path.name}.{'[0-9a-f]' * 32}"):
        with suppress(FileNotFoundError):
            if time() - left.stat().st_mtime > _MAKING:
                left.unlink()


def private() -> ec.EllipticCurvePrivateKey:
    """Return the workers' key, which signs models and what steps hand over. Raises KeyUnusable."""
    return _private(private_path())


def writing_key() -> ec.EllipticCurvePrivateKey:
    """Return the key that signs what this process writes into the ledger. Raises KeyUnusable.

    The workers' if it is here, else the one for people's answers.
    """
    answers = answer_path()
    return _private(answers if answers and not private_path().exists() else private_path())


def _private(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise KeyUnusable(
            f"no key to sign with: {path}: {error}; name one in GATELATCH_SIGNING_KEY, or let "
            "`python -m tasks init` make one"
        ) from None
    return cast(ec.EllipticCurvePrivateKey, key)


def public() -> dict[Path, ec.EllipticCurvePublicKey]:
    """Return the workers' keys that are trusted. Raises KeyUnusable."""
    return {path: _public(path, "GATELATCH_VERIFY_KEY") for path in public_paths()}


def public_of_answers() -> dict[Path, ec.EllipticCurvePublicKey]:
    """Return the keys whose answers count besides the workers'. Raises KeyUnusable."""
    return {path: _public(path, "GATELATCH_ANSWER_VERIFY_KEY") for path in answer_paths()}


def _public(path: Path, variable: str) -> ec.EllipticCurvePublicKey:
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise KeyUnusable(
            f"no key to verify with: {path}: {error}; name the signer's public key in {variable}"
        ) from None
    return cast(ec.EllipticCurvePublicKey, key)


def fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    """Return the name of a public key: 64 hex digits of SHA-256 over its text."""
    return hashlib.sha256(pem(key)).hexdigest()


def pem(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a public key as text."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
