"""Signatures over a model's folder (OpenSSF model-signing), and over what steps hand over."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from contextlib import suppress
from pathlib import Path
from typing import Any

from tasks.errors import Final
from tasks.formats import parsed_json
from tasks.signing import keyring
from tasks.signing.artifact import SIGNATURE, file_digests


class SignatureRefused(Final):
    """The file is not the one that was signed; the message names it."""


def sign(folder: Path) -> None:
    """Sign all files of a folder; the signature becomes one of them.

    Raises
    ------
    tasks.signing.keyring.KeyUnusable
        If there is no key to sign with.
    """
    from model_signing.signing import Config

    keyring.private()  # a clear error if there is none
    signer = Config().set_hashing_config(_every_file())
    signer.use_elliptic_key_signer(private_key=keyring.private_path())
    signer.sign(folder, folder / SIGNATURE)


def verify(folder: Path) -> None:
    """Return if the folder's files are exactly those that a trusted key signed.

    Raises
    ------
    SignatureRefused
        If the signature is missing, broken or by another key; if a file is changed, missing or
        extra: names it.
    tasks.signing.keyring.KeyUnusable
        If there is no key to verify with.
    """
    from model_signing.verifying import Config

    signature = folder / SIGNATURE
    if not signature.is_file():
        raise SignatureRefused(f"{SIGNATURE} is missing: nobody signed these files")
    verifier = Config().set_hashing_config(_every_file())
    verifier.use_elliptic_key_verifier(public_key=_signer_of(signature))
    try:
        verifier.verify(folder, signature)
    except Exception as error:
        # Whatever a forged file makes the library raise, it is a refusal.
        told = _differences(folder) or str(error) or type(error).__name__
        raise SignatureRefused(f"{SIGNATURE} does not hold: {told}") from None


def _differences(folder: Path) -> str:
    """Return which files are not as the signature has them, for people."""
    try:
        envelope = parsed_json((folder / SIGNATURE).read_bytes())["dsseEnvelope"]
        resources = parsed_json(b64decode(envelope["payload"]))["predicate"]["resources"]
        signed = {r["name"]: r["digest"] for r in resources}
    except (ValueError, KeyError, TypeError):
        return "it cannot be read"
    there = file_digests(folder)
    return ", ".join(
        [f"{name} was changed" for name in signed if there.get(name, signed[name]) != signed[name]]
        + [f"{name} is missing" for name in signed if name not in there]
        + [f"{name} is extra" for name in there if name not in signed]
    )


def _every_file() -> Any:
    from model_signing.hashing import Config

    # Files of git count too: nothing may be added unseen.
    return Config().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)


def _signer_of(signature: Path) -> Path:
    """Return the trusted key that the signature claims to be made with."""
    try:
        claimed = parsed_json(signature.read_bytes())["verificationMaterial"]["publicKey"]["hint"]
    except (ValueError, KeyError, TypeError):
        raise SignatureRefused(f"{SIGNATURE} is no signature by a key") from None
    for path, key in keyring.public().items():
        if keyring.fingerprint(key) == claimed:
            return path
    raise SignatureRefused(f"{SIGNATURE} was made with another key than {_trusted()}")


def _trusted() -> str:
    return ", ".join(map(str, keyring.public_paths()))


def seal_content(content: bytes, place: str) -> bytes:
    """Return a signature over content and the place that it belongs to, such as `run/name`."""
    return keyring.private().sign(_statement(content, place), ecdsa())


def check_content(content: bytes, place: str, sealed: bytes) -> None:
    """Return if this very content was sealed for this very place.

    Raises
    ------
    SignatureRefused
        If it was not, or not by a trusted key.
    """
    from cryptography.exceptions import InvalidSignature

    for key in keyring.public().values():
        with suppress(InvalidSignature):
            return key.verify(sealed, _statement(content, place), ecdsa())
    raise SignatureRefused(
        f"{place} is not what a step of this run left there with a key of {_trusted()}"
    )


def _statement(content: bytes, place: str) -> bytes:
    return f"gatelatch handover\0{place}\0{hashlib.sha256(content).hexdigest()}".encode()


def ecdsa() -> Any:
    """Return the algorithm of every signature that is not model-signing's."""
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    return ECDSA(SHA256())
