"""Whether the ledger's rows make sense in the order of writing: no yes without its question. Pure.

Everything that makes a champion is looked at: proposals, questions, answers, candidates with their
gates, promotions, and the freezes that forbid it. What merely ends a proposal may stand anywhere,
for it can never approve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.ledger.chain import Row, Trail, named
from tasks.ledger.freezes import asked_by_hand
from tasks.ledger.records import ENDS, POLICY

# Of each kind of proposal the steps that can be approved.
_APPROVED = {
    "retrain": ("retrain", "promote"),
    "recalibrate": ("retrain", "promote"),
    "adopt": ("retrain", "promote"),
    "rollback": ("rollback",),
}
_PASSED = ("shadow", "canary")  # steps that pass by themselves, on figures


@dataclass
class _Past:
    """What was written before a row."""

    proposals: dict[str, Row] = field(default_factory=dict)
    questions: list[Row] = field(default_factory=list)
    decisions: dict[tuple[str, str], Row] = field(default_factory=dict)
    candidates: dict[str, Row] = field(default_factory=dict)
    promotions: list[Row] = field(default_factory=list)
    revisions: dict[Any, int] = field(default_factory=dict)
    freezes: list[Row] = field(default_factory=list)

    @property
    def champion(self) -> int | None:
        return self.promotions[-1]["version"] if self.promotions else None

    @property
    def versions(self) -> dict[int, Row]:
        return {row["version"]: row for row in self.candidates.values()}

    @property
    def frozen(self) -> Row | None:
        return self.freezes[-1] if self.freezes and self.freezes[-1]["state"] == "frozen" else None

    def answer(self, proposal: str, step: str) -> str | None:
        row = self.decisions.get((proposal, step))
        return row["answer"] if row else None


def meaning_fault(trail: Trail, since: int = 0) -> str | None:
    """Return a sentence on the first row that nothing before it allows; None if there is none.

    Parameters
    ----------
    since
        Up to this position rows are taken as they are, as they were adopted.
    """
    past = _Past()
    for link in trail.links:
        row = trail.rows.get((link.table_name, link.row_id))
        if row is None:
            continue
        check = _CHECKS.get(link.table_name)
        why = check(past, row) if check and link.position > since else None
        if why:
            return f"{named(link)} cannot be: {why}"
        _remember(past, link.table_name, row)
    return None


def _remember(past: _Past, table: str, row: Row) -> None:
    match table:
        case "proposals":
            past.proposals[row["proposal"]] = row
        case "questions":
            past.questions.append(row)
        case "decisions":
            past.decisions[row["proposal"], row["step"]] = row
        case "candidates":
            past.candidates[row["proposal"]] = row
        case "promotions":
            past.promotions.append(row)
        case "freezes":
            past.freezes.append(row)
        case "observations":
            past.revisions[_window(row)] = row["revision"] + 1


def _window(row: Row) -> Any:
    return row["version"], row["window_start"], row["window_end"]


def _observation(past: _Past, row: Row) -> str | None:
    if row["version"] not in past.versions:
        return f"no version {row['version']} was registered before it"
    expected = past.revisions.get(_window(row), 0)
    if row["revision"] != expected:
        return f"it is revision {row['revision']} of its window, and {expected} is next"
    return None


def _proposal(past: _Past, row: Row) -> str | None:
    if row["proposal"] in past.proposals:
        return f"{row['proposal']} was proposed before"
    return _stopped(past, row)


def _stopped(past: _Past, asked: Row) -> str | None:
    """Return why a freeze stops what a proposal asks for; None if none does."""
    if past.frozen is None or asked_by_hand(asked["kind"], asked["proposer"]):
        return None
    return f"{past.frozen['by']} had frozen the model, and nobody had thawed it"


def _freeze(past: _Past, row: Row) -> str | None:
    if row["number"] != len(past.freezes) + 1:
        return f"it is number {row['number']}, and {len(past.freezes) + 1} is next"
    turn = "thawed" if past.frozen else "frozen"
    return None if row["state"] == turn else f"the model was {row['state']} before"


def _question(past: _Past, row: Row) -> str | None:
    asked = past.proposals.get(row["proposal"])
    if asked is None:
        return f"nobody proposed {row['proposal']} before it"
    if row["step"] not in _APPROVED.get(asked["kind"], ()):
        return f"a {asked['kind']} has no step {row['step']} to ask about"
    if row["step"] == "promote" and row["proposal"] not in past.candidates:
        return f"{row['proposal']} has no candidate to ask about"
    return None


def _decision(past: _Past, row: Row) -> str | None:
    proposal, step = row["proposal"], row["step"]
    asked = past.proposals.get(proposal)
    if asked is None:
        return f"nobody proposed {proposal} before it"
    if (proposal, step) in past.decisions:
        return f"{step} of {proposal} was decided before"
    if row["answer"] == "passed" and step not in _PASSED:
        return f"{step} is no step that passes by itself"
    if row["answer"] == "skipped":
        return _skipped(past, row)
    if row["answer"] != "approved":
        return None
    if step not in _APPROVED.get(asked["kind"], ()):
        return f"a {asked['kind']} has no step {step} to approve"
    by_hand = asked_by_hand(asked["kind"], asked["proposer"])
    if step == "rollback" and by_hand and row["by"] == asked["proposer"]:
        return None  # by hand: who asks for it decides it
    questions = [q for q in past.questions if (q["proposal"], q["step"]) == (proposal, step)]
    if not questions:
        return f"nobody was asked about {step} of {proposal}"
    shown = [q for q in questions if q["evidence"] == row["evidence"]]
    if not shown:
        return f"it approves {step} of {proposal} on other evidence than was asked about"
    if not any(may_say_yes(row["by"], q["asked"]) for q in shown):
        return f"{row['by']} was not asked about {step} of {proposal}"
    if row["by"] == asked["proposer"]:
        return f"{row['by']} proposed {proposal} and cannot approve it"
    return None


def _skipped(past: _Past, row: Row) -> str | None:
    """Return why a canary cannot be skipped so; None if it can."""
    proposal, step = row["proposal"], row["step"]
    if step != "canary" or not any(p["proposal"] == proposal for p in past.promotions):
        return f"{step} of {proposal} is nothing to skip"
    asked = [
        q["asked"] for q in past.questions if (q["proposal"], q["step"]) == (proposal, "promote")
    ]
    if not may_skip(row["by"], asked):
        return f"{row['by']} was not asked to promote {proposal} and cannot skip its canary"
    return None


def may_skip(by: str, asked: Iterable[Any]) -> bool:
    """Return whether who skips a canary was asked about the promotion, or a policy let it pass."""
    return any(may_say_yes(by, users) or may_say_yes(POLICY, users) for users in asked)


def may_say_yes(by: str, asked: Any) -> bool:
    """Return whether who answered, by name or id, is one of those who were asked."""
    return any(by in user for user in asked)


def _candidate(past: _Past, row: Row) -> str | None:
    proposal = row["proposal"]
    asked = past.proposals.get(proposal)
    if asked is None or "retrain" not in _APPROVED.get(asked["kind"], ()):
        return f"nobody proposed to train {proposal} before it"
    if past.answer(proposal, "retrain") != "approved":
        return f"nobody approved to train {proposal}"
    if proposal in past.candidates:
        return f"{proposal} had a candidate before"
    if row["version"] in past.versions:
        there = past.versions[row["version"]]["proposal"]
        return f"version {row['version']} is the candidate of {there}"
    for name in ("spec_digest", "trained_until"):
        if row[name] != asked[name]:
            return f"its {name} is not the one of its proposal"
    failed = [g.get("name", "?") for g in row["gates"] if not _passed(g)]
    if failed or not row["gates"]:
        return f"it did not pass its gates: {', '.join(map(str, failed)) or 'there is none'}"
    return None


def _passed(gate: Mapping[str, Any]) -> bool:
    return gate.get("verdict") in ("passed", "not_judged") and gate.get("passed", True) is True


def _promotion(past: _Past, row: Row) -> str | None:
    proposal = row["proposal"]
    asked = past.proposals.get(proposal)
    if asked is None:
        return f"nobody proposed {proposal} before it"
    if row["number"] != len(past.promotions) + 1:
        return f"it is number {row['number']}, and {len(past.promotions) + 1} is next"
    if proposal in {p["proposal"] for p in past.promotions}:
        return f"{proposal} was promoted before"
    if why := _stopped(past, asked):
        return why
    if not row["expected"] == past.champion == asked["champion"]:
        return f"the champion before it was version {past.champion}, not {row['expected']}"
    refused = [s for (p, s), d in past.decisions.items() if p == proposal and _ends(d)]
    if refused:
        return f"{', '.join(refused)} of {proposal} ended it"
    step = "rollback" if asked["kind"] == "rollback" else "promote"
    decision = past.decisions.get((proposal, step))
    if decision is None or decision["answer"] != "approved":
        return f"nobody approved {step} of {proposal}"
    if decision["by"] != row["by"]:
        return f"{decision['by']} approved it, not {row['by']}"
    if step == "rollback":
        return _back(past, row, asked)
    candidate = past.candidates.get(proposal)
    if candidate is None or candidate["version"] != row["version"]:
        return f"version {row['version']} is not the candidate of {proposal}"
    if row["effective_from"] < candidate["trained_until"]:
        return "it rules windows that it was trained on"
    return None


def _back(past: _Past, row: Row, asked: Row) -> str | None:
    if row["version"] != asked["target"]:
        return f"{asked['proposal']} goes back to version {asked['target']}"
    if row["version"] not in {p["version"] for p in past.promotions}:
        return f"version {row['version']} was never champion"
    return None


def _ends(decision: Row) -> bool:
    return decision["answer"] in ENDS


def by_policy(trail: Trail) -> list[str]:
    """Return the approvals that no person gave, as `proposal step`."""
    return [
        f"{row['proposal']} {row['step']}"
        for (table, _), row in trail.rows.items()
        if table == "decisions" and row["answer"] == "approved" and row["by"] == POLICY
    ]


_CHECKS: Mapping[str, Callable[[_Past, Row], str | None]] = {
    "observations": _observation,
    "proposals": _proposal,
    "questions": _question,
    "decisions": _decision,
    "candidates": _candidate,
    "promotions": _promotion,
    "freezes": _freeze,
}
