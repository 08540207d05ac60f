"""Secrets in files: a variable names the file, so that no environment holds the secret."""

from __future__ import annotations

import os
from pathlib import Path

from tasks.errors import Final


class SecretMissing(Final):
    """A variable names a file with a secret, which is missing or empty: names both."""


def secret_of(variable: str) -> str | None:
    """Return the content of the file that a variable names; None if nothing names one.

    Raises
    ------
    SecretMissing
        If the file cannot be read or is empty.
    """
    named = os.environ.get(variable)
    if not named:
        return None
    try:
        found = Path(named).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretMissing(
            f"{variable} names {named}, which cannot be read: {type(error).__name__}; make the "
            "secret (`make secrets`, in the team set-up), or name another file"
        ) from None
    if not found:
        raise SecretMissing(f"{variable} names {named}, which is empty; write the secret into it")
    return found
