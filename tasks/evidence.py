"""The digest that binds an approval to what was shown. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def digest(content: Any) -> str:
    """Return 12 hex digits over JSON-ready content; equal for equal content, not layout."""
    canonical = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]
