"""Recalibrate only, without Airflow: labels grow noisier, the ranking stays, and nothing is fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from tasks.audit.verified_model import model_of
from tasks.drift.reference import reference_from_json
from tasks.flows import asking, monitor, ready, reproduce, retrain
from tasks.flows.measure import measure
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Observation, Promotion
from tasks.promotion import decisions, promotion, proposals
from tasks.promotion.proposals import NotApproved
from tasks.reports import recalibration_brief, retrain_brief
from tasks.spec.model import ModelSpec
from tasks.spec.policy_options import Drift
from tasks.spec.training_options import Calibration, CalibrationMethod
from tests.support.flow import MODEL, At, answer, beginning, day, land, rows, window

# The owner does not mind losses that no other decision function would lower.
CALM: dict[str, Any] = {"hinge_loss": {"effect": 2}, "class_loss": {"effect": 2}}
SPEC = MODEL.model_copy(update={"drift": Drift.model_validate(CALM), "window": MODEL.window})
EPISODE = "churn.v1.recalibrate.20260106T0000"
FIRST = f"{EPISODE}.1"
WAITING = {"verdict": "insufficient", "reason": "no labels", "pressure": None}


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def noisy(number: int, share: float = 0.6, turned: bool = False) -> dict[str, Any]:
    """Return a day of 900 rows of the champion's rule; a coin decides a share of the labels."""
    found = rows(number, 900)
    rng = np.random.default_rng([number, 1])
    score = found["x"] + 0.5 * found["z"] + rng.normal(scale=0.6, size=900)
    label = (score > 0) ^ turned
    spoilt = rng.random(900) < share
    return {**found, "y": np.where(spoilt, rng.random(900) < 0.5, label).astype(int)}


def watch(number: int, spec: ModelSpec | None = None, **parts: Any) -> Observation:
    spec = spec or SPEC
    land(number, **(noisy(number) | parts))
    validated = monitor.validate(spec, window(number))
    return monitor.judge(spec, window(number), measure(spec, window(number), validated))


def propose(name: str = FIRST, **parts: Any) -> dict[str, str]:
    usual: dict[str, Any] = {"training_window": None, "until": None, "action": "recalibrate"}
    usual |= {"reason": "drift", "proposer": "otto", "now": day(20)}
    usual["by_monitor"] = proposals.reserved(SPEC, name)
    asked = proposals.propose(SPEC, name, **{**usual, **parts})
    return asking.to_retrain(SPEC, asked, "/dags/here")


def gated(name: str = FIRST) -> tuple[str, dict[str, Any]]:
    decisions.decide(SPEC, name, "retrain", answer())
    run = retrain.train(SPEC, name)["candidate_run"]
    retrain.calibrate(SPEC, name, run)
    return run, retrain.gate(SPEC, name, run)


def promoted(name: str = FIRST) -> tuple[dict[str, str], Promotion]:
    run, result = gated(name)
    assert result["passed"], result
    retrain.register(SPEC, name, run)
    shown = asking.to_promote(SPEC, name, "/dags/here")
    decisions.decide(SPEC, name, "promote", answer())
    return shown, promotion.promote(SPEC, name)


def read() -> status.Status:
    return status.read(SPEC, Ledger.open())


def of_calibration(observation: Observation) -> str:
    return str(observation.figures["calibration"]["verdict"])


def test_two_windows_in_which_the_probabilities_fail_ask_to_recalibrate_and_not_to_retrain(
    at: At,
) -> None:
    at("bootstrapped")
    seen = [watch(number) for number in (6, 7, 8)]
    assert [o.verdict for o in seen] == ["steady"] * 3
    assert [of_calibration(o) for o in seen] == ["drifting"] * 3
    assert read().due == FIRST
    brief = propose()
    (_, asked) = read().proposals
    assert (asked.kind, asked.episode, asked.proposer) == ("recalibrate", EPISODE, "gatelatch")
    # Of two days' training window it takes 35 %, and no row before the first breach.
    assert asked.trained_from > day(6)
    assert "recalibrate version 1?" in brief["subject"]
    margins = "Judged by its margins, the newest of them is steady: within its limits."
    for said in ("overconfidence", "calibration error", "keeps every decision", margins):
        assert said in brief["body"]
    assert "train `linear_svc`" not in brief["body"]
    held = replace(seen[-1], reason="above the limit: ks_labelled; the loss does not confirm it")
    _, parts = recalibration_brief.what_failed(SPEC, asked, [held])
    assert parts[0].endswith(
        "is steady: above the limit: ks labelled; the loss does not confirm it."
    )


@pytest.mark.parametrize("method", ["sigmoid", "beta"])
def test_the_recalibrated_champion_decides_alike_and_says_better_how_sure_it_is(
    at: At, monkeypatch: pytest.MonkeyPatch, method: CalibrationMethod
) -> None:
    update = {"calibration": Calibration(method=method)}
    monkeypatch.setattr(f"{__name__}.SPEC", SPEC.model_copy(update=update))
    at("bootstrapped")
    for number in (6, 7, 8):
        watch(number)
    propose()
    shown, promotion_ = promoted()
    assert promotion_.version == 2
    assert shown["subject"] == "churn: promote version 2, which is version 1 recalibrated?"
    for said in ("better calibrated", "brier kept", "same decisions", "Nothing was fit"):
        assert said in shown["body"]
    assert "support vectors" not in shown["body"]
    assert f"Probabilities by `{method}` on " in shown["body"]
    old, new = (model_of(SPEC, Ledger.open(), version) for version in (1, 2))
    inner = [m.estimator.estimator["model"] for m in (old, new)]
    assert (inner[0].coef_ == inner[1].coef_).all()
    assert reproduce.reproduce(SPEC, 2).identical
    before, after = (Ledger.open().version(SPEC.model, v) for v in (1, 2))
    assert after.metrics["candidate"]["calibration_error"] < (
        after.metrics["champion"]["calibration_error"] - 0.05
    )
    kept, made = reference_from_json(before.reference), reference_from_json(after.reference)
    # What the drift is held against stays; only the probabilities have a new reference.
    assert kept.spread == made.spread
    assert kept.summary.losses == made.summary.losses
    assert (kept.summary.scores.counts == made.summary.scores.counts).all()
    assert made.summary.reliability.weight.sum() > 0
    assert kept.sigmoid != made.sigmoid
    assert (made.sigmoid is None) == (method == "beta")
    seen = [watch(number) for number in (9, 10, 11, 12)]
    assert [o.version for o in seen] == [2] * 4
    assert "drifting" not in [of_calibration(o) for o in seen]
    assert read().due is None


