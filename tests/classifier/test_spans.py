"""From which rows a candidate learns: spans, common slices, and the choice."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.classifier import spans
from tasks.classifier.spans import ALL, BREACH, CHANGE, RECENT, SECOND, Learning, Tried
from tasks.classifier.training import TrainingError
from tasks.classifier.training_rows import Facts, TrainingRows
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window, stamp
from tests.support.flow import MODEL

SPEC = ModelSpec.model_validate(
    {**MODEL.model_dump(mode="json"), "training": {"window": "8d"}, "expectations": []}
)
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
WINDOW = Window(START, START + 8 * DAY)
ROWS = 800
TIMES = np.array([stamp(START + 8 * DAY * k / ROWS) for k in range(ROWS)])


def labels(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, ROWS)


def test_what_calibrates_and_judges_is_from_after_the_change() -> None:
    cut = spans.cut_of(SPEC, TIMES, labels(), [START + 5 * DAY])
    assert (cut.since, cut.judge.stop - cut.judge.start) == (500, 60)
    assert cut.calibrate == slice(695, 740)
    whole = spans.cut_of(SPEC, TIMES, labels(), [])
    assert (whole.calibrate, whole.judge) == (slice(520, 640), slice(640, 800))
    later = spans.cut_of(SPEC, TIMES, labels(), [START + 9 * DAY])  # no row of it is labelled
    assert later == whole
    for few in (1, 2, 3):  # of three rows, 15 % are none
        changes = [START + (8 - few / 100) * DAY]
        assert spans.cut_of(SPEC, TIMES, labels(), changes) == whole


def test_of_one_change_all_rows_the_newer_half_and_those_since_the_breach_are_tried() -> None:
    changes = [START + 6 * DAY]
    cut = spans.cut_of(SPEC, TIMES, labels(), changes)
    found = spans.spans_of(TIMES, cut, WINDOW, changes)
    assert [(s.name, s.first) for s in found] == [(ALL, 0), (RECENT, 400), (BREACH, 600)]


def test_where_a_level_was_lost_before_the_rows_since_then_take_the_place_of_the_half() -> None:
    changes = [START + 3 * DAY, START + 6 * DAY]
    cut = spans.cut_of(SPEC, TIMES, labels(), changes)
    found = spans.spans_of(TIMES, cut, WINDOW, changes)
    assert [(s.name, s.first) for s in found] == [(ALL, 0), (CHANGE, 300), (BREACH, 600)]


@given(st.lists(st.floats(-2, 9), max_size=2).map(sorted))
@example([7.96875])
def test_there_are_three_fits_at_most_and_no_two_of_nearly_the_same_rows(days: list[float]) -> None:
    changes = [START + d * DAY for d in days]
    cut = spans.cut_of(SPEC, TIMES, labels(), changes)
    found = spans.spans_of(TIMES, cut, WINDOW, changes)
    assert 1 <= len(found) <= 3
    assert found[0].name == ALL
    firsts = [s.first for s in found]
    assert firsts == sorted(set(firsts))
    assert all(b - a > 0.02 * cut.fit.stop for a, b in pairwise(firsts))
    assert cut.fit.stop == cut.calibrate.start <= cut.calibrate.stop == cut.judge.start < ROWS


def test_slices_reach_back_for_a_second_class() -> None:
    label = labels()
    label[500:] = 0
    cut = spans.cut_of(SPEC, TIMES, label, [])
    assert cut.judge.start < 500
    assert (label[cut.judge] == 1).sum() == SECOND
    assert (label[cut.calibrate] == 1).sum() >= SECOND
    alone = spans.cut_of(SPEC, TIMES, np.zeros(ROWS, int), [])
    assert alone.judge == slice(640, 800)


def turned(at: int, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    """Return rows whose labels follow the opposite rule from a place on."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=ROWS), "z": rng.normal(size=ROWS)})
    label = (frame["x"] + 0.3 * rng.normal(size=ROWS) > 0).to_numpy().astype(np.int64)
    label[at:] = 1 - label[at:]
    return frame, label


def labelled(frame: pd.DataFrame, label: np.ndarray) -> TrainingRows:
    return TrainingRows(frame=frame, label=label, facts=Facts(TIMES, None, {}))


def test_after_an_abrupt_change_the_rows_since_then_are_taken() -> None:
    frame, label = turned(500)
    found = spans.fit_spans(SPEC, labelled(frame, label), WINDOW, [START + 5 * DAY])
    learnt = found.learning
    assert learnt.tried[learnt.taken].name == BREACH
    assert found.cut.fit.start == 500
    losses = [t.loss for t in learnt.tried]
    assert min(losses) == losses[learnt.taken]
    assert learnt.told[learnt.taken].endswith(", taken")
    assert learnt.cut(ROWS) == found.cut
    assert Learning.from_json(json.loads(json.dumps(learnt.to_json()))) == learnt


def test_a_span_that_cannot_be_fit_is_told_and_the_others_are_tried() -> None:
    frame, label = turned(ROWS)
    label[600:745] = 0  # since the breach one class alone is there to fit
    rows = labelled(frame, label)
    found = spans.fit_spans(SPEC, rows, WINDOW, [START + 6 * DAY]).learning
    last = found.tried[-1]
    assert (last.name, last.loss) == (BREACH, None)
    assert last.problem is not None
    assert found.taken < len(found.tried) - 1
    label[:] = 0
    with pytest.raises(TrainingError):
        spans.fit_spans(SPEC, rows, WINDOW, [START + 6 * DAY])


def test_of_equal_losses_the_longest_span_is_taken() -> None:
    tried = [Tried(ALL, 9, 0.5), Tried(RECENT, 5, 0.5), Tried(BREACH, 3, None, "why")]
    assert spans.best_span(tried) == 0
