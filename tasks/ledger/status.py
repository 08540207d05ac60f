"""Where a model stands: its ledger, folded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, cast

from tasks.drift import patience
from tasks.drift.advice import ADVICE_WINDOWS, SeenWindow, advise
from tasks.drift.catalogue import SHAPES
from tasks.drift.episode import Episode, Numbered, breach_of
from tasks.drift.latch import Latch, LatchHistory, windows_to_wait
from tasks.drift.patience import Fresh, Taught
from tasks.drift.verdict import Verdict
from tasks.ledger import remembered, stored
from tasks.ledger.freezes import freeze_in_force
from tasks.ledger.latches import Memories, latches_of
from tasks.ledger.reader import LedgerReader, ModelRows, rows_of
from tasks.ledger.records import ENDED as ENDED
from tasks.ledger.records import ENDS as ENDS
from tasks.ledger.records import REFUSALS as REFUSALS
from tasks.ledger.records import (
    Candidate,
    Decision,
    Freeze,
    Observation,
    Promotion,
    Proposal,
    candidate_at,
)
from tasks.ledger.remembered import Reign
from tasks.spec.model import ModelSpec
from tasks.spec.windows import window_at

if TYPE_CHECKING:
    import sqlalchemy as sa


@dataclass(frozen=True)
class Turn:
    """Whose turn it is in an episode: the `number` of its next proposal, or why there is none yet.

    `silence` is a sentence for people; None if the proposal may be made now.
    """

    number: int
    silence: str | None


@dataclass(frozen=True)
class Status:
    """A model's observations under its champions, its proposals, and what they fold to.

    `history` is the latch of the drift, `calibration` that of the calibrated probabilities.
    `freezes` are those of people, thaws included.
    """

    spec: ModelSpec
    observations: list[Observation]
    proposals: list[Proposal]
    decisions: list[Decision]
    candidates: list[Candidate]
    promotions: list[Promotion]
    history: LatchHistory
    calibration: LatchHistory
    freezes: Sequence[Freeze] = ()

    def rows_with(self, observations: list[Observation]) -> ModelRows:
        """Return the rows that this was folded from, but with these observations."""
        return ModelRows(
            observations=observations,
            proposals=self.proposals,
            decisions=self.decisions,
            candidates=self.candidates,
            promotions=self.promotions,
            freezes=list(self.freezes),
        )

    @property
    def frozen(self) -> Freeze | None:
        """Return the freeze that holds the model; None if none does."""
        return freeze_in_force(self.freezes)

    @property
    def champion(self) -> int | None:
        return self.promotions[-1].version if self.promotions else None

    def candidate(self, version: int | None) -> Candidate | None:
        """Return the candidate that became a version. Raises TwoCandidates."""
        return None if version is None else candidate_at(self.candidates, self.promotions, version)

    def reigns(self, moment: datetime) -> list[Reign]:
        """Return the champions' times up to a moment of event time; see `remembered`."""
        return remembered.reigns_of(
            self.promotions, self.proposals, self.decisions, self.candidates, moment
        )

    def changes(self, episode: str | None, until: datetime) -> tuple[datetime, ...]:
        """Return when what an episode's retrain has to learn began; see `remembered.changes`."""
        return remembered.changes(self.spec, self.reigns(until), breach_of(episode), until)

    @property
    def given_up(self) -> str | None:
        """Return what came of trying to regain a level; see `remembered.given_up`."""
        until = self.observed_until
        return None if until is None else remembered.given_up(self.spec, self.reigns(until), until)

    @property
    def live(self) -> list[Proposal]:
        """Return the proposals that still wait for a person or a step."""
        return live_of(self.proposals, self.decisions, self.promotions)

    @property
    def latch(self) -> Latch:
        """Return the latch that is acted on: the drift's, unless only the calibration's is open.

        A retrain calibrates anyway, so while the margins drift nobody is asked to recalibrate.
        """
        drift, calibration = self.history.now, self.calibration.now
        acts = self.spec.drift.calibration.propose and calibration.state == "open"
        return calibration if acts and drift.episode is None else drift

    @property
    def due(self) -> str | None:
        """Return the proposal that an open episode waits for: its name and the next number.

        None while the latch is closed or rests, while the episode is asked about, while it is too
        soon to ask again, or too early to ask: see `silence` and `patience`; and while a freeze
        holds the model.
        """
        return None if self.frozen else self.due_when_thawed

    @property
    def due_when_thawed(self) -> str | None:
        """Return what `due` is, or would be if no freeze held the model."""
        turn = self._turn
        early = turn is None or turn.silence or self.patience
        if turn is None or early or self.latch.episode is None:
            return None
        return str(Numbered(episode=self.latch.episode, number=turn.number))

    @property
    def patience(self) -> str | None:
        """Return why it is too early to ask about the open episode.

        None if it is not, if none is open, or if it is asked about already. To recalibrate, nothing
        is waited for.
        """
        episode, until = self.latch.episode, self.observed_until
        if self._turn is None or not episode or until is None:
            return None
        if (named := Episode.parse(episode)) is None or named.asks == "recalibrate":
            return None
        began = self.changes(episode, until)
        fresh = [
            Fresh(o.window, cast(Verdict, o.verdict), partial(_taught, o))
            for o in self.observations
            if o.window_start >= min(began, default=until)
        ]
        return patience.wait(self.spec, fresh, named.since)

    @property
    def silence(self) -> str | None:
        """Return why nobody is asked although the latch is open; None if somebody is, or will be.

        "Will be": `due` names the proposal that the next run of the monitor makes.
        """
        return self._turn.silence if self._turn else None

    @property
    def _turn(self) -> Turn | None:
        """Return whose turn it is in the open episode; None if none is open, or it is asked about.

        What a person proposed is about no episode and holds up none. Nobody has to answer whether
        to recalibrate before a retrain is proposed.
        """
        if self.latch.state != "open" or self.latch.episode is None:
            return None
        drifts = self.latch.episode == self.history.now.episode
        holds = (p for p in self.live if p.episode and not (drifts and p.kind == "recalibrate"))
        return None if any(holds) else self.turn(self.latch.episode)

    def turn(self, episode: str) -> Turn:
        """Return whose turn it is in an episode of which no proposal is live.

        A proposal that nobody refused but that ended all the same, as when its run died, is made
        again after a while: see `latch.windows_to_wait`.
        """
        mine = [p for p in self.proposals if p.episode == episode]
        number = 1 + max((_number(p.proposal, episode) for p in mine), default=0)
        ends = {d.proposal: d for d in self.decisions if d.answer in ENDS}
        newest = [ends.get(p.proposal) for p in reversed(mine)]
        row = list(takewhile(lambda end: end is not None and end.answer in ENDED, newest))
        if not row or row[0] is None:
            return Turn(number, None)
        last = row[0]
        said = f"{last.proposal} ended without an answer that counts ({last.comment})"
        needed = windows_to_wait(len(row))
        if needed is None:
            return Turn(
                number,
                f"{len(row)} proposals in a row ended so; the last, {said}. Mend the cause, then "
                f"trigger {_flow(mine[-1])}.{self.spec.model} by hand",
            )
        since = sum(o.window_start >= last.effective_from for o in self.observations)
        if since >= needed:
            return Turn(number, None)
        wait = "the next window" if needed - since == 1 else f"{needed - since} more windows"
        return Turn(number, f"{said}; it is asked again after {wait}")

    @property
    def advice(self) -> str | None:
        """Return what to change if nothing can be said of window after window; else None."""
        return advise(self.spec, [_seen(o) for o in self.observations[-ADVICE_WINDOWS:]])

    @property
    def observed_until(self) -> datetime | None:
        """Return the event time up to which windows were observed; None before the first."""
        return max((o.window_end for o in self.observations), default=None)

    def decided_at(self, proposal: Proposal) -> datetime:
        """Return the event time of what is decided on a proposal now: from then on a latch rests.

        That is the end of the newest observed window, whatever rows the proposal named.
        """
        return self.observed_until or proposal.trained_until

    def effective_from(self, until: datetime) -> datetime:
        """Return the start of the first window after all observed ones and after `until`."""
        newest = max(until, self.observed_until or until)
        window = window_at(self.spec.window, newest)
        return window.start if window.start == newest else window.end


