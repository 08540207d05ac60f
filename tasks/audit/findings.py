"""What an auditor finds in a model's ledger: its fault, and by name what was not looked at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from tasks.audit import heads, meaning, verification
from tasks.audit.heads import Head
from tasks.ledger import evidence, seals
from tasks.ledger.chain import Trail
from tasks.ledger.records import Candidate, Decision, Promotion, Proposal
from tasks.registry.tracking import RegistryRefused, RegistryUnreachable
from tasks.spec import spec_files
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError

_Record = TypeVar("_Record")


@dataclass
class Findings:
    """Why the ledger does not stand (None: it does), the heads held against it, what was not.

    `misplaced` says which head MLflow should keep and does not.
    """

    refused: str | None = None
    misplaced: str | None = None
    kept: list[Head] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)

    @property
    def fault(self) -> str | None:
        return self.refused or self.misplaced


def verify_trail(model: str, trail: Trail, given: Sequence[Head] = ()) -> Findings:
    """Verify all of a model's trail, against the heads in store and registry and those given.

    Raises
    ------
    tasks.signing.keyring.KeyUnusable
        If there is no key to verify with.
    """
    keys = seals.trusted()
    found = Findings(kept=list(given))
    stored = heads.in_store(model)
    if stored:
        found.kept.append(stored)
    elif trail.links:
        found.unchecked.append(
            "no head is kept in the store: it was removed, or nothing was written since the store "
            "began to keep one"
        )
    found.misplaced = _in_registry(model, trail, found)
    found.refused = verification.ledger_fault(model, trail, keys, found.kept)
    found.unchecked += [*_adopted(trail), *_evidence(model, trail), *_policy(trail)]
    if tail := _tail(trail, found.kept):
        found.unchecked.append(tail)
    return found


def _in_registry(model: str, trail: Trail, found: Findings) -> str | None:
    # Without an address MLflow would make a store of its own here.
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        found.unchecked.append("the heads in MLflow: MLFLOW_TRACKING_URI is not set")
        return None

    try:
        kept, there, versions = verification.in_registry(model)
    except (RegistryRefused, RegistryUnreachable) as error:
        found.unchecked.append(f"the heads in MLflow: {error}")
        return None
    found.kept += kept
    digests = {(link.table_name, link.row_id): link.digest for link in trail.links}
    made = [
        (promotion.number, promotion.version, digests.get(("promotions", row_id), ""))
        for row_id, promotion in _rows(trail, "promotions", Promotion)
    ]
    for number, version, _ in made:
        if version not in versions:
            found.unchecked.append(
                f"the head of promotion {number}: version {version} is not in MLflow any more"
            )
    return heads.misplaced(made, there, versions, model)


def _rows(trail: Trail, table: str, kind: type[_Record]) -> list[tuple[int, _Record]]:
    names = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    rows = (
        (link.row_id, trail.rows.get((table, link.row_id)))
        for link in trail.links
        if link.table_name == table
    )
    return [(row_id, kind(**{n: row[n] for n in names})) for row_id, row in rows if row]


def _adopted(trail: Trail) -> list[str]:
    return [
        f"signatures and meaning of rows 1 to {row['position']}: {row['by']} adopted them on "
        f"{row['recorded_at']:%Y-%m-%d} ({row['reason']})"
        + (f", and gave up {len(row['lost'])} kept heads" if row["lost"] else "")
        for (table, _), row in trail.rows.items()
        if table == "adoptions"
    ]


def _policy(trail: Trail) -> list[str]:
    found = meaning.by_policy(trail)
    return [f"that the spec let pass without a person: {', '.join(found)}"] if found else []


def _evidence(model: str, trail: Trail) -> list[str]:
    """Return what was approved on evidence that today's spec does not give again."""
    approved = [d for _, d in _rows(trail, "decisions", Decision) if d.answer == "approved"]
    if not approved:
        return []
    try:
        spec = spec_files.find(model)
    except SpecError:
        return ["the evidence of what was approved: there is no usable spec of this name"]
    other = [f"{d.proposal} {d.step}" for d in approved if _again(spec, trail, d) != d.evidence]
    if not other:
        return []
    told = "made with another spec than today's, and the ledger knows only the digest of that spec"
    return [f"the evidence of what was approved, {told}: {', '.join(other)}"]


def _again(spec: ModelSpec, trail: Trail, decision: Decision) -> str | None:
    def mine(table: str, kind: Any) -> list[Any]:
        return [r for _, r in _rows(trail, table, kind) if r.proposal == decision.proposal]

    asked = mine("proposals", Proposal)
    if not asked or asked[0].spec_digest != spec.digest:
        return None
    if decision.step != "promote":
        return evidence.of_proposal(spec, asked[0])
    made = mine("candidates", Candidate)
    said = [d.evidence for d in mine("decisions", Decision) if d.step == "shadow"]
    return evidence.of_candidate(spec, asked[0], made[0], said) if made else None


def _tail(trail: Trail, kept: Sequence[Head]) -> str | None:
    positions = {link.digest: link.position for link in trail.links}
    newest = max((positions.get(head.digest, 0) for head in kept), default=0)
    if newest == len(trail.links):
        return None
    return (
        f"whether rows after row {len(trail.links)} were cut off: the newest kept head is that of "
        f"row {newest}; keep the head of this ledger (--save)"
    )
