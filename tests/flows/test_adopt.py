"""A pipeline that was fit elsewhere, through the functions that the DAGs call."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io as sio
import yaml
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from typer.testing import CliRunner, Result

from tasks import store
from tasks.__main__ import app
from tasks.audit.verified_model import model_of
from tasks.classifier.adopted import NotAdoptable
from tasks.flows import asking, handed_in, monitor, ready, reproduce, retrain
from tasks.flows.measure import measure
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Observation
from tasks.promotion import decisions, promotion, proposals
from tasks.promotion.proposal_reason import ProposalReason
from tasks.promotion.proposals import NotApproved
from tasks.registry import registry, tracking
from tasks.spec.model import ModelSpec
from tests.support import flow
from tests.support.flow import MODEL, SPEC, At, answer, beginning, day, land, rows, window

EXTERNAL = ModelSpec.model_validate(SPEC | {"training": {"window": "2d", "estimator": "external"}})


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    (stores / "specs").mkdir()
    (stores / "specs" / "churn.yaml").write_text(yaml.safe_dump(SPEC))
    monkeypatch.setenv("GATELATCH_MODELS", str(stores / "specs"))
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def taught(last: Any, *numbers: int, columns: tuple[str, ...] = ("x", "z")) -> Pipeline:
    """Return a pipeline that somebody fits on the rows of these days, without any code of ours."""
    read = pd.concat(pd.DataFrame(rows(number)) for number in numbers)
    return make_pipeline(StandardScaler(), last).fit(read[[*columns]], read["y"])


def saved(pipeline: Any, name: str = "theirs.skops") -> Path:
    sio.dump(pipeline, name)
    return Path(name).absolute()


def hand_in(*arguments: Any) -> Result:
    return CliRunner().invoke(app, ["adopt", "churn", *map(str, arguments)])


def digest_of(told: Result) -> str:
    assert told.exit_code == 0, told.output
    found = re.search(r"digest ([0-9a-f]{64})", told.output)
    assert found is not None
    return found[1]


def propose(file: str | None, name: str = "theirs", spec: ModelSpec = MODEL) -> dict[str, str]:
    reason = str(ProposalReason(why="manual", file=file))
    parts: dict[str, Any] = {"training_window": None, "until": None, "now": day(20)}
    asked = proposals.propose(spec, name, reason=reason, proposer="otto", action="adopt", **parts)
    return asking.to_retrain(spec, asked, "/dags/here", ready.count(spec, asked))


def gated(name: str = "theirs", spec: ModelSpec = MODEL) -> tuple[str, dict[str, Any]]:
    decisions.decide(spec, name, "retrain", answer())
    run = retrain.train(spec, name)["candidate_run"]
    retrain.calibrate(spec, name, run)
    return run, retrain.gate(spec, name, run)


def promoted(name: str = "theirs", spec: ModelSpec = MODEL) -> dict[str, str]:
    run, result = gated(name, spec)
    assert result["passed"], result["gates"]
    retrain.register(spec, name, run)
    shown = asking.to_promote(spec, name, "/dags/here")
    decisions.decide(spec, name, "promote", answer())
    promotion.promote(spec, name)
    return shown


def watch(number: int, spec: ModelSpec = MODEL) -> Observation:
    validated = monitor.validate(spec, window(number))
    return monitor.judge(spec, window(number), measure(spec, window(number), validated))


def kept() -> list[str]:
    return store.files_below("adopted")


def test_an_adopted_pipeline_passes_the_same_steps_and_decides_as_it_did_elsewhere(at: At) -> None:
    at("drifted")
    theirs = taught(LinearSVC(), 9, 10)
    digest = digest_of(hand_in(saved(theirs)))
    assert kept() == [f"adopted/churn/{digest}.skops"]
    first = propose(digest)
    for said in (digest, "otto hands in a model", "nothing is fit", "against version 1"):
        assert said in first["body"]
    second = promoted()
    assert f"digest `{digest}`" in second["body"]
    assert "whether its fit did is not known here" in second["body"]
    (gates,) = Path("store/reports/churn").rglob("theirs*/gates.html")
    for page in (second["body"], gates.read_text()):
        assert "earnt from" not in page  # nothing here learnt
    assert "of which nobody here knows whether its fit did" in gates.read_text()
    assert status.read(MODEL, Ledger.open()).champion == 2
    frame = pd.DataFrame(rows(11))[["x", "z"]]
    ours = model_of(MODEL, Ledger.open(), 2)
    assert (ours.estimator.decision_function(frame) == theirs.decision_function(frame)).all()

    seen = [watch(number) for number in (11, 12)]
    assert [(o.version, o.verdict) for o in seen] == [(2, "steady")] * 2
    moved = seen[-1].numbers.moved
    assert moved is not None
    assert set(moved.features) <= {"x", "z", "(intercept)"}
    # Its mean score is the sum of what its coefficients say of each feature.
    summary = json.loads(store.read_bytes(store.files_below("summaries/churn/v2")[-1]))
    mean = sum(summary["contributions"].values()) / 300
    assert mean == pytest.approx(summary["scores"]["moments"]["mean"], abs=1e-9)

    with pytest.raises(reproduce.CannotReproduce, match=f"fit elsewhere and adopted.*{digest}"):
        reproduce.reproduce(MODEL, 2)
    card = registry.lineage_of("churn", 2, Ledger.open().version("churn", 2).artifact_digest)
    assert card.kind == "adopt"
    assert digest in card.reason


def test_our_own_retrain_replaces_an_adopted_champion(at: At) -> None:
    at("drifted")
    propose(digest_of(hand_in(saved(taught(LinearSVC(C=1e-4), 9, 10)))))
    promoted()
    for number in (11, 12):
        watch(number)
    flow.propose("ours", reason="manual")
    run, result = flow.gate("ours")
    assert "fit elsewhere" in result["gates"]["preprocessing"]
    assert result["gates"]["preprocessing"].startswith("passed")
    assert result["passed"], result["gates"]
    retrain.register(MODEL, "ours", run)
    assert flow.promote("ours").version == 3


def test_of_a_pipeline_that_is_not_linear_contributions_are_not_available(at: At) -> None:
    at("drifted")
    propose(digest_of(hand_in(saved(taught(SVC(), 9, 10)))))
    promoted()
    land(11, x=rows(11)["x"] + 3)
    land(12, x=rows(12)["x"] + 3)
    seen = [watch(number) for number in (11, 12)]
    assert [o.version for o in seen] == [2, 2]
    assert [o.verdict for o in seen] == ["drifting"] * 2
    assert seen[-1].numbers.moved is None
    due = status.read(MODEL, Ledger.open()).due
    assert due is not None
    assert "**Contributions of features: not available.**" in flow.propose(due)["body"]


def test_a_window_whose_rows_an_adopted_champion_refuses_is_insufficient_and_quotes_none(
    at: At,
) -> None:
    at("drifted")
    coded = {number: {"z": np.sign(rows(number)["z"])} for number in (9, 10, 11)}
    for number, columns in coded.items():
        land(number, **columns)
    read = pd.concat(pd.DataFrame({**rows(number), **coded[number]}) for number in (9, 10))
    codes = ColumnTransformer([("x", StandardScaler(), ["x"]), ("z", OneHotEncoder(), ["z"])])
    theirs = make_pipeline(codes, LinearSVC()).fit(read[["x", "z"]], read["y"])
    propose(digest_of(hand_in(saved(theirs))))
    promoted()
    assert watch(11).verdict == "steady"
    land(12, z=np.full(300, 31415.0))
    seen = watch(12)
    assert seen.verdict == "insufficient"
    assert "the adopted pipeline refuses these rows (ValueError)" in seen.reason
    assert "31415" not in seen.reason


def test_the_first_champion_may_be_adopted_and_is_then_the_reference(
    at: At, stores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (stores / "new" / "data").mkdir(parents=True)
    flow.enter(monkeypatch, stores / "new")
    tracking.prepare_store()
    for number in range(1, 6):  # before the labels turn round
        land(number)
    brief = propose(digest_of(hand_in(saved(taught(LinearSVC(), 1, 2)))))
    assert "Calibrate it and judge it on" in brief["body"]
    promoted()
    assert status.read(MODEL, Ledger.open()).champion == 1
    land(6)
    assert watch(6).verdict == "steady"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: taught(DecisionTreeClassifier(), 9), r"sklearn\.tree\._tree\.Tree, which is not"),
        (lambda: taught(DummyClassifier(), 9), "DummyClassifier, has no decision_function"),
        (lambda: taught(LinearSVC(), 9, columns=("z", "x")), r"order \['z', 'x'\].*\['x', 'z'\]"),
        (lambda: taught(LinearSVC(), 9, columns=("x",)), "not fit on z, which `features`"),
        (
            lambda: make_pipeline(LinearSVC()).fit(np.eye(4), [0, 1, 0, 1]),
            "does not know the names of its features",
        ),
        (
            lambda: make_pipeline(LinearSVC()).fit(
                pd.DataFrame(rows(9))[["x", "z"]], np.where(rows(9)["y"], "yes", "no")
            ),
            r"classes are \['no', 'yes'\].*\['0', '1'\]",
        ),
        (lambda: StandardScaler(), "has no decision_function"),
        (lambda: {"model": 1}, "holds a dict, which is no scikit-learn estimator"),
        (
            lambda: make_pipeline(FunctionTransformer(rows), LinearSVC()),
            r"tests\.support\.flow\.rows, which is not among",
        ),
        (lambda: taught(CalibratedClassifierCV(LinearSVC()), 9), "has no decision_function"),
    ],
)
def test_what_cannot_be_adopted_is_named_and_nothing_is_kept(at: At, make: Any, said: str) -> None:
    at("bootstrapped")
    told = hand_in(saved(make()))
    assert told.exit_code == 1
    assert re.search(said, told.output), told.output
    assert "Traceback" not in told.output
    assert kept() == []


def test_a_file_that_is_nothing_is_named(at: At) -> None:
    at("bootstrapped")
    for content in (b"", b"nothing", b"PK\x03\x04 broken"):
        Path("broken").write_bytes(content)
        told = hand_in("broken")
        assert told.exit_code == 1
        assert "broken" in told.output
        assert "Traceback" not in told.output
    assert kept() == []


class Trap:
    """What a pickle may do to whoever loads it."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("sprung").absolute(),)


