"""Numbers far beyond what the fit saw: capped alike wherever a model scores, and said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from tasks.arrays import Ints
from tasks.classifier import calibration, capped, linear, scoring, skops_file, training
from tasks.classifier.encoding import scaler_of
from tasks.classifier.skops_file import ModelFileError
from tasks.drift import attribution
from tasks.reports import retrain_brief
from tasks.spec.model import ModelSpec
from tests.support.flow import At, beginning, land, propose, read, rows, watch

Make = Callable[..., ModelSpec]
FAR = st.sampled_from([0.0, 1.0, 9.0, -11.0, 50.0, -1e4, 1e9, 1e160])
KINDS = [
    {"numeric": ["x", "z"]},
    {"numeric": ["x", "z"], "categorical": ["shop"], "text": ["note"]},
]


def frames(offset: float = 0.0, seed: int = 1) -> tuple[pd.DataFrame, Ints]:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, 300))
    shop, note = rng.choice(["a", "b"], 300), np.where(x > 0, "good tea", "bad bread")
    label = (x + z + rng.normal(scale=0.5, size=300) > 0).astype(np.int64)
    return pd.DataFrame({"x": x + offset, "z": z, "shop": shop, "note": note}), label


def made(spec: ModelSpec, offset: float = 0.0) -> tuple[Any, pd.DataFrame]:
    frame, label = frames(offset)
    frame = frame[list(spec.features.columns)]
    return training.fit(spec, frame, label), frame


@pytest.mark.parametrize("features", KINDS, ids=["numbers", "mixed"])
@pytest.mark.parametrize("offset", [0.0, 1e6])
@given(far=st.lists(FAR, min_size=4, max_size=4))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_capped_row_is_scored_as_scikit_learn_does_and_its_contributions_add_up(
    spec: Make, features: dict[str, list[str]], offset: float, far: list[float]
) -> None:
    model, frame = made(spec(features=features), offset)
    seen = frame.copy()
    seen.loc[:3, "x"] += far
    decision, inputs = scoring.score(model, seen)
    assert decision == pytest.approx(model.decision_function(seen), rel=1e-9, abs=1e-9)
    assert np.abs(decision).max() < 100
    sums = attribution.contributions_of_scores(model, inputs, decision)
    assert sum(sums.values()) == pytest.approx(decision.sum(), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("features", KINDS, ids=["numbers", "mixed"])
def test_beyond_the_cap_a_number_changes_no_score_and_is_counted(
    spec: Make, features: dict[str, list[str]]
) -> None:
    model, frame = made(spec(features=features, training={"cap": 4}))
    scaler, cap = scaler_of(model["features"].named_transformers_["numeric"])
    assert cap == 4
    near, far = frame.copy(), frame.copy()
    near.loc[:9, "z"] = scaler.mean_[1] - 4 * scaler.scale_[1]
    far.loc[:9, "z"] = -1e6
    assert scoring.decision_values(model, far) == pytest.approx(
        scoring.decision_values(model, near), rel=1e-12
    )
    assert capped.beyond(model, frame) == {}
    assert capped.beyond(model, far) == {"z": 10}
    assert capped.beyond(model, {n: far[n].to_numpy() for n in far}) == {"z": 10}
    assert capped.beyond(model, far[:0]) == {}


def test_a_fit_with_an_outlier_is_not_led_by_it(spec: Make) -> None:
    frame, label = frames()
    frame = frame[["x", "z"]]
    frame.loc[0, "x"] = 300.0
    loose, held = (
        training.fit(spec(training={"cap": cap}), frame, label)[-1].coef_[0, 0]
        for cap in (None, 10)
    )
    scale = frame["x"].std(ddof=0)
    assert 299 / scale > 10
    assert loose != held


def test_without_a_cap_nothing_is_capped_and_the_model_is_that_of_before(spec: Make) -> None:
    model, frame = made(spec(training={"cap": None}))
    step = model["features"].named_transformers_["numeric"]
    assert isinstance(step, StandardScaler)
    assert scaler_of(step) == (step, None)
    far = frame.assign(x=1e9)
    assert np.abs(scoring.decision_values(model, far)).min() > 1e8
    assert capped.beyond(model, far) == {}


def test_a_column_with_nothing_to_cap_is_read_where_it_is(spec: Make) -> None:
    model, frame = made(spec())
    columns = {name: frame[name].to_numpy() for name in frame}
    columns["z"] = np.where(np.arange(300) == 7, 1e6, columns["z"])
    read = linear.inputs(model, columns)._columns
    assert np.shares_memory(read[0], columns["x"])
    assert not np.shares_memory(read[1], columns["z"])
    assert columns["z"][7] == 1e6


def test_what_is_infinite_or_missing_is_not_capped_but_refused(spec: Make) -> None:
    model, frame = made(spec())
    for value in (np.inf, -np.inf, np.nan):
        seen = frame.copy()
        seen.loc[3, "x"], seen.loc[4, "x"] = value, 1e9
        found = scoring.decision_values(model, seen)
        assert np.isfinite(found).sum() == 299
        assert not np.isfinite(found[3])
        if np.isinf(value):
            with pytest.raises(ValueError, match="infinity"):
                model.decision_function(seen)


def test_a_model_file_may_hold_the_function_that_caps_and_no_other(spec: Make) -> None:
    frame, label = frames()
    frame = frame[["x", "z"]]
    model = calibration.learn_probabilities(
        training.fit(spec(), frame, label), frame, label, "sigmoid"
    )
    far = frame.assign(x=frame.x * 1e3)
    content = skops_file.dump(model)
    read = skops_file.load(content, "model")
    np.testing.assert_array_equal(read.predict_proba(far), model.predict_proba(far))
    assert skops_file.dump(read) == content
    strange = make_pipeline(StandardScaler(), FunctionTransformer(np.save)).set_params()
    with pytest.raises(ModelFileError, match=r"not trusted.*numpy\.save"):
        skops_file.load(skops_file.dump(strange), "model")


def test_what_was_capped_is_said_the_most_first_and_not_of_too_many_features() -> None:
    assert capped.capped_sentence({}, 500) == ""
    assert capped.capped_sentence({"x3": 12, "x1": 40.0}, 5000) == (
        "values beyond training.cap count as if they lay there: x1 in 40, x3 in 12 of 5,000 rows"
    )
    many = capped.capped_sentence({f"x{i}": 9 for i in range(10)}, 50)
    assert many.endswith("x5 in 9 of 50 rows and 4 other features")


@pytest.fixture
def at(stores: Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def test_a_window_with_capped_rows_says_so_in_the_ledger_and_in_the_brief(at: At) -> None:
    at("drifted")
    known = read()
    number = known.observations[-1].window_end.day
    land(number, z=np.where(np.arange(300) < 12, 1e5, rows(number)["z"]))
    found = watch(number)
    assert found.figures["capped"] == {"z": 12}
    assert all("capped" not in o.figures for o in known.observations)
    propose()
    known = read()
    asked = known.proposals[-1]
    later = replace(asked, trained_until=found.window_end)
    assert "z in 12 of 300 rows." in retrain_brief.retrain(known, later, "/dags/here")[1]
    before = replace(asked, trained_until=found.window_start)
    assert "Far outside" not in retrain_brief.retrain(known, before, "/dags/here")[1]
