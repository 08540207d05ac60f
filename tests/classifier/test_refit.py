"""What passed its gates, fit again on all its rows: what is its own, what its judged twin's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks import store
from tasks.audit.verified_model import model_of
from tasks.classifier import absent, calibration, refit, training
from tasks.classifier.cut import Cut
from tasks.classifier.margins import hinge, margin
from tasks.classifier.skops_file import dump
from tasks.classifier.training import TrainingError
from tasks.classifier.training_rows import Facts, TrainingRows
from tasks.drift.reference import reference_to_json
from tasks.flows import asking, monitor, reproduce, retrain
from tasks.flows.measure import measure
from tasks.ledger.ledger import Ledger
from tasks.promotion import decisions, promotion, proposals
from tasks.registry import registry, tracking
from tasks.replay import past_rows, trained_model
from tasks.spec.model import ModelSpec
from tests.support import past
from tests.support.flow import MODEL, At, answer, beginning, day, window
from tests.support.past import HOURS

AGAIN = MODEL.model_copy(
    update={
        "model": "again",
        "training": MODEL.training.model_copy(update={"refit": "accepted"}),
    }
)
FIRST = "again.v1.20260109T0000.1"
TWIN = "refit on all 1,500 rows after the gates, which judged its twin, fit on 975 rows"
CUT = Cut(slice(20, 420), slice(420, 520), slice(520, 600))


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def spec(value: str = "accepted", **parts: Any) -> ModelSpec:
    return past.spec(**parts, training={"refit": value})


def weights(model: Any) -> np.ndarray[Any, Any]:
    last = getattr(model, "estimator", model)[-1]
    return np.column_stack([last.coef_, last.intercept_])


def parameters(model: Any) -> list[dict[str, Any]]:
    inner = model.calibrated_classifiers_[0]
    return [
        {k: np.asarray(v).tolist() for k, v in vars(c).items() if k.endswith("_")}
        for c in inner.calibrators
        if not hasattr(c, "f_")
    ] or [{"x": c.X_thresholds_.tolist(), "y": c.y_thresholds_.tolist()} for c in inner.calibrators]


def registered(name: str, **parts: Any) -> Any:
    """Take a proposal to a promoted version; return what the two briefs and the steps said."""
    usual: dict[str, Any] = {"training_window": None, "until": None, "reason": "drift"}
    usual |= {"proposer": "otto", "now": day(20), "by_monitor": proposals.reserved(AGAIN, name)}
    asked = proposals.propose(AGAIN, name, **{**usual, **parts})
    asking.to_retrain(AGAIN, asked, "/dags/here")
    decisions.decide(AGAIN, name, "retrain", answer())
    run = retrain.train(AGAIN, name)["candidate_run"]
    retrain.calibrate(AGAIN, name, run)
    assert retrain.gate(AGAIN, name, run)["passed"]
    retrain.register(AGAIN, name, run)
    body = asking.to_promote(AGAIN, name, "/dags/here")["body"]
    decisions.decide(AGAIN, name, "promote", answer())
    promotion.promote(AGAIN, name)
    return run, body


def test_flow_and_replay_register_the_same_refit_model_and_say_so_and_reproduce_it(
    at: At,
) -> None:
    at("bootstrapped")
    run, body = registered("boot", training_window=timedelta(days=5), until=day(6))
    for number in range(6, 11):
        measured = measure(AGAIN, window(number), monitor.validate(AGAIN, window(number)))
        monitor.judge(AGAIN, window(number), measured)
    registered(FIRST)
    ledger = Ledger.open()
    first, second = (model_of(AGAIN, ledger, version) for version in (1, 2))

    rows = past_rows.load_history(AGAIN, day(1), day(17))
    mine = trained_model.train_on_history(AGAIN, rows, day(6), timedelta(days=5), None)
    assert weights(mine.model) == pytest.approx(weights(first), rel=1e-12)
    king = trained_model.Champion(AGAIN, rows, 1, mine, 5)
    heir = trained_model.train_on_history(
        AGAIN, rows, day(11), AGAIN.training.window, king, (day(9),)
    )
    assert weights(heir.model) == pytest.approx(weights(second), rel=1e-12)
    assert parameters(heir.model) == parameters(second)

    # The run keeps the twin that was judged; the version is another model, signed as it is.
    assert weights(tracking.get_model(run, "calibrated")) != pytest.approx(weights(first), rel=1e-6)
    kept = ledger.version(AGAIN.model, 1)
    record = registry.lineage_of("again", 1, kept.artifact_digest)
    assert record.training["refit"] == "accepted"
    assert record.metrics.refit == refit.Refit(rows=1500, judged_fit=975)
    (card,) = (
        v.description
        for v in tracking.connect().search_model_versions("name = 'again'")
        if v.version in (1, "1")
    )
    page = store.read_bytes("reports/again/boot/gates.html").decode()
    assert all(TWIN in said for said in (body, card, page))
    for version in (1, 2):
        assert reproduce.reproduce(AGAIN, version).identical


def test_recalibrating_a_refit_champion_fits_nothing(at: At) -> None:
    at("bootstrapped")
    registered("boot", training_window=timedelta(days=5), until=day(6))
    for number in range(6, 9):
        monitor.judge(
            AGAIN,
            window(number),
            measure(AGAIN, window(number), monitor.validate(AGAIN, window(number))),
        )
    asked = proposals.propose(
        AGAIN,
        "probabilities",
        reason="sharper",
        proposer="otto",
        training_window=None,
        until=None,
        now=day(9),
        action="recalibrate",
    )
    asking.to_retrain(AGAIN, asked, "/dags/here")
    decisions.decide(AGAIN, "probabilities", "retrain", answer())
    run = retrain.train(AGAIN, "probabilities")["candidate_run"]
    retrain.calibrate(AGAIN, "probabilities", run)
    found = retrain._accepted(AGAIN, asked, run)
    assert dump(found) == dump(tracking.get_model(run, "calibrated"))
    assert (weights(found) == weights(model_of(AGAIN, Ledger.open(), 1))).all()


def test_gates_figures_and_reference_are_those_of_the_judged_fit() -> None:
    rows = past.past(past.rows(3000, hourly=100))
    one = trained_model.train_on_history(
        spec("never"), rows, past.START + 10 * HOURS, 8 * HOURS, None
    )
    two = trained_model.train_on_history(spec(), rows, past.START + 10 * HOURS, 8 * HOURS, None)
    assert two.accepted.gates == one.accepted.gates
    kept = [reference_to_json(candidate.accepted.reference) for candidate in (one, two)]
    assert kept[0] == kept[1]
    theirs, ours = one.accepted.metrics, two.accepted.metrics
    assert ours.refit is not None
    assert ours.refit.rows == 800 - first_of(two)
    assert theirs == replace(ours, refit=None)
    assert parameters(two.model) == parameters(one.model)
    start = first_of(two)
    frame, label = rows.frame.iloc[200 + start : 1000], rows.label[200 + start : 1000]
    whole = training.fit(spec(), frame.reset_index(drop=True), label)
    assert (weights(two.model) == weights(whole)).all()
    assert not np.allclose(weights(one.model), weights(whole))


def first_of(candidate: trained_model.Trained) -> int:
    """Return the first of its 800 rows that the fit of a candidate took."""
    fitted = candidate.tried[candidate.taken].rows
    return 520 - fitted


def test_what_fails_its_gates_is_not_refit() -> None:
    rows = past.past(past.rows(3000, hourly=100))
    strict = {"gates": {"hinge_loss": {"at_most": 1e-6}}}
    one, two = (
        trained_model.train_on_history(
            spec(value, **strict), rows, past.START + 10 * HOURS, 8 * HOURS, None
        )
        for value in ("never", "accepted")
    )
    assert not two.accepted.passed
    assert dump(two.model) == dump(one.model)


@pytest.mark.parametrize("method", ["sigmoid", "temperature", "isotonic", "beta"])
def test_a_class_that_only_the_refit_has_learnt_becomes_probable_and_is_named(method: str) -> None:
    rng = np.random.default_rng(3)
    label = rng.integers(0, 2, 600)
    label[540:] = rng.integers(0, 3, 60)  # the third comes with the rows that judge
    corner = np.array([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])[label]
    frame = pd.DataFrame(corner + rng.normal(scale=0.5, size=(600, 2)), columns=["x", "z"])
    three = spec(label={"column": "y", "classes": ["a", "b", "c"]}, calibration={"method": method})
    fitted = training.fit(three, frame[CUT.fit], label[CUT.fit])
    learns = frame[CUT.calibrate], label[CUT.calibrate]
    judged = calibration.learn_probabilities(fitted, *learns, method)
    found = refit.refit(three, fitted, labelled(frame, label), CUT)
    assert absent.learnt_classes(judged).tolist() == [0, 1]
    assert absent.learnt_classes(found).tolist() == [0, 1, 2]
    third = frame[label == 2]
    decided = [float((m.estimator.predict(third) == 2).mean()) for m in (judged, found)]
    assert decided[0] == 0
    assert decided[1] > 0.9
    chance = found.predict_proba(third)[:, 2]
    assert (chance > 0).all()
    assert chance.mean() > judged.predict_proba(third)[:, 2].mean()
    (said,) = [w for w in absent.warnings(three, label, CUT) if "judged" in w]
    assert said.startswith("class c: none among the 400 rows of the fit that is judged")
    never = spec("never", label={"column": "y", "classes": ["a", "b", "c"]})
    assert any("never decides so" in w for w in absent.warnings(never, label, CUT))
    assert not any("never decides so" in w for w in absent.warnings(three, label, CUT))


def labelled(frame: pd.DataFrame, label: np.ndarray[Any, Any]) -> TrainingRows:
    return TrainingRows(frame=frame, label=label, facts=Facts(np.arange(len(label)), None, {}))


def clean() -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    columns = past.rows(600)
    return pd.DataFrame({"x": columns["x"], "z": columns["z"]}), columns["y"]


def test_rows_that_can_be_judged_but_not_fit_fail_the_refit_by_name() -> None:
    frame, label = clean()
    judged = training.fit(spec(), frame[CUT.fit], label[CUT.fit])
    frame.loc[550, "x"] = 1e200
    with pytest.raises(TrainingError, match=r"cannot be refit: x .* set training.refit: never"):
        refit.refit(spec(), judged, labelled(frame, label), CUT)


def test_a_refit_that_stops_early_is_warned_of_and_knows_its_rows_better_than_its_twin() -> None:
    frame, label = clean()
    one = past.spec(training={"refit": "accepted", "regularisation": 1e5})
    label[:520] = (frame["x"] > 0)[:520]
    judged = training.fit(one, frame[CUT.fit], label[CUT.fit])
    label[520:] = np.random.default_rng(0).integers(0, 2, 80)
    with pytest.warns(UserWarning, match="failed to converge"):
        found = refit.refit(one, judged, labelled(frame, label), CUT).estimator
    ours, theirs = (
        hinge(margin(m.decision_function(frame), label)).mean() for m in (found, judged)
    )
    assert ours < theirs
