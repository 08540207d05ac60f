"""How a message reads: plain text, short, with whole addresses. Figures only, never a row. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from urllib.parse import quote

from tasks.flows.ending import flow_of
from tasks.ledger.chain import Link
from tasks.ledger.records import Proposal
from tasks.ledger.status import Status
from tasks.promotion import proposals
from tasks.reports import promotion_brief, retrain_brief

_LINE = 600  # characters of a line
_SUBJECT = 200
_PARAGRAPHS = 2  # of a brief
_LINES = 40  # of a message; what is beyond is counted


def moment_told(moment: datetime) -> str:
    """Return a moment for people, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def head_told(head: Link) -> str:
    """Return the line by which a message is an anchor of the ledger, out of its owner's reach."""
    return f"Ledger up to link {head.position}: {head.digest}"


def answer_link(proposal: Proposal) -> str:
    """Return the path of the page on which a proposal's question is answered."""
    run = quote(proposal.proposal, safe="")
    return f"/dags/{flow_of(proposal)}/runs/{run}/required_actions"


def first_lines(known: Status, proposal: Proposal, step: str) -> list[str]:
    """Return how the brief of a step begins, as plain text."""
    try:
        if step == "promote":
            candidate = proposals.candidate_of(known, proposal.proposal)
            _, body = promotion_brief.promotion(known, candidate, "")
        elif proposal.kind == "rollback":
            body = proposal.reason
        else:
            _, body = retrain_brief.retrain(known, proposal, "")
    except Exception:  # whatever is wrong with the brief, the question has to be told
        body = proposal.reason
    paragraphs = (plain_text(part) for part in body.split("\n\n") if part[:1] not in "|!<-")
    return [*islice(filter(None, paragraphs), _PARAGRAPHS)]


def plain_text(markdown: str) -> str:
    """Return one line without Markdown.

    Examples
    --------
    >>> plain_text("**Drifted** since `v1`,\\n[all windows](/margins): a\\\\_b")
    'Drifted since v1, all windows: a_b'
    """
    unlinked = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    bare = re.sub(r"(?<!\\)(\*\*|`)", "", unlinked)
    return one_line(re.sub(r"\\([\\`*_\[\]<>|!&~])", r"\1", bare))


def one_line(text: str, most: int = _LINE) -> str:
    """Return a text as one line of bounded length, without what only machines read."""
    told = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return told if len(told) <= most else f"{told[: most - 1]}…"


def message_of(told: Sequence[tuple[str, Iterable[str], str]], severity: str) -> tuple[str, str]:
    """Return title and body of one message about these: each a subject, lines, and an address."""
    subjects = [one_line(subject, _SUBJECT) for subject, _, _ in told]
    title = f"[{severity}] {subjects[0]}"
    if len(told) > 1:
        title += f", and {len(told) - 1} more"
    lines: list[str] = []
    for subject, (_, more, address) in zip(subjects, told, strict=True):
        mine = [*([subject] if len(told) > 1 else []), *map(one_line, more), address]
        if lines and len(lines) + len(mine) > _LINES:
            lines.append(f"… and more; {len(told)} in all.")
            break
        lines += [*([""] if lines else []), *mine]
    return title, "\n".join(lines)
