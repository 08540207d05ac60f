"""The digest that names a registered model: over every file of its folder, and nothing else."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from tasks.classifier import skops_file
from tasks.errors import Final

MODEL_FOLDER = "model.skops"
LINEAGE_FILE = "lineage.json"
SUMS = "SHA256SUMS"
SIGNATURE = "model.sig"
_KNOWN = {
    "MLmodel",
    MODEL_FOLDER,
    LINEAGE_FILE,
    "conda.yaml",
    "python_env.yaml",
    "requirements.txt",
    SUMS,
    SIGNATURE,
}


class WrongFiles(Final):
    """A folder that is not the model that was accepted: names the file."""


def model_digest(model: Any) -> str:
    """Return the digest of a model's file alone: 64 hex digits, equal for equal fits."""
    return _sha256(skops_file.dump(model))


def file_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a folder but the signature, by its path in the folder."""
    found = sorted(p for p in folder.rglob("*") if p.is_file())
    named = {p.relative_to(folder).as_posix(): _sha256(p.read_bytes()) for p in found}
    return {name: digest for name, digest in named.items() if name != SIGNATURE}


def sums(folder: Path) -> str:
    """Return the files and their digests, in the layout of `sha256sum`; not that of SUMS itself."""
    return "".join(f"{d}  {name}\n" for name, d in file_digests(folder).items() if name != SUMS)


def folder_digest(folder: Path) -> str:
    """Return the artifact digest of a model folder: 64 hex digits, `sha256sum SHA256SUMS`."""
    return _sha256(sums(folder).encode())


def require_files(folder: Path, expected: str) -> None:
    """Return if the folder holds exactly the files of this digest, and no kind that is not ours.

    Raises
    ------
    WrongFiles
        If not. A pickle is not ours, whoever signed it.
    """
    strangers = sorted(p.name for p in folder.rglob("*") if p.name not in _KNOWN)
    if strangers:
        raise WrongFiles(f"{', '.join(strangers)} does not belong to a model")
    found = folder_digest(folder)
    if found != expected:
        raise WrongFiles(
            f"it is another candidate than the accepted one: digest {found[:12]} where the ledger "
            f"has {expected[:12]}"
        )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
