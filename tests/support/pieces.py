"""What is written in files that are packed, and in which of them a word stands."""

from __future__ import annotations

import base64
import gzip
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from zipfile import ZipFile, is_zipfile

import pyarrow.parquet as pq

_BASE64 = re.compile(rb"[A-Za-z0-9+/]{24,}={0,2}")
_BYTEA = re.compile(rb"\\x((?:[0-9a-f]{2}){8,})")


def parts(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield a file's content, and unpacked what is packed in it."""
    yield name, content
    if content[:2] == b"\x1f\x8b":
        yield from parts(f"{name}/gunzipped", gzip.decompress(content))
    elif content[:4] == b"PAR1":
        yield f"{name}/rows", str(pq.read_table(io.BytesIO(content)).to_pylist()).encode()
    elif is_zipfile(io.BytesIO(content)):
        archive = ZipFile(io.BytesIO(content))
        for member in archive.namelist():
            yield from parts(f"{name}/{member}", archive.read(member))


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield what is in the files of a folder, by its path from there."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield from parts(str(path.relative_to(folder)), path.read_bytes())


def messages(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what Redis kept, and the messages of Celery in it, whose bodies are base64."""
    yield name, content
    bodies = (body for body in _BASE64.findall(content) if len(body) % 4 == 0)
    yield f"{name}/bodies", b"\n".join(base64.b64decode(body) for body in bodies)


def dumped(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield a dump of PostgreSQL, and what it writes as hexadecimal digits."""
    yield name, content
    yield f"{name}/bytea", b"\n".join(bytes.fromhex(h.decode()) for h in _BYTEA.findall(content))


def where(pieces: Iterable[tuple[str, bytes]], words: dict[str, bytes]) -> dict[str, set[str]]:
    """Return in which of the pieces each word stands, in any case."""
    found: dict[str, set[str]] = {word: set() for word in words}
    for name, content in pieces:
        lower = content.lower()
        for word, wanted in words.items():
            if wanted.lower() in lower:
                found[word].add(name)
    return found
