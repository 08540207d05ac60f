"""The candidates of a scenario, one for each window's end: what every policy but ours chooses from.

They all retrain by the same procedure, so each candidate is trained once. It is fitted to the
oldest slice of its rows, calibrated on the next, and judged on the newest.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from benchmarks.detection.scenarios import Scenario, scenario
from benchmarks.detection.streams import Floats
from tasks.classifier import scoring
from tasks.classifier.cut import Cut, cut_rows
from tasks.classifier.margins import error, margin
from tasks.classifier.training import TrainingError
from tasks.gates.acceptance import Acceptance
from tasks.replay import trained_model


@dataclass(frozen=True)
class Candidate:
    """A calibrated model that would rule from the window `at` on, and what it says of all rows.

    `decision` holds decision values from the row `base` on, the first that it was trained on;
    `accepted` compares it with nobody, so its gates say nothing of a champion.
    """

    at: int
    base: int
    cut: Cut
    decision: Floats
    accepted: Acceptance

    @property
    def unseen(self) -> slice:
        """Return the rows that the fit did not see: the reference."""
        return slice(self.base + self.cut.calibrate.start, self.base + self.cut.judge.stop)

    def of(self, rows: slice) -> Floats:
        """Return the decision values of rows of the history."""
        return self.decision[rows.start - self.base : rows.stop - self.base]


@dataclass(frozen=True)
class Study:
    """A scenario, its candidates by window, and `accuracy[at, window]`, NaN before `at`."""

    scenario: Scenario
    candidates: dict[int, Candidate]
    accuracy: Floats

    @property
    def windows(self) -> range:
        """Return the monitored windows."""
        return range(self.scenario.first, len(self.scenario.history.windows))

    def mean_accuracy(self, retrained: Iterable[int]) -> float:
        """Return the mean over the monitored windows, given after which ones was retrained."""
        chosen, ruling, total = set(retrained), self.scenario.first, 0.0
        for window in self.windows:
            total += self.accuracy[ruling, window]
            if window in chosen and window + 1 in self.candidates:
                ruling = window + 1
        return total / len(self.windows)


def study_of(name: str, jobs: int, advance: Callable[[], None]) -> Study:
    """Train every candidate of a scenario; `advance` is called after each."""
    it = scenario(name)
    found: dict[int, Candidate] = {}
    with ProcessPoolExecutor(jobs) as pool:
        tasks = [
            pool.submit(candidate_of, name, at) for at in range(it.first, len(it.history.windows))
        ]
        for task in as_completed(tasks):
            if candidate := task.result():
                found[candidate.at] = candidate
            advance()
    count = len(it.history.windows)
    accuracy = np.full((count, count), np.nan)
    for at, candidate in found.items():
        for window in range(at, count):
            rows = it.history.rows(window)
            right = ~error(margin(candidate.of(rows), it.history.label[rows]))
            accuracy[at, window] = right.mean()
    return Study(it, found, accuracy)


def candidate_of(name: str, at: int) -> Candidate | None:
    """Return the candidate of a scenario for a window; None if a class is missing from its rows."""
    it = scenario(name)
    spec, history = it.spec, it.history
    try:
        trained = train(it, at, it.span if at == it.first else spec.training.window)
    except TrainingError:
        return None
    base, rows = int(trained.trained[0]), len(trained.trained)
    cut = cut_rows(rows, calibrate=spec.calibration.share, judge=spec.training.judge)
    decision = scoring.decision_values(trained.model, history.frame.iloc[base:])
    return Candidate(at, base, cut, decision, trained.accepted)


def train(it: Scenario, at: int, span: timedelta) -> trained_model.Trained:
    """Return the project's candidate of the rows of `span` before a window, compared with nobody.

    Raises
    ------
    TrainingError
        If a class is missing from a slice of the rows.
    """
    from sklearn.exceptions import ConvergenceWarning

    windows = it.history.windows
    end = windows[at].start if at < len(windows) else windows[-1].end
    with warnings.catch_warnings():
        # Some fits stop at the project's 20 000 rounds: said once by a monitor, here all the time.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return trained_model.train_on_history(it.spec, it.history, end, span, None)
