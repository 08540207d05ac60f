"""Who may answer a question about a proposal, and what a response from Airflow means. Pure.

Airflow checks neither the form's values nor who proposed, so nothing in a response is taken on
trust: whatever it holds, it reads as an answer, and only a plain yes of the right person as yes.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from typing import Any

from tasks import bounds, formats
from tasks.errors import Final
from tasks.ledger.records import POLICY, Proposal
from tasks.spec.model import ModelSpec

APPROVE, REJECT = "Approve", "Reject"
NO_REASON = "no reason given"
# Letters and symbols by their category, and blank to the eye: fillers of Hangul, Khmer and Braille.
_BLANK = frozenset("\u115f\u1160\u17b4\u17b5\u2800")
_LONGEST = 2000  # characters of a comment that are kept


class NotAnAnswer(Final):
    """What Airflow said of an answer is not as Airflow writes it; what the task returns counts."""


def response_of(reply: bytes) -> dict[str, Any]:
    """Return what Airflow's API replied to an answer, in the form in which a task returns it.

    Raises NotAnAnswer if it is none.
    """
    try:
        told = formats.parsed_json(reply)
    except ValueError as error:
        raise NotAnAnswer(f"Airflow's reply to an answer is no JSON: {error}") from None
    by = told.get("responded_by") if isinstance(told, Mapping) else None
    if not isinstance(by, Mapping):
        raise NotAnAnswer("Airflow's reply to an answer does not say who answered")
    return {**told, "responded_by_user": by}


def may_answer(spec: ModelSpec, proposer: str) -> list[tuple[str, str]]:
    """Return (Airflow user id, name) of the approvers who did not propose it themselves."""
    return [user for user in spec.owner.users if proposer not in user]


def strangers(spec: ModelSpec, users: Mapping[str, str]) -> list[str]:
    """Return what is wrong with each approver who is no user of Airflow; `users` is id → name."""
    ids = {name: identity for identity, name in users.items()}
    told = []
    for identity, name in spec.owner.users:
        if users.get(identity) == name or (identity in users and identity == name):
            continue
        if identity in users:
            told.append(f"{identity}:{name}: user {identity} is {users[identity]}")
        elif name in ids:
            told.append(f'{name}: known by another id; write "{ids[name]}:{name}"')
        else:
            told.append(f"{name}: no such user; there are: {', '.join(sorted(ids)) or 'none'}")
    return told


def answer_of(
    spec: ModelSpec, proposal: Proposal, step: str, response: Mapping[str, Any] | None
) -> tuple[str, str, str]:
    """Return (answer, by, comment) of a response to one step.

    Parameters
    ----------
    response
        What Airflow's approval returned; None if it returned nothing, as after a task was marked
        as done by hand. Not looked at where the spec says `automatic`.

    Returns
    -------
    The answer is `approved`, `rejected`, `no_answer`, or one that does not count: `invalid`, or
    `ended` if the task that asked is over and left nothing.
    """
    if getattr(spec.approval, step) == "automatic":
        return "approved", POLICY, "the spec says automatic"
    if response is None:
        return "ended", "nobody", f"approve_{step} was marked as done before anybody answered"
    user = response.get("responded_by_user")
    if not user:
        return "no_answer", "nobody", "nobody answered"
    identity = str(user.get("id"))
    known = dict(spec.owner.users)
    by = str(user.get("name") or identity)
    if by != identity:
        by = known.get(identity, by)  # the name under which they were asked
    by = _recordable(by)
    comment = comment_of(response.get("params_input"))
    if identity not in known:
        return "invalid", by, f"{by} is not in owner.approvers"
    if identity not in dict(may_answer(spec, proposal.proposer)):
        return "invalid", by, f"{by} proposed this and cannot approve it"
    if response.get("chosen_options") != [APPROVE]:
        return "rejected", by, comment or NO_REASON
    if proposal.spec_digest != spec.digest:
        return "invalid", by, "the spec has changed since it was proposed; propose again"
    return "approved", by, comment


def _recordable(name: str) -> str:
    """Return a name as the ledger's columns hold it; who was asked has one that they hold."""
    return name.encode(errors="replace").decode().replace("\0", "?")[: bounds.TEXT]


def visible(text: str) -> bool:
    """Return whether a text shows anything to who reads it.

    Examples
    --------
    >>> visible("no"), visible("👎"), visible(" \u200b"), visible("\u3164")
    (True, True, False, False)
    """
    # Each character by itself: to normalise a text takes the square of its combining marks.
    shown = (c for each in set(text) for c in unicodedata.normalize("NFKC", each))
    return any(unicodedata.category(c)[0] in "LNPS" for c in shown if c not in _BLANK)


def comment_of(form: Any) -> str:
    """Return the comment in a form's values, whatever they are; empty if there is none.

    Examples
    --------
    >>> comment_of({"comment": " not yet "}), comment_of({"comment": 7}), comment_of([1])
    ('not yet', '7', '')
    """
    given = form.get("comment") if isinstance(form, Mapping) else None
    if given is None:
        return ""
    try:
        text = given if isinstance(given, str) else json.dumps(given, default=str)
    except RecursionError:  # nobody can read what nests so deeply
        return ""
    text = text.encode(errors="replace").decode().replace("\0", "").strip()  # as databases need it
    if not visible(text):
        return ""
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"