def test_the_brief_looks_past_the_windows_that_still_wait_for_their_labels(at: At) -> None:
    at("bootstrapped")
    for number in (6, 7):
        watch(number)
    propose()
    known = read()
    newest = known.observations[-1]
    waiting = [replace(newest, figures={**newest.figures, "calibration": WAITING})] * 30
    later = replace(known, observations=[*known.observations, *waiting])
    _, body = retrain_brief.retrain(later, known.proposals[-1], "/dags/here")
    assert "2 of the last 2 labelled windows are above their limit" in body


def test_an_episode_closes_when_the_probabilities_hold_again(at: At) -> None:
    at("bootstrapped")
    for number in (6, 7):
        watch(number)
    assert read().calibration.now.state == "open"
    for number in (8, 9, 10):
        watch(number, **noisy(number, share=0.0))
    assert read().calibration.now.state == "closed"
    assert read().due is None


def test_labels_that_come_late_confirm_what_nothing_was_said_about(at: At) -> None:
    at("bootstrapped")
    unlabelled = [watch(number, y=np.full(900, np.nan)) for number in (6, 7)]
    assert [of_calibration(o) for o in unlabelled] == ["insufficient"] * 2
    assert read().due is None
    again = [watch(number) for number in (6, 7)]
    assert [o.revision for o in again] == [1, 1]
    assert read().due == FIRST


def test_while_the_margins_drift_nobody_is_asked_to_recalibrate(at: At) -> None:
    at("bootstrapped")
    for number in (6, 7):
        watch(number, MODEL, **noisy(number, turned=True, share=0.0))
    known = status.read(MODEL, Ledger.open())
    assert known.history.now.state == known.calibration.now.state == "open"
    assert status.read(MODEL, Ledger.open()).due == "churn.v1.20260106T0000.1"


def test_one_who_does_not_want_to_recalibrate_is_still_asked_about_drift(at: At) -> None:
    at("bootstrapped")
    for number in (6, 7):
        watch(number)
    propose()
    decisions.decide(SPEC, FIRST, "retrain", answer(option="Reject"))
    assert read().due is None
    assert read().calibration.now.state == "resting"
    for number in (8, 9):
        watch(number, **noisy(number, turned=True, share=0.0))
    assert read().due == "churn.v1.20260108T0000.1"


def test_drift_is_asked_about_though_nobody_has_answered_whether_to_recalibrate(at: At) -> None:
    at("bootstrapped")
    for number in (6, 7):
        watch(number)
    propose()
    assert read().due is None
    for number in (8, 9):
        watch(number, **noisy(number, turned=True, share=0.0))
    assert read().due == "churn.v1.20260108T0000.1"
    propose("churn.v1.20260108T0000.1", action="retrain")
    assert read().proposals[-1].episode == "churn.v1.20260108T0000"
    assert read().due is None
    assert {p.kind for p in read().live} == {"retrain", "recalibrate"}


def test_if_the_spec_says_so_it_is_only_written_down(at: At) -> None:
    at("bootstrapped")
    quiet = SPEC.model_copy(
        update={"drift": Drift.model_validate({**CALM, "calibration": {"propose": False}})}
    )
    seen = [watch(number, quiet) for number in (6, 7)]
    assert [of_calibration(o) for o in seen] == ["drifting"] * 2
    assert status.read(quiet, Ledger.open()).due is None


def test_probabilities_that_hold_are_not_replaced_by_hand_either(at: At) -> None:
    at("bootstrapped")
    for number in (6, 7, 8):
        watch(number, **noisy(number, share=0.0))
    propose("by hand")
    _, result = gated("by hand")
    assert result["gates"]["same decisions"].startswith("passed")
    assert result["gates"]["better calibrated"].startswith("failed: better than the champion")
    assert not result["passed"]


def test_rows_that_the_champion_was_made_of_cannot_recalibrate_it(at: At) -> None:
    at("bootstrapped")
    propose("by hand", until=day(6))
    with pytest.raises(NotApproved, match=r"made of rows until 2026-01-06 .* none are newer"):
        ready.count(SPEC, read().proposals[-1])


def test_recalibrating_costs_less_than_retraining(at: At) -> None:
    at("bootstrapped")
    for number in (6, 7, 8):
        watch(number)
    rows_read = {}
    for name, action in (("small", "recalibrate"), ("whole", "retrain")):
        propose(name, action=action)
        decisions.decide(SPEC, name, "retrain", answer())
        began = perf_counter()
        rows_read[name] = retrain.train(SPEC, name)["rows"]
        print(f"{action}: {rows_read[name]} rows, {perf_counter() - began:.2f} s")
    assert rows_read["small"] < 0.4 * rows_read["whole"]
