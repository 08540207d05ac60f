"""The registry on a real MLflow, in SQLite and in PostgreSQL: idempotent, and nobody is trusted."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlflow
import pytest

from tasks.classifier import calibration, scoring
from tasks.registry import model_aliases, registry, tracking
from tasks.registry.model_aliases import Alias
from tasks.registry.tracking import RegistryRefused
from tasks.spec.model import ModelSpec
from tests.support.candidates import (
    MIXED,
    calibrated,
    folder_of,
    load,
    on_sqlite,
    record,
    registered,
)

# --- register and load


@on_sqlite
@pytest.mark.parametrize(
    ("estimator", "method"),
    [
        ("linear_svc", "sigmoid"),
        ("sgd_hinge", "temperature"),
        ("linear_svc", "isotonic"),
        ("linear_svc", "beta"),
    ],
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
    run, made = registered(wide, model)
    tracking.put_model(run, "calibrated", model)
    for back in (load(wide, made), tracking.get_model(run, "calibrated")):
        assert (back.predict_proba(frame) == model.predict_proba(frame)).all()
        assert (scoring.decision_values(back, frame) == scoring.decision_values(model, frame)).all()
        assert calibration.slopes(back) == calibration.slopes(model)


def test_a_candidate_that_is_registered_twice_is_there_once(
    plain: tuple[ModelSpec, Any], tracked: Path
) -> None:
    spec = plain[0]
    first, second = registered(*plain), registered(*plain)
    assert first == second
    assert registered(*plain, proposal="p2")[1].version == 2
    assert len(mlflow.search_runs(experiment_names=[spec.model])) == 2
    version = tracking.connect().get_model_version(spec.model, "1")
    assert version.run_id == first[0]
    assert version.tags["gatelatch.artifact_digest"] == first[1].artifact_digest
    assert (version.tags["gatelatch.proposal"], version.tags["gatelatch.seed"]) == ("p1", "7")
    assert version.description.startswith("# churn\n")
    assert "hinge loss" in version.description
    assert r"at most 0.5 \| bound" in version.description
    assert registry.lineage_of(spec.model, 1, first[1].artifact_digest) == record()
    load(spec, first[1])


def test_two_who_register_the_same_candidate_at_once_get_the_same_version(
    plain: tuple[ModelSpec, Any], tracked: Path
) -> None:
    run, _ = registered(*plain, proposal="before")
    run = tracking.start(plain[0].model, "p1", {})
    with ThreadPoolExecutor(4) as pool:
        again = [lambda: registry.register_version(plain[0], run, plain[1], record())] * 4
        made = set(pool.map(lambda register: register(), again))
    assert len(made) == 1
    name = f"name = '{plain[0].model}' and run_id = '{run}'"
    assert [int(v.version) for v in tracking.connect().search_model_versions(name)] == [2]
    load(plain[0], made.pop())


@on_sqlite
def test_what_was_killed_between_the_files_and_the_version_is_finished(
    plain: tuple[ModelSpec, Any], tracked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(registry, "_create_version", killed)
        with pytest.raises(KeyboardInterrupt):
            registered(*plain)
    _, made = registered(*plain)
    assert made.version == 1
    load(plain[0], made)


@on_sqlite
def test_an_unknown_version_or_model_is_refused_and_not_tried_again(
    plain: tuple[ModelSpec, Any], tracked: Path
) -> None:
    _, made = registered(*plain)
    for model, version in ((plain[0].model, 9), ("other", 1)):
        with pytest.raises(RegistryRefused, match=f"{model} version {version} cannot be fetched"):
            registry.load_version(model, version, made.artifact_digest)


@on_sqlite
def test_what_mlflow_leaves_in_a_local_store_is_no_tampering(
    plain: tuple[ModelSpec, Any], tracked: Path
) -> None:
    _, made = registered(*plain)
    mlflow.sklearn.load_model(f"models:/{plain[0].model}/1")  # as a server would
    assert (folder_of(tracked) / "registered_model_meta").exists()
    load(plain[0], made)


# --- aliases


def aliases(model: str) -> dict[str, int]:
    found = tracking.connect().get_registered_model(model).aliases
    return {name: int(version) for name, version in found.items()}


def test_aliases_are_put_where_they_are_wanted(plain: tuple[ModelSpec, Any], tracked: Path) -> None:
    model = plain[0].model
    assert model_aliases.point(model, {"champion": None}) == []
    for proposal in ("p1", "p2"):
        registered(*plain, proposal=proposal)
    wanted: dict[str, int | None] = {"champion": 2, "previous": 1, "challenger": None}
    assert model_aliases.point(model, wanted) == [
        Alias("champion", None, 2, True),
        Alias("previous", None, 1, True),
    ]
    assert model_aliases.point(model, wanted) == []
    assert aliases(model) == {"champion": 2, "previous": 1}
    assert model_aliases.point(model, {**wanted, "previous": None}) == [
        Alias("previous", 1, None, True)
    ]
    tracking.connect().delete_model_version(model, "2")
    assert model_aliases.point(model, {"champion": 2}) == [Alias("champion", None, 2, False)]


def test_aliases_that_are_set_for_the_first_time_by_several_are_set(
    plain: tuple[ModelSpec, Any], tracked: Path
) -> None:
    model = plain[0].model
    registered(*plain)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: model_aliases.point(model, {"champion": 1}), "1234"))
    assert aliases(model) == {"champion": 1}
