"""On which side of a canary a key is: the new champion's, or the version's before it. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.arrays import Mask

if TYPE_CHECKING:
    import pyarrow as pa

_PLACES = 1 << 64


@dataclass(frozen=True, kw_only=True)
class Sides:
    """A `share` of all keys, 0 … 1, drawn with a `secret` of 64 bytes at the most.

    A key has a place between 0 and 1, and is the champion's if that lies below the share. So it
    stays the champion's when the share grows. The place is the first 64 bits of BLAKE2b over the
    key's text, keyed with the secret (RFC 7693).
    """

    share: float
    secret: bytes

    def of_champion(self, keys: pa.Array) -> Mask:
        """Return which keys are the champion's, shape (n,); none of them is null."""
        below = np.uint64(min(int(self.share * _PLACES), _PLACES - 1))
        blake, secret = hashlib.blake2b, self.secret
        made = [blake(key, digest_size=8, key=secret).digest() for key in _texts(keys)]
        return np.asarray(np.frombuffer(b"".join(made), ">u8") < below)


def _texts(keys: pa.Array) -> list[bytes]:
    """Return keys as bytes; a whole number is the same in whatever type it landed."""
    import pyarrow as pa

    if pa.types.is_floating(keys.type):
        numbers = keys.to_pylist()
        return [str(int(n) if n.is_integer() else n).encode() for n in numbers]
    kept = keys if pa.types.is_binary(keys.type) else keys.cast(pa.string()).cast(pa.binary())
    found: list[bytes] = kept.to_pylist()
    return found
