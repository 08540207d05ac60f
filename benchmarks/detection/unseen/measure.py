"""Policies on streams and seeds, in a pool of processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from benchmarks.detection.unseen import ours
from benchmarks.detection.unseen.ours import Outcome
from benchmarks.detection.unseen.streams import STREAMS

OURS = "Gatelatch"
POLICIES = ("ours",)


@dataclass(frozen=True)
class Result:
    """What each policy did on one stream of one seed."""

    stream: str
    seed: int
    outcomes: dict[str, Outcome]


def jobs_of(streams: Sequence[str], seeds: int) -> list[tuple[str, int]]:
    """Return the streams with their seeds; one that is not made of a seed is there once."""
    return [(n, seed) for n in streams for seed in range(seeds if STREAMS[n].seeded else 1)]


def measure(
    streams: Sequence[str],
    seeds: int,
    policies: Sequence[str],
    jobs: int,
    advance: Callable[[], None],
) -> list[Result]:
    """Play the policies on all streams; `advance` is called after each stream and seed."""
    wanted = jobs_of(streams, seeds)
    found: dict[tuple[str, int], Result] = {}
    with ProcessPoolExecutor(jobs) as pool:
        tasks = {pool.submit(one, *job, tuple(policies)): job for job in wanted}
        for task in as_completed(tasks):
            found[tasks[task]] = task.result()
            advance()
    return [found[job] for job in wanted]


def one(name: str, seed: int, policies: tuple[str, ...]) -> Result:
    """Play the policies on one stream of one seed."""
    it = STREAMS[name].make(seed)
    outcomes = {}
    if "ours" in policies:
        outcomes[OURS] = ours.play(it)
    return Result(name, seed, outcomes)
