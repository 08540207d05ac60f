"""Drift of the calibration: what breaches, what does not, and within which budget."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax

from benchmarks.detection.budget import openings
from benchmarks.detection.calibrated import year
from benchmarks.detection.specs import spec_of
from tasks.drift.episode import Numbered
from tasks.drift.grid import Grid
from tasks.drift.latch import Reading, fold
from tasks.drift.probabilities import held_probabilities, judge_probabilities
from tasks.drift.reference import Reference, reference_from_blocks
from tasks.drift.reliability_table import ReliabilityTable
from tasks.drift.summary import Summary, summarise
from tasks.drift.verdict import Judgement
from tasks.drift.verdict import judge_margins as judge_drift
from tasks.spec.model import ModelSpec
from tasks.spec.windows import windows_between
from tests.conftest import CHURN

GRID = Grid.even(-12.0, 12.0)
SPEC = ModelSpec.model_validate(CHURN)
ROWS = 500


def window(seed: int, noise: float = 0.0, shift: float = 0.0, rows: int = ROWS) -> Summary:
    """Return a window of scores with p = 1 / (1 + exp(-2f)), of labels that keep to it or don't."""
    rng = np.random.default_rng(seed)
    decision = 1.5 * rng.normal(size=rows)
    label = rng.random(rows) < expit(2 * decision + shift)
    spoilt = rng.random(rows) < noise
    label = np.where(spoilt, rng.random(rows) < 0.5, label).astype(np.int64)
    return summary(decision, label)


def summary(decision: Any, label: Any) -> Summary:
    positive = expit(2 * decision)
    known = label >= 0
    table = ReliabilityTable.of(np.column_stack([1 - positive, positive])[known], label[known])
    return summarise(GRID, decision, label, ("no", "yes"), {}, reliability=table)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return reference_from_blocks(
        [[window(100 + i) for i in range(12)], [window(i) for i in range(8)]], 1
    )


def judged(reference: Reference, **parts: Any) -> Judgement:
    return judge_probabilities(window(99, **parts), reference, SPEC)


def test_probabilities_that_hold_are_steady(reference: Reference) -> None:
    said = judged(reference)
    assert (said.verdict, said.reason) == ("steady", "the probabilities hold")


def test_noisier_labels_make_the_model_overconfident_while_drift_holds_still(
    reference: Reference,
) -> None:
    said = judged(reference, noise=0.2)
    values = {s.name: s.value for s in said.statistics}
    assert (said.verdict, said.reason) == ("drifting", "above the limit: overconfidence")
    assert values["overconfidence"] > 0.07 > abs(values["bias"])
    # The scores are where they were, and of few labels that turn the loss rises by less than 0.10.
    assert judge_drift(window(99, noise=0.06), reference, SPEC).verdict == "steady"


def test_more_positives_than_promised_are_a_bias(reference: Reference) -> None:
    said = judged(reference, shift=1.0)
    bias = next(s for s in said.statistics if s.name == "bias")
    assert said.verdict == "drifting"
    assert bias.value < 0
    assert bias.pressure > 1


def test_a_change_below_the_effect_never_breaches_however_many_rows_prove_it() -> None:
    many = reference_from_blocks([[window(i, rows=20_000) for i in range(8)]], 1)
    said = judged(many, noise=0.08, rows=20_000)
    assert max(abs(s.value) / s.noise for s in said.statistics) > 1
    assert said.verdict == "steady"


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (lambda: window(1, rows=49), "fewer than 50 labels"),
        (lambda: summary(np.arange(100.0) - 50, np.full(100, -1)), "fewer than 50 labels"),
        (lambda: summary(np.arange(100.0) - 50, np.zeros(100, dtype=np.int64)), "no label is yes"),
    ],
)
def test_nothing_is_said_without_enough_labels_of_every_class(
    reference: Reference, odd: Any, why: str
) -> None:
    said = judge_probabilities(odd(), reference, SPEC)
    assert (said.verdict, said.pressure) == ("insufficient", None)
    assert why in said.reason


def test_nothing_is_said_where_the_reference_has_no_probabilities(reference: Reference) -> None:
    bare = replace(reference, summary=replace(reference.summary, reliability=ReliabilityTable()))
    assert judge_probabilities(window(1), bare, SPEC).verdict == "insufficient"


def test_the_observation_keeps_brier_and_calibration_error_beside_those_of_the_reference(
    reference: Reference,
) -> None:
    noisy = window(99, noise=0.2)
    told = held_probabilities(noisy, reference, judge_probabilities(noisy, reference, SPEC))
    assert (told.brier or 0) > (told.brier_reference or 1)
    assert (told.calibration_error or 0) > (told.calibration_error_reference or 1)
    assert sum((told.table or {})["rows"]) == ROWS


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_the_latch_of_the_calibration_keeps_to_its_budget(rho: float) -> None:
    alone = spec_of("stream", {"numeric": ["x"]}, "y", drift={"calibration": {"effect": 1e-9}})
    years = 20
    opened = [
        latch.episode
        for number in range(years)
        for _, latch in fold("m", year(200, rho, number, 0.0, alone), [], alone.latch).steps
    ]
    changes = sum(a != b and b is not None for a, b in pairwise([None, *opened]))
    # Of ten that the budget of 0.5 a year allows; more than 16 would be one chance in fifty.
    assert changes <= 16


