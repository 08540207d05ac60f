"""After how many windows each detector signals a shift, and how often it signals without one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from benchmarks.detection.detectors import Peer, PeerName
from benchmarks.detection.scenarios import made
from benchmarks.detection.streams import SHIFTS, Rows, linear
from benchmarks.detection.study import train
from tasks.classifier import scoring
from tasks.drift.latch import Reading, fold
from tasks.drift.reference import Reference
from tasks.drift.summary import summarise
from tasks.drift.verdict import judge_margins
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window, windows_between

ROWS = 500  # to a window
REFERENCE, CONTROL, SHIFTED = 20, 20, 12  # windows


@dataclass(frozen=True)
class Seen:
    """A window as detectors see it: margins (n,), labels (n,), features (n, d)."""

    margins: np.ndarray
    label: np.ndarray
    features: np.ndarray


@dataclass(frozen=True)
class Trial:
    """One seed: a model, its reference, windows without a shift, and windows with each."""

    spec: ModelSpec
    accepted: Reference
    reference: Seen
    control: tuple[Seen, ...]
    shifted: dict[str, tuple[Seen, ...]]
    accuracy: dict[str, float]  # of the last window with each shift; "" of the control windows


@dataclass(frozen=True)
class Delays:
    """What one detector did in one trial.

    `false_alarms` are counted in the control windows, `delay` from 1 at the first shifted window,
    None if it kept silent in all of them.
    """

    detector: str
    seed: int
    false_alarms: int
    delay: dict[str, int | None]


@lru_cache(maxsize=64)
def trial(seed: int) -> Trial:
    """Return a seed's windows, the same for every detector."""
    rng = np.random.default_rng([500, seed])
    it = made("trial", [linear(rng, ROWS) for _ in range(REFERENCE)], first=0)
    history = it.history
    trained = train(it, REFERENCE, REFERENCE * it.spec.window.every)

    def seen(rows: Rows) -> Seen:
        frame = history.frame.iloc[:0].reindex(range(len(rows.label)))
        frame.loc[:, :] = rows.features
        return Seen(scoring.decision_values(trained.model, frame), rows.label, rows.features)

    held_out = round(0.35 * len(history.label))
    unseen = Rows(it.columns[-held_out:], history.label[-held_out:])
    control = tuple(seen(linear(rng, ROWS)) for _ in range(CONTROL))
    shifted = {
        s.name: tuple(seen(s.rows(rng, ROWS, w, SHIFTED)) for w in range(SHIFTED)) for s in SHIFTS
    }
    accuracy = {name: _accuracy(windows[-1:]) for name, windows in shifted.items()}
    accuracy[""] = _accuracy(control)
    return Trial(it.spec, trained.accepted.reference, seen(unseen), control, shifted, accuracy)


def measure(
    ours: int, peers: int, names: list[PeerName], jobs: int, advance: Callable[[], None]
) -> list[Delays]:
    """Return what everybody did, ours with so many seeds and peers with the first of them."""
    found: list[Delays] = []
    with ProcessPoolExecutor(jobs) as pool:
        for some in pool.map(_gatelatch, range(ours)):
            found += some
            advance()
    with ThreadPoolExecutor(jobs) as pool:  # each peer computes in a process of its own
        tasks = [pool.submit(_peer, name, seed) for name in names for seed in range(peers)]
        for task in as_completed(tasks):
            found.append(task.result())
            advance()
    return found


def _gatelatch(seed: int) -> list[Delays]:
    it = trial(seed)
    found = []
    for labelled in (True, False):
        name = "Gatelatch" if labelled else "Gatelatch, unlabelled"
        before = [_pressure(it, window, labelled) for window in it.control]
        breaches: dict[str, int | None] = {}
        opens: dict[str, int | None] = {}
        for shift, windows in it.shifted.items():
            after = [_pressure(it, window, labelled) for window in windows]
            signs = [said[1] == "drifting" for said in after]
            breaches[shift] = signs.index(True) + 1 if any(signs) else None
            opens[shift] = _opening(it.spec, before + after)
        breaching = sum(verdict == "drifting" for _, verdict in before)
        found.append(Delays(name, seed, len(_episodes(it.spec, before)), opens))
        found.append(Delays(f"{name}: first breach", seed, breaching, breaches))
    return found


def _pressure(it: Trial, window: Seen, labelled: bool) -> tuple[float | None, Any]:
    label = window.label if labelled else np.full_like(window.label, -1)
    grid = it.accepted.summary.grid
    said = judge_margins(
        summarise(grid, window.margins, label, ("0", "1"), {}), it.accepted, it.spec
    )
    return said.pressure, said.verdict


def _episodes(spec: ModelSpec, said: list[tuple[float | None, Any]]) -> dict[str, int]:
    """Return the window in which each episode opens, counted from 0."""
    start = spec.window.start
    tiles = windows_between(spec.window, start, start + (len(said) + 1) * spec.window.every)
    readings = [
        Reading(Window(tile.start, tile.end), 1, verdict, pressure)
        for tile, (pressure, verdict) in zip(tiles, said, strict=False)
    ]
    opened: dict[str, int] = {}
    for index, (_, latch) in enumerate(fold(spec.model, readings, [], spec.latch).steps):
        if latch.episode:
            opened.setdefault(latch.episode, index)
    return opened


def _opening(spec: ModelSpec, said: list[tuple[float | None, Any]]) -> int | None:
    after = [index for index in _episodes(spec, said).values() if index >= CONTROL]
    return min(after) - CONTROL + 1 if after else None


def _peer(name: PeerName, seed: int) -> Delays:
    it = trial(seed)
    delay: dict[str, int | None] = {}
    with Peer(name) as peer:
        for shift, windows in it.shifted.items():
            # A detector without labels judges each window alone: the control is not repeated.
            if name.labels or not delay:
                peer.reference(*vars(it.reference).values())
                early = [peer.window(*vars(window).values()).alarm for window in it.control]
            signs = [peer.window(*vars(window).values()).alarm for window in windows]
            delay[shift] = signs.index(True) + 1 if any(signs) else None
    return Delays(name.title, seed, sum(early), delay)


def _accuracy(windows: tuple[Seen, ...]) -> float:
    return float(np.mean([((w.margins > 0) == w.label).mean() for w in windows]))
