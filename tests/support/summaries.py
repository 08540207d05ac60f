"""Summaries of random and of known rows, and how two of them are compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tasks.arrays import Floats, Ints
from tasks.drift.grid import Grid
from tasks.drift.moments import Moments
from tasks.drift.summary import Summary, summarise

GRID = Grid.even(-6.0, 6.0, bins=64)
CLASSES = ("no", "yes")


def of(
    decision: Floats,
    label: Ints,
    feature: Floats | None = None,
    weight: Floats | None = None,
    grid: Grid = GRID,
) -> Summary:
    values = decision if feature is None else feature
    return summarise(
        grid,
        decision,
        label,
        CLASSES,
        {"x": values},
        weight=weight,
        contributions=sums(values),
        class_contributions={n: sums(values[label == i]) for i, n in enumerate(CLASSES)},
    )


def sums(values: Floats) -> dict[str, float]:
    return {"x": float(0.5 * values.sum()), "(intercept)": 0.3 * len(values)}


@st.composite
def batches(draw: st.DrawFn) -> tuple[Floats, Ints, Floats, Floats]:
    n = draw(st.integers(0, 30))
    decision = draw(hnp.arrays(np.float64, n, elements=st.floats(-9, 9, width=32)))
    label = draw(hnp.arrays(np.int64, n, elements=st.integers(-1, 1)))
    feature = draw(hnp.arrays(np.float64, n, elements=st.floats(-1e6, 1e6)))
    return decision, label, feature, draw(hnp.arrays(np.float64, n, elements=st.floats(0, 100)))


def assert_same(left: Summary, right: Summary) -> None:
    """Compare two summaries: counts and bounds exactly, sums and moments to rounding."""
    for kind in ("scores", "margins"):
        ours, theirs = getattr(left, kind), getattr(right, kind)
        np.testing.assert_array_equal(ours.counts, theirs.counts)
        np.testing.assert_array_equal(ours.sums, theirs.sums)
        assert ours.moments == close_to(theirs.moments)
    assert (left.grid, left.inside) == (right.grid, right.inside)
    assert {k: vars(v) for k, v in left.classes.items()} == {
        k: pytest.approx(vars(v), rel=1e-9, abs=1e-9) for k, v in right.classes.items()
    }
    assert vars(left.losses) == pytest.approx(vars(right.losses), rel=1e-9, abs=1e-9)
    assert left.features["x"] == close_to(right.features["x"])
    # Contributions cancel each other: their features' size sets the scale.
    m = right.features["x"]
    exact = {"rel": 1e-9, "abs": 1e-9 * (1 + m.norm * m.n**0.5 + abs(m.mean) * m.n)}
    assert left.contributions == pytest.approx(right.contributions, **exact)
    assert set(left.class_contributions) == set(right.class_contributions)
    for name, moved in right.class_contributions.items():
        assert left.class_contributions[name] == pytest.approx(moved, **exact)


def close_to(moments: Moments) -> Any:
    # A mean near 0 has no relative precision of its own: its values' size sets the scale.
    size = abs(moments.mean) + moments.norm / moments.n**0.5 if moments.n else 0.0
    return replace(
        moments,
        mean=pytest.approx(moments.mean, rel=1e-9, abs=1e-12 * size),
        norm=pytest.approx(moments.norm, rel=1e-9, abs=1e-7 * size),
    )
