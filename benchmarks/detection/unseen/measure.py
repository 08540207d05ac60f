"""Policies on streams and seeds, in a pool of processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.detection.detectors import Peer
from benchmarks.detection.scenarios import Scenario
from benchmarks.detection.unseen import ours, policies
from benchmarks.detection.unseen.figures import Outcome, Result, outcome, windows
from benchmarks.detection.unseen.policies import PERIOD
from benchmarks.detection.unseen.refits import Refits, Rows
from benchmarks.detection.unseen.streams import STREAMS

OURS, NEVER, TRAILING = "Gatelatch", "never", "always, all rows"
WAYS: tuple[Rows, ...] = ("65 %", "all rows")
# What --policies may ask for; `never` is played in any case, and `always` shows what is to gain.
POLICIES = ("ours", "always", "every", "ks", "adwin", "ddm", "oracle")
SLOW = ("employment", "forty-classes", "email", "led")


@dataclass(frozen=True)
class Asked:
    """Which policies to play on which streams; `against` is the --json of an earlier run."""

    streams: tuple[str, ...]
    seeds: int
    policies: tuple[str, ...]
    against: Path | None

    @property
    def jobs(self) -> list[tuple[str, int]]:
        """Return the streams with their seeds; one that is not made of a seed is there once."""
        return [
            (name, seed)
            for name in self.streams
            for seed in range(self.seeds if STREAMS[name].seeded else 1)
        ]

    @property
    def whole(self) -> bool:
        """Return whether nothing is left out."""
        return self.streams == tuple(STREAMS) and bool(self.against or self.policies == POLICIES)


def measure(asked: Asked, jobs: int, advance: Callable[[], None]) -> list[Result]:
    """Play the policies on all streams; `advance` is called after each stream and seed."""
    wanted = asked.jobs
    # The longest first, so that no process works alone at the end.
    longest = sorted(wanted, key=lambda job: job[0] not in SLOW)
    found: dict[tuple[str, int], Result] = {}
    with ProcessPoolExecutor(jobs) as pool:
        tasks = {pool.submit(one, *job, asked.policies): job for job in longest}
        for task in as_completed(tasks):
            found[tasks[task]] = task.result()
            advance()
    results = [found[job] for job in wanted]
    return beside(results, asked.against) if asked.against else results


def beside(found: Sequence[Result], file: Path) -> list[Result]:
    """Return the results with the other policies' of an earlier run, where they are of one stream.

    `file` is what that run wrote for --json.
    """
    earlier = {}
    for raw in json.loads(file.read_text())["unseen"]:
        outcomes = {
            p: Outcome(**o | {"retrains": tuple(o["retrains"])}) for p, o in raw["outcomes"].items()
        }
        earlier[raw["stream"], raw["seed"]] = outcomes
    missing = [f"{r.stream} {r.seed}" for r in found if (r.stream, r.seed) not in earlier]
    if missing:
        raise SystemExit(f"{file} holds nothing of {', '.join(missing)}; run all policies on them")
    return [replace(r, outcomes=earlier[r.stream, r.seed] | r.outcomes) for r in found]


def one(name: str, seed: int, asked: tuple[str, ...]) -> Result:
    """Play the policies on one stream of one seed."""
    it = STREAMS[name].make(seed)
    refits = Refits(it)
    outcomes = {NEVER: outcome(it, policies.never(it, refits))}
    if "ours" in asked:
        outcomes[OURS] = ours.play(it, outcomes[NEVER])
    outcomes |= _others(it, refits, asked)
    return Result(name, seed, it.first, windows(it), outcomes)


def _others(it: Scenario, refits: Refits, asked: tuple[str, ...]) -> Iterator[tuple[str, Outcome]]:
    ways: dict[str, tuple[str, Callable[..., policies.Reigns]]] = {
        "always": ("always", partial(policies.every, period=1)),
        "every": (f"every {PERIOD}", partial(policies.every, period=PERIOD)),
        "ks": ("KS", policies.ks),
    }
    for key, (title, way) in ways.items():
        if key in asked:
            for rows in WAYS:
                yield f"{title}, {rows}", outcome(it, way(it, refits, rows=rows))
    for key, detector in (("adwin", policies.ADWIN), ("ddm", policies.DDM)):
        if key in asked:
            with Peer(detector) as peer:  # one process for both, as its start takes longest
                for rows in WAYS:
                    found = policies.detector(it, refits, peer, rows)
                    yield f"{detector.title}, {rows}", outcome(it, found)
    if "oracle" in asked:
        yield "best in hindsight", outcome(it, policies.oracle(it, refits))
