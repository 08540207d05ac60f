"""An ONNX file gives the scores of the model that it was made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from tasks.scoring.onnx_file import NotExported, write_onnx
from tasks.spec.model import ModelSpec
from tests.support.candidates import MIXED
from tests.support.scored import fetched

Spec = Callable[..., ModelSpec]


def run(file: Path, rows: Any) -> dict[str, Any]:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"rows": rows}), strict=True))


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("cap", [10.0, None])
def test_its_scores_agree_to_five_digits_on_a_million_rows(
    spec: Spec, tmp_path: Path, classes: int, cap: float | None
) -> None:
    labels = list(range(classes))
    found, _, _ = fetched(spec(label={"classes": labels}, training={"cap": cap}), classes)
    write_onnx(found, tmp_path / "churn.onnx")
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(1_000_000, 2)) * np.exp(rng.normal(size=(1_000_000, 1)) * 3)
    theirs = run(tmp_path / "churn.onnx", wide)
    frame = pd.DataFrame(wide, columns=["x", "z"])
    decision = found.decision_function(frame)
    ours = decision.reshape(len(wide), -1)
    assert np.abs(theirs["decision"] - ours).max() <= 1e-5
    assert np.abs(theirs["probabilities"] - found.probabilities(decision)).max() <= 1e-5


def test_it_names_the_version_and_the_order_of_the_features(spec: Spec, tmp_path: Path) -> None:
    import onnx

    found, _, _ = fetched(spec())
    write_onnx(found, tmp_path / "churn.onnx")
    model = onnx.load(tmp_path / "churn.onnx")
    onnx.checker.check_model(model, full_check=True)
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert told["features"] == "x,z"
    assert (told["model"], told["version"], told["classes"]) == ("churn", "3", "0,1")


@pytest.mark.parametrize("cap", [10.0, None])
def test_what_is_no_number_has_no_score(spec: Spec, tmp_path: Path, cap: float | None) -> None:
    found, _, _ = fetched(spec(training={"cap": cap}))
    write_onnx(found, tmp_path / "churn.onnx")
    bad = np.array([[np.inf, 0.0], [0.0, np.nan], [-np.inf, 1.0], [0.0, 1.0]])
    finite = np.isfinite(run(tmp_path / "churn.onnx", bad)["decision"]).ravel()
    assert finite.tolist() == [False, False, False, True]


@pytest.mark.parametrize(
    ("method", "classes", "there"),
    [("beta", 2, False), ("temperature", 2, True), ("temperature", 3, False)],
)
def test_probabilities_are_there_where_they_are_a_sigmoid(
    spec: Spec, tmp_path: Path, method: str, classes: int, there: bool
) -> None:
    own = spec(label={"classes": list(range(classes))}, calibration={"method": method})
    found, _, frame = fetched(own, classes)
    write_onnx(found, tmp_path / "churn.onnx")
    theirs = run(tmp_path / "churn.onnx", frame[["x", "z"]].to_numpy())
    assert ("probabilities" in theirs) == there
    if there:
        assert np.abs(theirs["probabilities"] - found.predict_proba(frame)).max() < 1e-9


def test_texts_are_refused_and_no_file_is_left(spec: Spec, tmp_path: Path) -> None:
    found, _, _ = fetched(spec(features=MIXED))
    with pytest.raises(NotExported, match="shop, note, title are not numbers"):
        write_onnx(found, tmp_path / "churn.onnx")
    assert not list(tmp_path.iterdir())