def live_of(
    proposals: Iterable[Proposal], decisions: Iterable[Decision], promotions: Iterable[Promotion]
) -> list[Proposal]:
    """Return the proposals that are neither promoted nor ended, oldest first."""
    promoted = {p.proposal for p in promotions}
    ended = {d.proposal for d in decisions if d.answer in ENDS}
    return [p for p in proposals if p.proposal not in promoted | ended]


def read(spec: ModelSpec, ledger: LedgerReader) -> Status:
    """Return the status of a model as the ledger has it now."""
    return folded(spec, ledger.rows(spec.model))


def read_on(spec: ModelSpec, link: sa.Connection) -> Status:
    """Return what `read` does, on a connection on which all that is read is of one moment."""
    return folded(spec, rows_of(link, spec.model, stored.observations(link, spec.model).values()))


def folded(spec: ModelSpec, rows: ModelRows, after: Memories | None = None) -> Status:
    """Return the status that a model's rows fold to; see `latches_of`."""
    latches = latches_of(spec, rows, after or Memories())
    return Status(
        spec,
        rows.observations,
        rows.proposals,
        rows.decisions,
        rows.candidates,
        rows.promotions,
        latches.drift,
        latches.calibration,
        rows.freezes,
    )


def _seen(observation: Observation) -> SeenWindow:
    numbers = observation.numbers
    return SeenWindow(
        observation.verdict,
        observation.reason,
        numbers.accepted,
        numbers.labelled or 0,
        numbers.statistics,
    )


def _taught(observation: Observation) -> Taught:
    numbers = observation.numbers
    shows = any(s.pressure > 1 for s in numbers.statistics if s.name in SHAPES)
    return Taught(numbers.labels or {}, shows)


def _number(proposal: str, episode: str) -> int:
    found = Numbered.parse(proposal)
    return found.number if found is not None and found.episode == episode else 0


def _flow(proposal: Proposal) -> str:
    return "rollback" if proposal.kind == "rollback" else "retrain"
