"""Passwords that an environment holds, and texts without them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, unquote_plus

# Up to the last @, also where somebody forgot the scheme; and up to the first, with a / before it.
_USERINFO = (
    re.compile(r"(?:://|^)[^/@\s:]*:([^/\s]+)@"),
    re.compile(r"://[^/@\s:]*:([^@\s]+)@"),
)
_QUERY = re.compile(r"[?&](?:password|passwd|sslpassword|token|secret)=([^&\s#]+)", re.IGNORECASE)
_SECRET_NAMES = ("PASSWORD", "TOKEN", "SECRET", "SECRET_KEY", "FERNET_KEY")
_FILES = tuple(f"{name}_FILE" for name in _SECRET_NAMES)
_SHORTEST = 3  # signs: nobody keeps less secret, and each `a` of a sentence would go


def secrets_of(environment: Mapping[str, str]) -> frozenset[str]:
    """Return the passwords that an environment holds: by name, in an address, or by a file."""
    found: set[str] = set()
    for name, value in environment.items():
        if name.endswith(_SECRET_NAMES):
            found.add(value)
        if name.endswith(_FILES):
            with suppress(OSError, ValueError):
                found.add(Path(value).read_text().strip())
        for pattern in (*_USERINFO, _QUERY):
            for secret in pattern.findall(value):
                # What follows an @ that should have been %40 is taken for the name of the host.
                found |= {secret, unquote(secret), unquote_plus(secret), *secret.split("@")}
    return frozenset(secret for secret in found if len(secret) >= _SHORTEST)


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Return the text with `***` where it quotes a secret.

    Examples
    --------
    >>> redacted("no answer from ftp://u:pass@host", {"pass"})
    'no answer from ftp://u:***@host'
    """
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
