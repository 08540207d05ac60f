"""Figures of long ago, thinned to what the fold, charts and budgets need. Pure.

What explains a single window goes: its features, diagnoses, tables and report. What a line over
years is drawn from stays: counts, losses, statistics with their limits, what was said of
probabilities.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

EXPIRED = "expired"  # in thinned figures: which expiry thinned them, when, by which policy
_GOES = frozenset(
    {
        "reasons",
        "warnings",
        "features",
        "moved",
        "diagnoses",
        "capped",
        "moved_by_class",
        "expected",
        "report",
    }
)


def thinned(figures: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return thinned figures; None if they are so already, or no JSON that a database can check.

    Parameters
    ----------
    said
        What they say of their expiry.
    """
    if EXPIRED in figures:
        return None
    kept = {name: value for name, value in figures.items() if name not in _GOES}
    if isinstance(held := kept.get("calibration"), Mapping):
        kept["calibration"] = {n: v for n, v in held.items() if n != "table"}
    try:
        text = json.dumps({**kept, EXPIRED: dict(said)}, allow_nan=False)
    except ValueError:
        return None
    found: dict[str, Any] = json.loads(text)
    return found
