"""The digest that names a registered model: over every file of its folder, and nothing else."""

from __future__ import annotations

import hashlib
from pathlib import Path

SUMS = "SHA256SUMS"
SIGNATURE = "model.sig"


def sums(folder: Path) -> str:
    """Return the folder's files with their digests, in the layout of `sha256sum`.

    Neither the sums themselves nor the signature, which comes after them, are among them.
    """
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    lines = [
        f"{_sha256((folder / name).read_bytes())}  {name}"
        for name in files
        if name not in (SUMS, SIGNATURE)
    ]
    return "\n".join(lines) + "\n"


def digest(folder: Path) -> str:
    """Return the artifact digest of a model folder: 64 hex digits, `sha256sum SHA256SUMS`."""
    return _sha256(sums(folder).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
