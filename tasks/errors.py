"""The root of our errors and its two kinds: what another attempt may mend, and what none does.

An error is defined where it is raised, and derives from one of the two. Whoever retries asks for
the kind and names no class; whoever explains an error to people asks for the root.
"""

from __future__ import annotations

import os
from typing import Any

from tasks.redaction import redacted, secrets_of


class GatelatchError(Exception):
    """An error whose text is for people: it names the place and the way out, and quotes no row.

    A place may be an address with a password: what the environment keeps secret is hidden here,
    since a text of ours may quote a library's.
    """

    def __init__(self, *said: Any) -> None:
        secrets = secrets_of(os.environ)
        super().__init__(*(redacted(s, secrets) if isinstance(s, str) else s for s in said))


class Final(GatelatchError):
    """Another attempt ends in the same way: something was refused, or has to be changed first."""


class Retryable(GatelatchError):
    """Another attempt may succeed: somebody does not answer, or a place cannot be used just now."""
