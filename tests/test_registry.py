"""The registry on a real MLflow in SQLite: idempotent by name, and no pickle is ever loaded."""

from __future__ import annotations

import pickle
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import skops.io as sio

from tasks import calibration, registry, scoring, training
from tasks.registry import RegistryError
from tasks.spec import ModelSpec

MIXED = {"numeric": ["x", "z"], "categorical": ["shop"], "text": ["note", "title"]}


class Stranger:
    """A type that nobody trusts."""

    def __init__(self) -> None:
        self.value = 1


class Payload:
    """What a pickle could do to whoever loads it: here it writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return Path.write_text, (self.target, "executed")


@pytest.fixture
def tracked(stores: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of stores of its own, with MLflow's tables already there."""
    tables = tmp_path_factory.getbasetemp() / "mlflow.db"
    if not tables.exists():
        registry.prepare()
        shutil.copy(stores / "mlflow.db", tables)
    shutil.copy(tables, stores / "mlflow.db")
    return stores


def rows(classes: int = 2, count: int = 240) -> tuple[pd.DataFrame, Any]:
    rng = np.random.default_rng(1)
    x, z = rng.normal(size=(2, count))
    label = np.digitize(x + 0.1 * z, [-0.5, 0.5][: classes - 1])
    shop = np.where(x > 0, "north", rng.choice(["south", "west"], count))
    words = np.array(["bad bread", "fair milk", "good tea"])
    frame = {"x": x, "z": z, "shop": shop, "note": words[label], "title": rng.choice(words, count)}
    return pd.DataFrame(frame), label


def calibrated(spec: ModelSpec, classes: int = 2) -> tuple[Any, pd.DataFrame]:
    frame, label = rows(classes)
    fitted = training.fit(spec, frame[:160], label[:160])
    return calibration.learn(fitted, frame[160:], label[160:], spec.calibration.method), frame


@pytest.fixture
def plain(spec: Callable[..., ModelSpec]) -> tuple[ModelSpec, Any]:
    return spec(), calibrated(spec())[0]


def registered(spec: ModelSpec, model: Any, proposal: str = "p1") -> tuple[str, int]:
    run = registry.start(spec.model, proposal, {"seed": "7"})
    return run, registry.register(spec, run, model, {"proposal": proposal}).version


def skops_file(root: Path) -> Path:
    (path,) = (root / "artifacts").rglob("model.skops")
    return path


@pytest.mark.parametrize(
    ("estimator", "method"),
    [("linear_svc", "sigmoid"), ("sgd_hinge", "temperature"), ("linear_svc", "isotonic")],
)
@pytest.mark.parametrize("classes", [2, 3])
def test_a_registered_pipeline_comes_back_with_the_same_probabilities(
    spec: Callable[..., ModelSpec], tracked: Path, estimator: str, method: str, classes: int
) -> None:
    label = {"classes": [0, 1, 2][:classes]}
    wide = spec(
        features=MIXED,
        label=label,
        training={"estimator": estimator, "window": "5d"},
        calibration={"method": method},
    )
    model, frame = calibrated(wide, classes)
    run, version = registered(wide, model)
    registry.put_model(run, "calibrated", model)
    for back in (registry.load("churn", version), registry.get_model(run, "calibrated")):
        assert (back.predict_proba(frame) == model.predict_proba(frame)).all()
        assert (scoring.decide(back, frame) == scoring.decide(model, frame)).all()
        assert calibration.slopes(back) == calibration.slopes(model)


def test_what_is_started_or_registered_twice_is_there_once(
    plain: tuple[ModelSpec, Any], tracked: Path
) -> None:
    first, second = registered(*plain), registered(*plain)
    assert first == second
    assert registered(*plain, proposal="p2")[1] == 2
    assert len(mlflow.search_runs(experiment_names=["churn"])) == 2
    (version,) = registry._client().search_model_versions("name = 'churn' and version_number = 1")
    assert (version.run_id, version.tags["gatelatch.proposal"]) == (first[0], "p1")


def test_a_pickle_in_place_of_the_model_is_refused_and_not_executed(
    plain: tuple[ModelSpec, Any], tracked: Path
) -> None:
    run, version = registered(*plain)
    registry.put_model(run, "fitted", plain[1])
    target = tracked / "executed"
    harm = pickle.dumps(Payload(target))
    skops_file(tracked).write_bytes(harm)
    next((tracked / "artifacts").rglob("fitted.skops")).write_bytes(harm)
    with pytest.raises(RegistryError, match=r"model\.skops is not a readable skops file"):
        registry.load("churn", version)
    with pytest.raises(RegistryError, match=r"fitted\.skops is not a readable skops file"):
        registry.get_model(run, "fitted")
    assert not target.exists()
    pickle.loads(harm)  # the payload does work
    assert target.read_text() == "executed"


def test_a_type_that_is_not_trusted_is_refused_by_name(
    plain: tuple[ModelSpec, Any], tracked: Path
) -> None:
    _, version = registered(*plain)
    plain[1].extra = Stranger()
    sio.dump(plain[1], skops_file(tracked))
    # What the artifact itself claims to be trusted does not matter.
    claims = next((tracked / "artifacts").rglob("MLmodel"))
    text, name = claims.read_text(), f"{Stranger.__module__}.Stranger"
    claims.write_text(text.replace("- scipy", f"- {name}\n    - scipy"))
    assert claims.read_text() != text
    with pytest.raises(RegistryError, match=name):
        registry.load("churn", version)


def test_half_a_file_is_refused(plain: tuple[ModelSpec, Any], tracked: Path) -> None:
    _, version = registered(*plain)
    path = skops_file(tracked)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(RegistryError, match="not a readable skops file"):
        registry.load("churn", version)


def test_an_unknown_version_or_model_is_a_registry_error(
    plain: tuple[ModelSpec, Any], tracked: Path
) -> None:
    registered(*plain)
    for model, version in (("churn", 9), ("other", 1)):
        with pytest.raises(RegistryError, match=f"{model} version {version} cannot be fetched"):
            registry.load(model, version)


def test_the_aliases_follow_the_champion(plain: tuple[ModelSpec, Any], tracked: Path) -> None:
    for proposal in ("p1", "p2"):
        registered(*plain, proposal=proposal)
    for version, previous in ((1, None), (2, 1), (2, 1), (1, 2)):
        registry.point_champion("churn", version, previous)
    aliases = registry._client().get_registered_model("churn").aliases
    assert {name: int(version) for name, version in aliases.items()} == {
        "champion": 1,
        "previous": 2,
    }


def test_an_unreachable_server_fails_within_seconds(
    stores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(RegistryError, match="churn version 1 cannot be fetched"):
        registry.load("churn", 1)
    assert time.monotonic() - began < 30  # MLflow's own default takes minutes
