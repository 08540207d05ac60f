"""What a check finds, and what no finding may hold: passwords. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import unquote, unquote_plus

Health = Literal["well", "warning", "ill", "unseen"]

_USERINFO = re.compile(r"://[^/@\s:]*:([^/\s]+)@")
_QUERY = re.compile(r"[?&](?:password|passwd|sslpassword|token|secret)=([^&\s#]+)", re.IGNORECASE)
_SECRET_NAMES = ("PASSWORD", "TOKEN", "SECRET", "SECRET_KEY", "FERNET_KEY")
_SHORTEST = 3  # signs: nobody keeps less secret, and each `a` of a sentence would go


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is not well, and the remedy in one sentence.

    Parameters
    ----------
    model
        The one that it is about; None: it is about the stack.
    bars
        Whether what needs this check cannot be looked at either.
    """

    state: Health
    finding: str
    remedy: str
    model: str | None = None
    bars: bool = False


def secrets_of(environment: Mapping[str, str]) -> frozenset[str]:
    """Return the passwords that an environment holds, by name or inside an address."""
    found: set[str] = set()
    for name, value in environment.items():
        if name.endswith(_SECRET_NAMES):
            found.add(value)
        for pattern in (_USERINFO, _QUERY):
            for secret in pattern.findall(value):
                found |= {secret, unquote(secret), unquote_plus(secret)}
    return frozenset(secret for secret in found if len(secret) >= _SHORTEST)


def without_secrets(finding: Finding, secrets: Iterable[str]) -> Finding:
    """Return the finding with `***` where it quotes a secret."""
    texts = [finding.finding, finding.remedy]
    for secret in sorted(secrets, key=len, reverse=True):
        texts = [text.replace(secret, "***") for text in texts]
    return replace(finding, finding=texts[0], remedy=texts[1])