def test_a_joblib_file_is_converted_once_its_owner_names_what_is_trusted(at: At) -> None:
    at("drifted")
    theirs = taught(LinearSVC(), 9, 10)
    joblib.dump(theirs, "theirs.joblib", compress=3)
    told = hand_in("theirs.joblib")
    assert told.exit_code == 1
    assert kept() == []
    needed = re.findall(r"--trust (\S+)", told.output)
    assert "sklearn.svm._classes.LinearSVC" in needed
    options = [word for name in needed for word in ("--trust", name)]
    digest = digest_of(hand_in("theirs.joblib", *options))
    assert digest == digest_of(hand_in(saved(theirs)))  # the same pipeline is the same file
    propose(digest)
    promoted()


def test_what_a_pickle_would_run_is_named_and_not_run(at: At) -> None:
    at("bootstrapped")
    joblib.dump([taught(LinearSVC(), 9), Trap()], "trap.joblib")
    told = hand_in("trap.joblib", "--trust", "sklearn.pipeline.Pipeline")
    assert told.exit_code == 1
    assert "pathlib" in told.output
    assert not Path("sprung").exists()
    joblib.dump(np.array([Trap()], dtype=object), "trap.joblib")  # nested in an array
    assert hand_in("trap.joblib").exit_code == 1
    assert not Path("sprung").exists()
    assert kept() == []


