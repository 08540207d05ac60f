"""The hysteresis: a pure fold over readings in event time → `closed`, `open` or `resting`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from tasks.bounds import shifted
from tasks.drift.episode import Episode
from tasks.drift.verdict import Verdict
from tasks.spec.policy_options import LatchPolicy
from tasks.spec.windows import Window

State = Literal["closed", "open", "resting"]
LatchKind = Literal["retrain", "recalibrate"]
_DOUBLINGS = 6  # of a rest, at the most
MOST_IN_A_ROW = 4  # ended proposals of an episode in a row; then nobody is asked automatically


@dataclass(frozen=True)
class Reading:
    """One observed window, as the latch sees it.

    `awaited_until` is set if it was judged without its labels, and they may still come: the event
    time after which they are not awaited any more.
    """

    window: Window
    version: int
    verdict: Verdict
    pressure: float | None
    awaited_until: datetime | None = None


@dataclass(frozen=True)
class Pause:
    """What makes the latch rest: a promotion, which ends the episode, or a refusal, which does not.

    `since` is event time: the end of the newest window when it was decided.
    """

    since: datetime
    promotion: bool


@dataclass(frozen=True)
class Latch:
    """The state after one reading. `episode` is set from its opening until it ends."""

    state: State
    episode: str | None
    rests_until: datetime | None


@dataclass(frozen=True)
class LatchMemory:
    """All that the fold carries from one reading to the next; as it is before the first.

    `last` is the window of the newest reading that was folded, `taken` the pauses that were folded
    before it. `settled` is the newest moment up to which labels of a calm window were awaited that
    counts all the same, `pending` the oldest of one that does not count yet.
    """

    last: Window | None = None
    taken: tuple[Pause, ...] = ()
    recent: tuple[Reading, ...] = ()
    calm: int = 0
    episode: str | None = None
    paused: datetime | None = None
    refused: int = 0  # in a row, in this episode
    length: timedelta = timedelta(0)  # of a window
    settled: datetime | None = None
    pending: datetime | None = None

    def goes_before(self, readings: Iterable[Reading], pauses: Iterable[Pause]) -> bool:
        """Return whether a fold of these, and of what was folded, may go on from here.

        It may if the readings are newer, the pauses that belong before them the same, and the
        labels that were awaited still are, and no others.
        """
        last = self.last
        if last is None:
            return True
        windows = [r.window for r in readings]
        until = max([last.end, *(w.end for w in windows)])
        if (self.settled and until <= self.settled) or (self.pending and self.pending < until):
            return False
        taken = tuple(p for p in _in_order(pauses) if p.since <= last.start)
        return taken == self.taken and all(w > last for w in windows)


@dataclass(frozen=True)
class LatchHistory:
    """The state after each window, oldest first, and the state now.

    `memory` is that after the newest window.
    """

    steps: tuple[tuple[Reading, Latch], ...]
    now: Latch
    memory: LatchMemory = LatchMemory()


def windows_to_wait(ends: int) -> int | None:
    """Return after how many windows an episode is asked about again; None: not automatically.

    `ends` counts its newest proposals in a row that nobody refused and that ended all the same.

    Examples
    --------
    >>> [windows_to_wait(ends) for ends in range(5)]
    [0, 1, 2, 4, None]
    """
    return None if ends >= MOST_IN_A_ROW else 2 ** (ends - 1) if ends else 0


def fold(
    model: str,
    readings: Iterable[Reading],
    pauses: Iterable[Pause],
    policy: LatchPolicy,
    kind: LatchKind = "retrain",
    after: LatchMemory = LatchMemory(),
    until: datetime | None = None,
) -> LatchHistory:
    """Return the latch after each reading, whatever order they come in.

    With the memory of a fold that `goes_before` them, the latch is as if all were folded.

    The episodes of `recalibrate` say so in their names.

    It opens when `open.breaches` of the last `open.of` windows breach, unless it rests; it closes
    when `close.steady` windows in a row stay below `close.at` of their limit. An `insufficient`
    window is neither; and a window whose labels are awaited does not help to close. A rest ends
    with the first window that ends at or after it; each refusal of an episode makes it twice as
    long, so that what nobody wants is not asked over and over.

    Parameters
    ----------
    until
        The event time up to which windows were observed, by default the end of the newest reading.
        It decides which labels are still awaited.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> def week(k, pressure):
    ...     start = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(weeks=k)
    ...     verdict = "drifting" if pressure > 1 else "steady"
    ...     return Reading(Window(start, start + timedelta(weeks=1)), 1, verdict, pressure)
    >>> weeks = [week(0, 0.4), week(1, 1.2), week(2, 0.9), week(3, 1.5)]
    >>> fold("churn", weeks, [], LatchPolicy()).now
    Latch(state='open', episode='churn.v1.20260112T0000', rests_until=None)
    """
    waiting = deque(_in_order(pauses))
    taken: list[Pause] = []
    while after.last is not None and waiting and waiting[0].since <= after.last.start:
        taken.append(waiting.popleft())
    ordered = sorted(readings, key=lambda r: r.window)
    last = after.last
    ends = [w.end for w in (*(r.window for r in ordered), last) if w]
    machine = _Machine(model, policy, kind, after, until or max(ends, default=None))
    steps = []
    for reading in ordered:
        while waiting and waiting[0].since <= reading.window.start:
            taken.append(waiting.popleft())
            machine.pause(taken[-1])
        machine.read(reading)
        last = reading.window
        steps.append((reading, machine.latch(last.end)))
    memory = machine.memory(last, taken)
    for pause in waiting:
        machine.pause(pause)
    return LatchHistory(tuple(steps), machine.latch(last.end if last else None), memory)


def _in_order(pauses: Iterable[Pause]) -> list[Pause]:
    return sorted(pauses, key=lambda p: (p.since, p.promotion))


class _Machine:
    """The fold's running values; they live for one fold, and what is kept of them is a cache."""

    def __init__(
        self,
        model: str,
        policy: LatchPolicy,
        kind: LatchKind,
        after: LatchMemory,
        until: datetime | None,
    ) -> None:
        self.model = model
        self.kind: LatchKind = kind
        self.policy = policy
        self.recent = deque(after.recent, maxlen=policy.open.of)
        self.calm = after.calm
        self.episode = after.episode
        self.paused = after.paused
        self.refused = after.refused
        self.length = after.length
        self.settled = after.settled
        self.pending = after.pending
        self.until = until

    def memory(self, last: Window | None, taken: Iterable[Pause]) -> LatchMemory:
        """Return what another machine needs to go on from here."""
        return LatchMemory(
            last=last,
            taken=tuple(taken),
            recent=tuple(self.recent),
            calm=self.calm,
            episode=self.episode,
            paused=self.paused,
            refused=self.refused,
            length=self.length,
            settled=self.settled,
            pending=self.pending,
        )

    def pause(self, pause: Pause) -> None:
        self.paused = max(pause.since, self.paused or pause.since)
        self.refused = 0 if pause.promotion else self.refused + 1
        if pause.promotion:
            self._forget()

    def read(self, reading: Reading) -> None:
        self.length = reading.window.end - reading.window.start
        if reading.verdict == "insufficient":
            return
        self.recent.append(reading)
        low = reading.pressure is not None and reading.pressure <= self.policy.close.at
        calm = reading.verdict == "steady" and low
        # Calm must not rest on what was not looked at; whatever speaks against it counts at once.
        if not (calm and self._awaits(reading)):
            self.calm = self.calm + 1 if calm else 0
        breaches = [r for r in self.recent if r.verdict == "drifting"]
        if self.episode is None:
            if len(breaches) >= self.policy.open.breaches and not self._rests(reading.window.end):
                first = breaches[0]
                self.episode = str(
                    Episode(
                        model=self.model,
                        version=first.version,
                        asks=self.kind,
                        since=first.window.start,
                    )
                )
        elif self.calm >= self.policy.close.steady:
            self._forget()

    def latch(self, moment: datetime | None) -> Latch:
        rests = moment is not None and self._rests(moment)
        state: State = "resting" if rests else "open" if self.episode else "closed"
        return Latch(state, self.episode, self._until if rests else None)

    def _awaits(self, reading: Reading) -> bool:
        """Return whether the labels of a calm window are still awaited, and remember until when."""
        end = reading.awaited_until
        if end is None or self.until is None:
            return False
        if self.until <= end:
            self.pending = min(end, self.pending or end)
            return True
        self.settled = max(end, self.settled or end)
        return False

    @property
    def _until(self) -> datetime | None:
        if self.paused is None:
            return None
        rest = self.policy.rest
        once = rest * self.length if isinstance(rest, int) else rest
        return shifted(self.paused, once * 2 ** min(max(self.refused - 1, 0), _DOUBLINGS))

    def _rests(self, moment: datetime) -> bool:
        # Half a window of slack where windows are counted: those of a clock change differ.
        slack = self.length / 2 if isinstance(self.policy.rest, int) else timedelta(0)
        return self._until is not None and shifted(moment, slack) < self._until

    def _forget(self) -> None:
        self.refused = 0
        self.recent.clear()
        self.calm = 0
        self.episode = None