def test_an_episode_of_the_calibration_says_in_its_name_what_it_asks_for() -> None:
    readings = year(2_000, 0.0, 1, 0.3, spec_of("stream", {"numeric": ["x"]}, "y"))
    policy = SPEC.latch
    episode = fold("m", readings, [], policy, "recalibrate").now.episode
    assert episode == "m.v1.recalibrate.20200101T0000"
    assert Numbered.parse(f"{episode}.1").asks == "recalibrate"
    assert Numbered.parse(f"{fold('m', readings, [], policy).now.episode}.1").asks == "retrain"


NAMES = ("a", "b", "c")
OFTEN = (0.5, 0.35, 0.15)
THREE = spec_of("stream", {"numeric": ["x"]}, "y")


def of_three(seed: Any, taken: float = 0.0, rows: int = ROWS, names: Any = NAMES) -> Summary:
    """Return a window whose labels keep to their probabilities, but that `b` takes from `c`.

    So many of the rows of `c`, which its probability still promises.
    """
    rng = np.random.default_rng(seed)
    decision = 1.5 * rng.normal(size=(rows, 3)) + np.log(OFTEN)
    chance = softmax(decision, axis=1)
    label = (decision + rng.gumbel(size=(rows, 3))).argmax(axis=1)
    label = np.where((label == 2) & (rng.random(rows) < taken), 1, label)
    table = ReliabilityTable.of(chance, label, None, names)
    return summarise(GRID, decision, label, NAMES, {}, reliability=table)


def reference_of_three(seed: int = 0, **parts: Any) -> Reference:
    blocks = [of_three([seed, i], **parts) for i in range(20)]
    return reference_from_blocks([blocks[:13], blocks[13:]], 1)


def readings(windows: list[Summary], reference: Reference, spec: ModelSpec) -> list[Reading]:
    start = spec.window.start
    tiles = windows_between(spec.window, start, start + len(windows) * spec.window.every)
    said = [judge_probabilities(window, reference, spec) for window in windows]
    return [Reading(w, 1, s.verdict, s.pressure) for w, s in zip(tiles, said, strict=True)]


def test_a_class_whose_probabilities_alone_go_wrong_opens_the_latch_and_is_named() -> None:
    reference = reference_of_three()
    well, wrong = ([of_three([9, i], taken) for i in range(8)] for taken in (0.0, 0.8))
    assert openings(readings(well, reference, THREE), THREE) == 0
    assert openings(readings(wrong, reference, THREE), THREE) == 1
    said = judge_probabilities(wrong[0], reference, THREE)
    assert said.reason == "above the limit: bias of b, bias of c"
    values = {s.title: s.value for s in said.statistics}
    assert values["bias of c"] > 0.05 > abs(values["bias of a"])
    assert values["bias of b"] < -0.05
    told = held_probabilities(wrong[0], reference, said)
    assert [s.of for s in told.statistics] == [None, *NAMES]
    assert set((told.table or {})["classes"]) == set(NAMES)


def test_a_class_with_too_few_rows_is_not_judged_and_is_named() -> None:
    rare = of_three(1, taken=0.93)
    assert 0 < rare.classes["c"].rows < 10
    said = judge_probabilities(rare, reference_of_three(), THREE)
    assert [s.of for s in said.statistics] == [None, "a", "b"]
    assert said.reason.endswith("with fewer than 10 labels not judged alone: c")


def test_a_reference_from_before_classes_were_kept_judges_what_it_knows() -> None:
    reference = reference_of_three(names=())
    assert not any(name.startswith("bias ") for name in reference.spread.design_effects)
    said = judge_probabilities(of_three(1), reference, THREE)
    assert (said.verdict, [s.title for s in said.statistics]) == ("steady", ["overconfidence"])
    assert said.reason.endswith("not known of the reference, nor judged alone: a, b and c")


def test_the_classes_keep_to_the_budget_together_with_the_overconfidence() -> None:
    bare = {"calibration": {"effect": 1e-9}, "blind_at": 1e12}
    alone = spec_of("stream", {"numeric": ["x"]}, "y", drift=bare)
    years, opened, beyond = 20, 0, 0
    for number in range(years):
        reference = reference_of_three(number, rows=200)
        windows = [of_three([number, 100 + i], rows=200) for i in range(52)]
        found = readings(windows, reference, alone)
        opened += openings(found, alone)
        beyond += sum(r.verdict == "drifting" for r in found)
    assert beyond > 0  # single windows do breach: the limits are no wider than they must be
    # Of ten that the budget of 0.5 a year allows; more than 16 would be one chance in fifty.
    assert opened <= 16
