"""What happened to a model, in event time: episodes, decisions, champions, specs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Literal, TypeAlias

from tasks.drift.latch import LatchHistory
from tasks.ledger.records import Decision, Observation, Promotion, Proposal
from tasks.ledger.status import Status

HappeningKind: TypeAlias = Literal[
    "opened", "closed", "proposed", "decided", "promoted", "recalibrated", "rolled back", "spec"
]
# One letter each, which stands at the mark in the charts and in the table.
LETTERS: dict[HappeningKind, str] = {
    "opened": "O",
    "closed": "X",
    "proposed": "P",
    "decided": "D",
    "promoted": "C",
    "recalibrated": "K",
    "rolled back": "R",
    "spec": "S",
}


@dataclass(frozen=True, kw_only=True)
class Happening:
    """Something that happened at a moment of event time; `proposal` is the run that it is about.

    `step` is what was decided, of a decision.
    """

    at: datetime
    kind: HappeningKind
    text: str
    proposal: str | None = None
    proposal_kind: str = ""
    step: str = ""

    @property
    def letter(self) -> str:
        return LETTERS[self.kind]

    @property
    def changes_measure(self) -> bool:
        """Return whether windows are held against something else from then on."""
        return self.kind in ("promoted", "recalibrated", "rolled back", "spec")

    @property
    def flow(self) -> str:
        """Return the DAG family whose run the proposal is."""
        return "rollback" if self.proposal_kind == "rollback" else "retrain"


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A state that held from a moment of event time to another."""

    since: datetime
    until: datetime
    state: str


def happenings(known: Status) -> list[Happening]:
    """Return everything that happened, oldest first."""
    found = [
        *_episodes(known.history, "drift"),
        *_episodes(known.calibration, "calibration"),
        *_proposed(known.proposals),
        *_decided(known.decisions, known.proposals),
        *_promoted(known.promotions, known.proposals),
        *_specs(known.observations),
    ]
    return sorted(found, key=lambda e: (e.at, e.kind))


def _episodes(history: LatchHistory, of: str) -> Iterator[Happening]:
    before: str | None = None
    for reading, latch in history.steps:
        at = reading.window.end
        if before is not None and latch.episode != before:
            yield Happening(at=at, kind="closed", text=f"the {of} episode {before} ended")
        if latch.episode is not None and latch.episode != before:
            yield Happening(at=at, kind="opened", text=f"the {of} episode {latch.episode} opened")
        before = latch.episode


def _proposed(proposals: Iterable[Proposal]) -> Iterator[Happening]:
    for one in proposals:
        target = f" to version {one.target}" if one.target is not None else ""
        yield Happening(
            at=one.trained_until,
            kind="proposed",
            text=f"{one.proposer} proposed: {one.kind}{target} ({one.reason})",
            proposal=one.proposal,
            proposal_kind=one.kind,
        )


def _decided(decisions: Iterable[Decision], proposals: Iterable[Proposal]) -> Iterator[Happening]:
    kinds = {p.proposal: p.kind for p in proposals}
    for one in decisions:
        comment = f": {one.comment}" if one.comment else ""
        yield Happening(
            at=one.effective_from,
            kind="decided",
            text=f"{one.step}: {one.answer} by {one.by}{comment}",
            step=one.step,
            proposal=one.proposal,
            proposal_kind=kinds.get(one.proposal, "retrain"),
        )


def _promoted(
    promotions: Sequence[Promotion], proposals: Iterable[Proposal]
) -> Iterator[Happening]:
    kinds = {p.proposal: p.kind for p in proposals}
    for one in promotions:
        proposed = kinds.get(one.proposal, "retrain")
        was = "" if one.expected is None else f" in place of version {one.expected}"
        kind: HappeningKind = "promoted"
        if proposed == "rollback":
            kind = "rolled back"
        elif proposed == "recalibrate":
            kind = "recalibrated"
        yield Happening(
            at=one.effective_from,
            kind=kind,
            text=f"version {one.version} became champion{was}, by {one.by}: {one.reason}",
            proposal=one.proposal,
            proposal_kind=proposed,
        )


def _specs(seen: Sequence[Observation]) -> Iterator[Happening]:
    for before, after in pairwise(seen):
        if before.spec_digest != after.spec_digest:
            yield Happening(
                at=after.window_start,
                kind="spec",
                text=f"windows from here on are judged by spec {after.spec_digest}, "
                f"before by {before.spec_digest}",
            )


def latch_of(history: LatchHistory) -> list[Stretch]:
    """Return the latch after each window as stretches of equal states."""
    return _joined(
        Stretch(since=reading.window.start, until=reading.window.end, state=latch.state)
        for reading, latch in history.steps
    )


def verdicts_of(seen: Iterable[Observation]) -> list[Stretch]:
    """Return the verdicts as stretches of equal ones; a window that is missing is in none."""
    return _joined(Stretch(since=o.window_start, until=o.window_end, state=o.verdict) for o in seen)


def revised_of(seen: Iterable[Observation]) -> list[Stretch]:
    """Return the windows that were measured again, such as after late labels, as stretches."""
    return _joined(
        Stretch(since=o.window_start, until=o.window_end, state="revised")
        for o in seen
        if o.revision
    )


def champions_of(seen: Iterable[Observation]) -> list[Stretch]:
    """Return under which versions the windows were measured, as stretches."""
    return _joined(
        Stretch(since=o.window_start, until=o.window_end, state=f"v{o.version}") for o in seen
    )


def _joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    found: list[Stretch] = []
    for one in stretches:
        if found and found[-1].state == one.state and found[-1].until == one.since:
            one = Stretch(since=found.pop().since, until=one.until, state=one.state)
        found.append(one)
    return found
