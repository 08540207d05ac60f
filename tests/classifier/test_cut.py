"""The cut of time-ordered rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.classifier.cut import cut_rows
from tasks.classifier.training import TrainingError


@given(st.integers(0, 5000), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_slices_are_disjoint_and_ordered_and_the_newest_rows_judge(
    rows: int, calibrate: float, judge: float
) -> None:
    try:
        cut = cut_rows(rows, calibrate=calibrate, judge=judge)
    except TrainingError:
        return
    places = np.arange(rows)
    parts = [places[part] for part in (cut.fit, cut.calibrate, cut.judge)]
    assert all(len(part) for part in parts)
    assert np.concatenate(parts).tolist() == places.tolist()
    assert abs(len(parts[2]) - rows * judge) <= 0.5


@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_too_few_rows_to_slice_name_the_way_out(rows: int) -> None:
    with pytest.raises(TrainingError, match=rf"{rows} labelled rows cannot .* training\.window"):
        cut_rows(rows, calibrate=0.15, judge=0.2)
