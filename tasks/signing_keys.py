"""The elliptic keys that sign and verify: where they are, how they are made.

Whoever trains needs the private one; whoever only loads models needs public ones alone. To change
the key, name the old public key beside the new one in GATELATCH_VERIFY_KEY, separated by a colon.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from time import time
from typing import cast
from uuid import uuid4

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tasks.disk import whole, writing

_MAKING = 60  # seconds, after which nobody makes that key any more


class KeyUnusable(Exception):
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


def prepare() -> None:
    """Create a pair of keys if there is none.

    Not on a machine that was told whom to trust: it only verifies.
    """
    path = private_path()
    _tidy(path)
    if not path.exists() and not os.environ.get("GATELATCH_VERIFY_KEY"):
        _create(path)
    if path.exists() and not _beside(path).exists():
        with whole(_beside(path), "the public key") as file:
            file.write_bytes(pem(private().public_key()))


def _create(path: Path) -> None:
    partial = path.with_name(f"{path.name}.{uuid4().hex}")  # threads, too, may be at it at once
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with writing(f"the signing key {path}"):
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
    """Return the key that signs. Raises KeyUnusable."""
    path = private_path()
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise KeyUnusable(
            f"no key to sign with: {path}: {error}; name one in GATELATCH_SIGNING_KEY, or let "
            "`python -m tasks init` make one"
        ) from None
    return cast(ec.EllipticCurvePrivateKey, key)


def public() -> dict[Path, ec.EllipticCurvePublicKey]:
    """Return the keys that are trusted. Raises KeyUnusable."""
    keys = {}
    for path in public_paths():
        try:
            key = serialization.load_pem_public_key(path.read_bytes())
        except (OSError, ValueError, TypeError) as error:
            raise KeyUnusable(
                f"no key to verify with: {path}: {error}; name the public key of whoever signs in "
                "GATELATCH_VERIFY_KEY"
            ) from None
        keys[path] = cast(ec.EllipticCurvePublicKey, key)
    return keys


def pem(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a public key as text."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
