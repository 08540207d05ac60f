"""What a retrain is expected to gain: a quick fit beside the champion, said before the question."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.classifier import scoring, training
from tasks.promotion import outlook, quick_fit
from tasks.promotion.outlook import Estimate, Outlook
from tasks.spec.model import ModelSpec
from tasks.spec.windows import stamp
from tests.support.stood import statistic
from tests.support.versions import day, seen

Make = Callable[..., ModelSpec]
CHANGE = day(6)


def found(low: float, high: float) -> Estimate:
    return Estimate(
        measure="accuracy",
        champion=0.8,
        fitted=0.8 + (low + high) / 2,
        low=low,
        high=high,
        rows=1500,
        held_out=800,
        since=day(61),
    )


def stream(
    seed: int = 0, days: int = 12, each: int = 300, turned: float = 0.0, flipped: float = 0.0
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Rows of some days; from CHANGE on the rule is turned (radians), or labels are flipped."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, days * each))
    times = stamp(day(1)) + np.arange(days * each) * (86_400_000_000 // each)
    angle = np.where(times >= stamp(CHANGE), turned, 0.0)
    noise = rng.normal(scale=0.3, size=len(x))
    truth = np.cos(angle) * x + np.sin(angle) * z + noise > 0
    truth ^= (rng.random(len(x)) < flipped) & (times >= stamp(CHANGE))
    return pd.DataFrame({"x": x, "z": z}), truth.astype(np.int64), times


def champion(spec: ModelSpec) -> Callable[[pd.DataFrame], Any]:
    frame, label, _ = stream(seed=9, days=5)
    fitted = training.fit(spec, frame, label)
    return lambda rows: scoring.decision_values(fitted, rows)


def estimate(spec: ModelSpec, rows: Any, changes: Any = (CHANGE,), held: int = 2700) -> Estimate:
    return quick_fit.estimate(spec, champion(spec), *rows, held, changes)


def test_after_an_abrupt_change_the_interval_holds_what_is_regained(spec: Make) -> None:
    turned = stream(turned=np.pi / 2)
    known = estimate(spec(), turned)
    assert known.answer == "gain"
    # The rule of before, turned by 90°, is right in half of the rows; the new one errs by noise.
    assert known.low < 1 / 2 - np.arctan(0.3) / np.pi < known.high
    assert (known.rows, known.held_out, known.since) == (2700 - 1500, 900, CHANGE)
    # Rows from before the change teach the old rule, and do not fit.
    assert estimate(spec(), turned, changes=()).fitted < known.fitted - 0.05


@pytest.mark.parametrize("weighting", ["balanced", "none"])
def test_flipped_labels_promise_nothing(spec: Make, weighting: str) -> None:
    known = estimate(spec(training={"weighting": weighting}), stream(flipped=0.3))
    assert known.answer != "gain"
    assert abs(known.fitted - known.champion) < 0.03
    assert known.measure == ("balanced accuracy" if weighting == "balanced" else "accuracy")


def test_features_that_move_along_the_same_rule_promise_nothing(spec: Make) -> None:
    frame, label, times = stream()
    moved = frame.assign(z=frame["z"] + np.where(times >= stamp(CHANGE), 2.0, 0.0))
    known = estimate(spec(), (moved, label, times))
    assert known.answer != "gain"
    assert known.high < 0.02


def test_with_few_rows_of_the_new_time_or_one_class_all_rows_fit(spec: Make) -> None:
    frame, label, times = stream()
    late = datetime.fromtimestamp(times[2700 - quick_fit.FEWEST_JUDGED + 1] / 1e6, UTC)
    assert estimate(spec(), (frame, label, times), changes=(late,)).rows == 2700
    alone = np.where((times >= stamp(CHANGE)) & (np.arange(len(times)) < 2700), 1, label)
    assert estimate(spec(), (frame, alone, times)).rows == 2700


def test_where_one_class_is_rare_both_count_alike(spec: Make) -> None:
    frame, _, times = stream()
    label = (frame["x"] > 1.9).to_numpy().astype(np.int64)  # 3 %
    never = quick_fit.estimate(
        spec(), lambda rows: np.full(len(rows), -1.0), frame, label, times, 2700, ()
    )
    assert never.champion == pytest.approx(0.5)
    assert never.low > 0.3


def test_of_many_rows_the_newest_fit_and_the_newest_are_held_out(spec: Make) -> None:
    rows = stream(days=50, each=1000)
    known = estimate(spec(), rows, changes=(), held=10_000)
    assert (known.rows, known.held_out) == (quick_fit.MOST_ROWS, quick_fit.MOST_ROWS)
    assert stamp(known.since) == rows[2][50_000 - 2 * quick_fit.MOST_ROWS]


def test_what_cannot_be_fit_is_said_in_our_own_words(spec: Make) -> None:
    frame, label, times = stream()
    with pytest.raises(training.TrainingError, match="has no row of class 0"):
        estimate(spec(), (frame, np.ones_like(label), times))


def test_of_rows_in_any_order_the_newest_labelled_ones_are_kept(spec: Make) -> None:
    rng = np.random.default_rng(3)
    kept, total = 2 * quick_fit.MOST_ROWS, 5 * quick_fit.MOST_ROWS
    times = rng.permutation(total)
    label = rng.integers(-1, 2, total)
    newest = quick_fit.Newest(spec())
    for part in np.array_split(np.arange(total), 12):
        columns = {"x": times[part].astype(float), "z": label[part].astype(float)}
        newest.add(pa.RecordBatch.from_pydict(columns), label[part], times[part])
    frame, found_label, found_times = newest.rows()
    wanted = np.sort(times[label >= 0])[-kept:]
    assert (found_times == wanted).all()
    assert (frame["x"] == wanted).all()
    assert (frame["z"] == found_label).all()


def test_rows_that_cannot_be_kept_raise_where_they_are_wanted_and_not_in_passing(
    spec: Make,
) -> None:
    newest = quick_fit.Newest(spec())
    batch = pa.RecordBatch.from_pydict({"x": [1.0]})
    for _ in range(2):
        newest.add(batch, np.array([1]), np.array([1]))
    with pytest.raises(KeyError, match="z"):
        newest.rows()


@pytest.mark.parametrize(
    ("low", "high", "diagnosis", "said"),
    [
        (0.08, 0.11, None, "a retrain is expected to regain 8 to 11 points of accuracy (fit on"),
        (0.08, 0.11, "persistent_label_noise", "a retrain is expected to regain 8 to 11 points"),
        (-0.01, 0.03, None, "between −1 and 3 points of accuracy: it may not help (fit on"),
        (-0.004, 0.006, None, "between −0.4 and 0.6 points of accuracy: it may not help"),
        (-0.03, -0.01, None, "none: a quick fit is no better, −3 to −1 points of accuracy"),
        (
            -0.01,
            0.01,
            "persistent_label_noise",
            "none: labels contradict confident decisions, look",
        ),
        (0.0, 0.0, None, "none: a quick fit is no better, 0.0 to 0.0 points"),
        (0.03, 0.05, "broken_scaling", "repair first (broken scaling): a retrain would learn what"),
    ],
)
def test_each_outlook_is_one_sentence(
    low: float, high: float, diagnosis: str | None, said: str
) -> None:
    sentence = Outlook(found(low, high), diagnosis).sentence
    assert sentence.startswith(said)
    assert "1,500 rows since 2026-03-02, 800 held out" in sentence
    assert "_" not in sentence


def test_what_is_not_known_says_why() -> None:
    assert Outlook(None, problem="the quick fit: no rows").sentence == (
        "not known: the quick fit: no rows"
    )


def test_the_newest_measured_window_says_what_is_to_be_repaired() -> None:
    windows = [seen(1, number) for number in (1, 2, 3)]
    for window, name in zip(windows[:2], ("broken_scaling", "persistent_label_noise"), strict=True):
        window.figures["statistics"] = [statistic()]
        told = ({"name": n, "finding": "", "advice": ""} for n in ("class_new", name))
        window.figures["diagnoses"] = list(told)
    assert outlook.diagnosis(windows) == "persistent_label_noise"
    assert outlook.diagnosis(windows[:1]) == "broken_scaling"
    assert outlook.diagnosis([]) is None
