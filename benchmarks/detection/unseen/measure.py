"""Policies on streams and seeds, in a pool of processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.detection.detectors import Peer, PeerName
from benchmarks.detection.unseen import ours, policies
from benchmarks.detection.unseen.figures import Outcome, Result, outcome, windows
from benchmarks.detection.unseen.policies import PERIOD
from benchmarks.detection.unseen.refits import Refits, Rows
from benchmarks.detection.unseen.streams import STREAMS

OURS, NEVER, TRAILING = "Gatelatch", "never", "always, all rows"
WAYS: tuple[Rows, ...] = ("65 %", "all rows")
# What --policies may ask for; `never` is played in any case, and `always` shows what is to gain.
POLICIES = ("ours", "always", "every", "ks", "adwin", "ddm", "oracle")
_DETECTORS = {"adwin": policies.ADWIN, "ddm": policies.DDM}
SLOW = ("employment", "forty-classes", "email", "led")


@dataclass(frozen=True)
class Asked:
    """Which policies to play on which streams; `against` is the --json of an earlier run."""

    streams: tuple[str, ...]
    seeds: int
    policies: tuple[str, ...]
    against: Path | None

    @property
    def whole(self) -> bool:
        """Return whether nothing is left out."""
        return self.streams == tuple(STREAMS) and bool(self.against or self.policies == POLICIES)


def measure(asked: Asked, jobs: int, advance: Callable[[], None]) -> list[Result]:
    """Play the policies on all streams; `advance` is called after each stream."""
    # The longest first, so that no process works alone at the end.
    longest = sorted(asked.streams, key=lambda name: name not in SLOW)
    found: dict[str, list[Result]] = {}
    with ProcessPoolExecutor(jobs) as pool:
        tasks = {
            pool.submit(of_stream, name, asked.seeds, asked.policies): name for name in longest
        }
        for task in as_completed(tasks):
            found[tasks[task]] = task.result()
            advance()
    results = [result for name in asked.streams for result in found[name]]
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


def of_stream(name: str, seeds: int, asked: tuple[str, ...]) -> list[Result]:
    """Play the policies on one stream, seed by seed; one that is not made of a seed once."""
    with ExitStack() as running:  # a detector's process takes longer to start than to answer
        peers = {
            detector: running.enter_context(Peer(detector))
            for key, detector in _DETECTORS.items()
            if key in asked
        }
        return [
            _play(name, seed, asked, peers) for seed in range(seeds if STREAMS[name].seeded else 1)
        ]


def _play(name: str, seed: int, asked: tuple[str, ...], peers: Mapping[PeerName, Peer]) -> Result:
    it = STREAMS[name].make(seed)
    refits = Refits(it)
    outcomes = {NEVER: outcome(it, policies.never(it, refits))}
    if "ours" in asked:
        outcomes[OURS] = ours.play(it, outcomes[NEVER])
    ways: dict[str, Callable[[Rows], policies.Reigns]] = {}
    if "always" in asked:
        ways["always"] = partial(policies.every, it, refits, 1)
    if "every" in asked:
        ways[f"every {PERIOD}"] = partial(policies.every, it, refits, PERIOD)
    if "ks" in asked:
        ways["KS"] = partial(policies.ks, it, refits)
    for detector, peer in peers.items():
        ways[detector.title] = partial(policies.detector, it, refits, peer)
    for title, way in ways.items():
        outcomes |= {f"{title}, {rows}": outcome(it, way(rows)) for rows in WAYS}
    if "oracle" in asked:
        outcomes["best in hindsight"] = outcome(it, policies.oracle(it, refits))
    return Result(name, seed, it.first, windows(it), outcomes)
