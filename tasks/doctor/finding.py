"""What a check finds, and what no finding may hold: passwords. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from tasks.redaction import redacted

Health = Literal["well", "warning", "ill", "unseen"]


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


def without_secrets(finding: Finding, secrets: Iterable[str]) -> Finding:
    """Return the finding with `***` where it quotes a secret."""
    known = frozenset(secrets)
    said, remedy = (redacted(text, known) for text in (finding.finding, finding.remedy))
    return replace(finding, finding=said, remedy=remedy)
