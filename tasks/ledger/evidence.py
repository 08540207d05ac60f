"""The digests that bind an answer to what was shown. Pure.

Each is computed from what is there, never read back: the one that a brief shows, the one that is
recorded with the answer, and the one at promotion agree only if nothing has changed in between.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from tasks.ledger.records import Candidate, Proposal
from tasks.spec import form
from tasks.spec.model import ModelSpec

_SHORT = 12


def of_proposal(spec: ModelSpec, proposal: Proposal) -> str:
    """Return the digest of what a retrain approval is about: 64 hex digits.

    It covers the proposal with its rows and champion, the spec, and who decides on what.
    """
    return digest({"proposal": asdict(proposal), **_policy(spec)})


def of_candidate(
    spec: ModelSpec, proposal: Proposal, candidate: Candidate, shadow: Sequence[str] = ()
) -> str:
    """Return the digest of what a promotion approval is about: 64 hex digits.

    It covers the proposal, the candidate with its data, artifact, gate results, metrics and
    reference, the evidence of its shadow windows, the spec, and who decides on what.
    """
    shown = {f.name: getattr(candidate, f.name) for f in fields(candidate)}
    about = {"proposal": asdict(proposal), "candidate": shown, "shadow": shadow}
    return digest({**about, **_policy(spec)})


def _policy(spec: ModelSpec) -> dict[str, Any]:
    return {
        "spec": spec.digest,
        "approval": form.canonical(spec)["approval"],
        "approvers": spec.owner.approvers,
    }


def digest(content: Any) -> str:
    """Return 64 hex digits over JSON-ready content; equal for equal content, not layout."""
    canonical = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


def short(evidence: str) -> str:
    """Return the part of a digest that people read and compare."""
    return evidence[:_SHORT]
