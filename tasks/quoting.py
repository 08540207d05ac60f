"""What people and data named, in Markdown that shows it as it is. Pure."""

from __future__ import annotations

import re


def as_text(written: str) -> str:
    """Return what a person wrote as Markdown that shows it as it is: no image, no heading, no name.

    Some pages make a link to itself of an address that stands there.

    Examples
    --------
    >>> print(as_text("[see](https://elsewhere)"))
    \\[see\\](https://elsewhere)
    """
    text = re.sub(r"([\\`*_\[\]<>|!&~])", r"\\\1", " ".join(written.split()))
    return re.sub(r"(?<!\S)@", r"\\@", text)  # MLflow's page leads from a name to one at GitHub


def as_code(named: str) -> str:
    """Return a name as a code span of Markdown, whatever backticks are in it.

    Examples
    --------
    >>> print(as_code("shop"), as_code("a`b"))
    `shop` `` a`b ``
    """
    text = " ".join(named.split())
    if "`" not in text:
        return f"`{text}`"
    fence = "`" * (1 + max(map(len, re.findall("`+", text))))
    return f"{fence} {text} {fence}"