def test_a_worker_loads_no_other_file_than_the_approved_one_and_never_a_pickle(at: At) -> None:
    at("drifted")
    digest = digest_of(hand_in(saved(taught(LinearSVC(), 9, 10))))
    propose(digest)
    decisions.decide(MODEL, "theirs", "retrain", answer())
    place = f"adopted/churn/{digest}.skops"
    joblib.dump(Trap(), "trap.joblib")
    for content in (Path("trap.joblib").read_bytes(), saved(taught(SVC(), 9)).read_bytes()):
        store.write(place, content)
        with pytest.raises(NotAdoptable, match="is not the file that was handed in"):
            retrain.train(MODEL, "theirs")
    store.remove(place)
    with pytest.raises(NotAdoptable, match=r"is not there; hand it in again"):
        retrain.train(MODEL, "theirs")
    assert not Path("sprung").exists()


def test_nobody_is_asked_about_a_file_that_is_not_there_or_refuses_the_rows(at: At) -> None:
    at("drifted")
    with pytest.raises(NotAdoptable, match=r"is not there; hand it in again"):
        propose("0" * 64)
    with pytest.raises(NotApproved, match="model_file has to be the digest"):
        propose(None, "none")
    with pytest.raises(NotApproved, match="model_file is for the action adopt"):
        flow.propose("other", reason=str(ProposalReason(why="manual", file="0" * 64)))


def test_an_approved_retrain_of_a_model_that_is_trained_elsewhere_says_how_to_hand_it_in(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("bootstrapped")
    monkeypatch.setattr(flow, "MODEL", EXTERNAL)
    for number in (9, 10):
        watch(number, EXTERNAL)
    due = status.read(EXTERNAL, Ledger.open()).due
    assert due is not None
    brief = flow.propose(due)
    assert "is trained elsewhere. If you approve, its owner is told" in brief["body"]
    decisions.decide(EXTERNAL, due, "retrain", answer())
    with pytest.raises(retrain.TrainedElsewhere, match="python -m tasks adopt churn FILE"):
        retrain.train(EXTERNAL, due)
    known = status.read(EXTERNAL, Ledger.open())
    assert (known.live, known.due, known.history.now.state) == ([], None, "resting")
    assert known.decisions[-1].step == "train"
    content = saved(taught(LinearSVC(), 9, 10)).read_bytes()
    digest = handed_in.keep_handed_in(EXTERNAL, content, "theirs")
    propose(digest, spec=EXTERNAL)
    promoted(spec=EXTERNAL)
    assert status.read(EXTERNAL, Ledger.open()).champion == 2
