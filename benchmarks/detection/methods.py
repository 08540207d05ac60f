"""How good the probabilities of each calibration method are, on real rows that nothing has seen.

    python -m benchmarks.detection.methods

A model is fit on the oldest 65 % of the rows before a window, each method learns on the next 15 %,
and the newest 20 % judge them all. The next model's rows begin so much later that no row judges
twice. The log loss beside the sigmoid's has the standard error of its mean over these models.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.detection.scenarios import Scenario, scenario
from benchmarks.detection.streams import Floats, Ints
from tasks.classifier import calibration, scoring, training
from tasks.classifier.calibrators import CALIBRATORS
from tasks.classifier.cut import cut_rows
from tasks.gates.equal_mass import reliability
from tasks.replay import trained_model
from tasks.spec.model import ModelSpec
from tasks.spec.training_options import CalibrationMethod

NAMES = ("electricity", "employment", "email")
_LEAST = 1e-6  # a probability below counts as this: a step function says 0 of what then happens


@dataclass(frozen=True)
class Quality:
    """Mean losses of one model's probabilities on the rows that judge, and how many these are."""

    rows: int
    brier: float
    log_loss: float
    calibration_error: float


def quality(probability: Floats, label: Ints) -> Quality:
    """Return that of probabilities, shape (n, 2), of labels 0 and 1, shape (n,)."""
    of_label = np.clip(probability[np.arange(len(label)), label], _LEAST, 1)
    return Quality(
        rows=len(label),
        brier=float(np.square(probability[:, 1] - label).mean()),
        log_loss=float(-np.log(of_label).mean()),
        calibration_error=reliability(probability, label).expected_error,
    )


def models(it: Scenario) -> Iterator[dict[CalibrationMethod, Quality]]:
    """Yield for each model the quality of every method that its slice is large enough for."""
    from sklearn.exceptions import ConvergenceWarning

    step = max(1, round(it.first * it.spec.training.judge))
    for at in range(it.first, len(it.history.windows) + 1, step):
        windows = it.history.windows[at - it.first : at]
        span = windows[-1].end - windows[0].start
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                made = trained_model.fit_on_history(it.spec, it.history, windows[-1].end, span)
        except training.TrainingError:
            continue
        yield {name: found for name in CALIBRATORS if (found := _judged(it.spec, name, *made[:3]))}


def _judged(
    spec: ModelSpec, method: CalibrationMethod, fitted: Any, frame: Any, label: Ints
) -> Quality | None:
    cut = cut_rows(len(label), calibrate=spec.calibration.share, judge=spec.training.judge)
    if cut.calibrate.stop - cut.calibrate.start < CALIBRATORS[method].rows_needed:
        return None
    model = calibration.learn_probabilities(
        fitted, frame[cut.calibrate], label[cut.calibrate], method
    )
    decision = scoring.decision_values(model, frame[cut.judge])
    return quality(calibration.probabilities(model, decision), label[cut.judge])


def main() -> None:
    """Print the table."""
    print("| rows of | method | Brier | log loss | beside `sigmoid` | calibration error |")
    print("| --- " * 2 + "| ---: " * 4 + "|")
    for name in NAMES:
        found = list(models(scenario(name)))
        told = f"{name}, {len(found)} models, {sum(m['sigmoid'].rows for m in found):,} rows"
        for method in CALIBRATORS:
            each = [m[method] for m in found if method in m]
            if len(each) < len(found):
                print(f"| {told} | `{method}` | refused | | | |")
                continue
            beside = [q.log_loss - m["sigmoid"].log_loss for q, m in zip(each, found, strict=True)]
            error = np.std(beside, ddof=1) / np.sqrt(len(beside))
            brier, loss, ece = (
                np.mean([getattr(q, key) for q in each])
                for key in ("brier", "log_loss", "calibration_error")
            )
            said = "" if method == "sigmoid" else f"{np.mean(beside):+.4f} ± {error:.4f}"
            print(f"| {told} | `{method}` | {brier:.4f} | {loss:.4f} | {said} | {ece:.4f} |")


if __name__ == "__main__":
    main()
