"""The registry on a real MLflow, in SQLite and in PostgreSQL: idempotent, and nobody is trusted."""

from __future__ import annotations

import pickle
import shutil
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import skops.io as sio

from tasks.classifier import calibration, scoring, training
from tasks.registry import registry, tracking
from tasks.registry.registry import Alias, Registered
from tasks.registry.tracking import ModelRefused, RegistryRefused
from tasks.signing import artifact, keyring, signatures
from tasks.spec.model import ModelSpec
from tests.conftest import mlflow_in_postgres

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


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    with mlflow_in_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def tracked(
    request: pytest.FixtureRequest,
    stores: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Return the folder of stores of its own, with MLflow's tables already there."""
    if request.param == "postgresql":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", request.getfixturevalue("database"))
        tracking.prepare_store()
        return stores
    tables = tmp_path_factory.getbasetemp() / "mlflow.db"
    if not tables.exists():
        tracking.prepare_store()
        shutil.copy(stores / "mlflow.db", tables)
    shutil.copy(tables, stores / "mlflow.db")
    return stores


on_sqlite = pytest.mark.parametrize("tracked", ["sqlite"], indirect=True)


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
    return calibration.learn_probabilities(
        fitted, frame[160:], label[160:], spec.calibration.method
    ), frame


@pytest.fixture
def plain(spec: Callable[..., ModelSpec]) -> tuple[ModelSpec, Any]:
    """Return a spec under a name of its own, and a candidate."""
    own = spec(model=f"churn_{uuid.uuid4().hex[:8]}")
    return own, calibrated(own)[0]


def registered(spec: ModelSpec, model: Any, proposal: str = "p1") -> tuple[str, Registered]:
    run = tracking.start(spec.model, proposal, {"seed": "7"})
    return run, registry.register_version(spec, run, model, record(proposal))


def record(proposal: str = "p1") -> dict[str, Any]:
    """Return a lineage as of a trained candidate."""
    return {
        "model": "churn",
        "owner": "team",
        "proposal": proposal,
        "kind": "retrain",
        "reason": "drift",
        "proposer": "otto",
        "champion": None,
        "spec_digest": "5bec",
        "data": {
            "digest": "da7a",
            "from": "2026-01-01",
            "until": "2026-01-06",
            "rows": 240,
            "accepted": 240,
        },
        "features": {"numeric": ["x", "z"]},
        "label": {"column": "y", "classes": [0, 1]},
        "training": {"estimator": "linear_svc", "seed": 7},
        "calibration": {"method": "sigmoid", "share": 0.15},
        "preprocessing": {"structure": "aa", "digest": "bb"},
        "metrics": {"judged_rows": 48, "candidate": {"hinge_loss": 0.25}, "champion": None},
        "gates": [{"name": "hinge_loss", "verdict": "passed", "reason": "at most 0.5 | bound"}],
        "code": "0.1.0",
        "commit": None,
        "python": "3.11",
        "packages": {"skops": "0.16"},
    }


def load(spec: ModelSpec, made: Registered) -> Any:
    return registry.load_version(spec.model, made.version, made.artifact_digest)


def folder_of(root: Path) -> Path:
    (path,) = (root / "artifacts").rglob("model.skops")
    return path.parent


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


# --- tampering, case by case


def _append(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with (folder / name).open("ab") as file:
            file.write(b"\n")

    return change


def _remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _add(name: str, content: bytes = b"") -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)

    return change


def _resign(folder: Path) -> None:
    (folder / artifact.SUMS).write_text(artifact.sums(folder))
    signatures.sign(folder)


def _by_another_key(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATELATCH_SIGNING_KEY", str(folder.parent / "mallory.pem"))
        keyring.create_keys()
        _resign(folder)


def _claiming_our_key(folder: Path) -> None:
    ours = (folder / "model.sig").read_text().split('"hint":')[1].split('"')[1]
    _by_another_key(folder)
    forged = (folder / "model.sig").read_text()
    theirs = forged.split('"hint":')[1].split('"')[1]
    (folder / "model.sig").write_text(forged.replace(theirs, ours))


def _half_a_model(folder: Path) -> None:
    path = folder / "model.skops"
    path.write_bytes(path.read_bytes()[:1000])


TAMPERED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a changed model": (_append("model.skops"), "model.skops was changed"),
    "half a model": (_half_a_model, "model.skops was changed"),
    "a changed description": (_append("MLmodel"), "MLmodel was changed"),
    "changed sums": (_append("SHA256SUMS"), "SHA256SUMS was changed"),
    "a missing model": (_remove("model.skops"), "model.skops is missing"),
    "a missing file": (_remove("requirements.txt"), "requirements.txt is missing"),
    "an extra file": (_add("notes.txt"), "notes.txt is extra"),
    "an extra file of git": (_add(".gitattributes"), "gitattributes is extra"),
    "an extra folder": (_add("code/run.py"), "code/run.py is extra"),
    "an extra pickle": (_add("model.pkl", pickle.dumps(1)), "model.pkl is extra"),
    "no signature": (_remove("model.sig"), "model.sig is missing: nobody signed"),
    "no signature at all": (_add("model.sig", b"{}"), "model.sig is no signature by a key"),
    "another key": (_by_another_key, "model.sig was made with another key than .*signing.pub"),
    "another key that claims to be ours": (_claiming_our_key, "model.sig does not hold"),
}


@on_sqlite
@pytest.mark.parametrize("case", TAMPERED)
def test_a_version_is_refused_with(case: str, plain: tuple[ModelSpec, Any], tracked: Path) -> None:
    _, made = registered(*plain)
    change, said = TAMPERED[case]
    change(folder_of(tracked))
    with pytest.raises(ModelRefused, match=said) as refused:
        load(plain[0], made)
    assert f"{plain[0].model} version 1 is refused" in str(refused.value)
    assert "go back to another version" in str(refused.value)


def _stranger(folder: Path) -> None:
    path = folder / "model.skops"
    model = sio.load(path, trusted=sio.get_untrusted_types(file=path))
    model.extra = Stranger()
    sio.dump(model, path)
    # What the artifact itself claims to be trusted does not matter.
    claims = folder / "MLmodel"
    text, name = claims.read_text(), f"{Stranger.__module__}.Stranger"
    claims.write_text(text.replace("- scipy", f"- {name}\n    - scipy"))
    assert claims.read_text() != text


SIGNED: dict[str, tuple[Callable[[Path], None], str]] = {
    "an unknown type": (_stranger, r"Stranger"),
    "a pickle beside the model": (_add("model.pkl", pickle.dumps(1)), "model.pkl does not belong"),
    "a pickle for a model": (_add("model.skops", pickle.dumps(1)), "not a readable skops file"),
}


@on_sqlite
@pytest.mark.parametrize("case", SIGNED)
def test_whoever_signed_it_a_version_is_refused_with(
    case: str, plain: tuple[ModelSpec, Any], tracked: Path
) -> None:
    _, made = registered(*plain)
    change, said = SIGNED[case]
    folder = folder_of(tracked)
    change(folder)
    _resign(folder)
    accepted = Registered(made.version, artifact.folder_digest(folder))
    with pytest.raises(ModelRefused, match=said):
        load(plain[0], accepted)


@on_sqlite
def test_another_candidate_under_the_version_is_refused_though_it_is_signed(
    plain: tuple[ModelSpec, Any], tracked: Path
) -> None:
    _, made = registered(*plain)
    _append("requirements.txt")(folder_of(tracked))
    _resign(folder_of(tracked))
    with pytest.raises(ModelRefused, match="another candidate than the accepted one"):
        load(plain[0], made)


@on_sqlite
def test_a_pickle_is_not_executed(plain: tuple[ModelSpec, Any], tracked: Path) -> None:
    _, made = registered(*plain)
    target = tracked / "executed"
    harm = pickle.dumps(Payload(target))
    folder = folder_of(tracked)
    (folder / "model.skops").write_bytes(harm)
    _resign(folder)
    with pytest.raises(ModelRefused, match=r"model\.skops is not a readable skops file"):
        load(plain[0], Registered(made.version, artifact.folder_digest(folder)))
    assert not target.exists()
    pickle.loads(harm)  # the payload does work
    assert target.read_text() == "executed"


# --- what one step hands to the next


@on_sqlite
def test_what_is_handed_over_cannot_be_changed_or_come_from_elsewhere(
    plain: tuple[ModelSpec, Any], tracked: Path
) -> None:
    run, other = (tracking.start("churn", name, {}) for name in ("p1", "p2"))
    for where, passed in ((run, False), (other, True)):
        tracking.put_json(where, "gates", [{"passed": passed}])
        tracking.put_json(where, "rows", [{"passed": passed}])
    assert tracking.get_json(run, "gates") == [{"passed": False}]
    work = {r: tracked / "artifacts" / "churn" / r / "artifacts" / "work" for r in (run, other)}

    def refused() -> None:
        with pytest.raises(ModelRefused, match=f"{run}/gates.json is not what a step of this run"):
            tracking.get_json(run, "gates")

    for source in (work[other] / "gates.json", work[run] / "rows.json"):
        for suffix in ("", ".sig"):
            shutil.copy(f"{source}{suffix}", f"{work[run] / 'gates.json'}{suffix}")
        refused()
    (work[run] / "gates.json").write_text('[{"passed": true}]')
    refused()
    (work[run] / "gates.json.sig").unlink()
    with pytest.raises(RegistryRefused, match=r"gates.json of run .* cannot be fetched"):
        tracking.get_json(run, "gates")


# --- aliases


def aliases(model: str) -> dict[str, int]:
    found = tracking.connect().get_registered_model(model).aliases
    return {name: int(version) for name, version in found.items()}


def test_aliases_are_put_where_they_are_wanted(plain: tuple[ModelSpec, Any], tracked: Path) -> None:
    model = plain[0].model
    assert registry.point(model, {"champion": None}) == []
    for proposal in ("p1", "p2"):
        registered(*plain, proposal=proposal)
    wanted: dict[str, int | None] = {"champion": 2, "previous": 1, "challenger": None}
    assert registry.point(model, wanted) == [
        Alias("champion", None, 2, True),
        Alias("previous", None, 1, True),
    ]
    assert registry.point(model, wanted) == []
    assert aliases(model) == {"champion": 2, "previous": 1}
    assert registry.point(model, {**wanted, "previous": None}) == [Alias("previous", 1, None, True)]
    tracking.connect().delete_model_version(model, "2")
    assert registry.point(model, {"champion": 2}) == [Alias("champion", None, 2, False)]


def test_aliases_that_are_set_for_the_first_time_by_several_are_set(
    plain: tuple[ModelSpec, Any], tracked: Path
) -> None:
    model = plain[0].model
    registered(*plain)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: registry.point(model, {"champion": 1}), "1234"))
    assert aliases(model) == {"champion": 1}
