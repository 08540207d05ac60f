"""The log of a process that looks again and again: what is wrong is said once, while it lasts."""

from __future__ import annotations

import logging

_log = logging.getLogger(__name__)


class SaidOnce:
    """What was said of each thing. Not for several threads."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def say(self, about: str, text: str) -> None:
        """Log a text once, and again only after something else was said, or it was well."""
        if self._said.get(about) != text:
            self._said[about] = text
            _log.warning("%s", text)

    def well(self, about: str) -> None:
        """Forget what was wrong."""
        self._said.pop(about, None)
