"""What was approved is what is loaded: a version is made for one candidate, whatever equals it."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.flows import asking, handover, observe, retrain, rollback
from tasks.flows.handover import RunFile
from tasks.ledger.chain import LedgerRefused
from tasks.ledger.conflicts import Conflict
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Candidate, Promotion, TwoCandidates, candidate_at
from tasks.promotion import decisions, promotion
from tasks.registry import registry, tracking
from tests.support.flow import MODEL, answer, day, enter, land, propose, read

STEPS = 14
PARTS: tuple[RunFile[Any], ...] = (
    handover.ROWS,
    handover.GATES,
    handover.REFERENCE,
    handover.METRICS,
)


Fit = tuple[Any, dict[str, Any]]


@pytest.fixture(scope="module")
def made(signing_key: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Fit]:
    """Return two fits, and what the gates left of each for its registration."""
    folder = tmp_path_factory.mktemp("made") / "stores"
    (folder / "data").mkdir(parents=True)
    fits = []
    with pytest.MonkeyPatch.context() as patch:
        enter(patch, folder)
        tracking.prepare_store()
        for number in range(1, 9):
            land(number)
        for name, until in (("older", 6), ("newer", 9)):
            propose(name, training_window=timedelta(days=5), until=day(until))
            decisions.decide(MODEL, name, "retrain", answer())
            run = retrain.train(MODEL, name)["candidate_run"]
            retrain.calibrate(MODEL, name, run)
            assert retrain.gate(MODEL, name, run)["passed"]
            found = {part.name: part.to_json(part.get(run)) for part in PARTS}
            left = json.loads(json.dumps(found))
            fits.append((tracking.get_model(run, "calibrated"), left))
    return fits


@pytest.fixture
def fits(made: list[Fit], stores: Path, monkeypatch: pytest.MonkeyPatch) -> list[Fit]:
    """Enter empty stores, and return the fits."""
    enter(monkeypatch, stores)
    tracking.prepare_store()
    return made


def trained(name: str, fit: Fit, number: int) -> dict[str, Any]:
    """Leave a candidate under its proposal, as train, calibrate and gate do; return its JSON."""
    propose(name, training_window=timedelta(days=5), until=day(6))
    decisions.decide(MODEL, name, "retrain", answer())
    model, left = fit
    run = tracking.start("churn", name, {})
    tracking.put_model(run, "calibrated", model)
    # No two candidates are judged alike, and the constants of their references differ.
    left = {**left, "metrics": {**left["metrics"], "judged_rows": number}}
    features = dict(left["reference"]["summary"]["features"])
    features["x"] = {**features["x"], "mean": float(number), "norm": 0.0}
    summary = {**left["reference"]["summary"], "features": features}
    left["reference"] = {**left["reference"], "summary": summary}
    for part in PARTS:
        part.put(run, part.from_json(left[part.name]))
    retrain.register(MODEL, name, run)
    return left


def champion_is(name: str, left: dict[str, Any]) -> None:
    """Assert that all that is loaded for the champion is what was approved under this proposal."""
    ledger, known = Ledger.open(), read()
    (approved,) = (c for c in known.candidates if c.proposal == name)
    registry.load_version.cache_clear()
    version = known.promotions[-1].version
    candidate = ledger.version(MODEL.model, version)
    assert candidate == approved == known.candidate(version)
    assert candidate.reference == left["reference"]
    assert candidate.metrics["judged_rows"] == left["metrics"]["judged_rows"]
    assert observe.constants_of(MODEL, ledger, version)["x"] == left["metrics"]["judged_rows"]
    loaded = registry.lineage_of("churn", version, approved.artifact_digest)
    assert loaded.proposal == name
    assert loaded.metrics.to_json() == left["metrics"]
    registry.load_version("churn", version, approved.artifact_digest)
    for other in known.candidates:
        if other != approved:
            with pytest.raises(tracking.ModelRefused, match="is refused"):
                registry.load_version("churn", version, other.artifact_digest)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_was_registered_before_the_champion_is_the_candidate_that_was_approved(
    fits: list[Fit], seed: int
) -> None:
    chance = random.Random(seed)
    waiting: dict[str, dict[str, Any]] = {}
    past: dict[int, tuple[str, dict[str, Any]]] = {}
    for number in range(STEPS):
        champion = read().champion
        back = [v for v in past if v != champion]
        step = chance.choice(["train", *["promote"] * bool(waiting), *["back"] * bool(back)])
        if step == "train":
            name = f"p{number}"
            waiting[name] = trained(name, chance.choice(fits), number + 1)
            if chance.random() < 0.5:  # asked again, it is registered once
                retrain.register(MODEL, name, tracking.start("churn", name, {}))
        elif step == "promote":
            name = chance.choice(sorted(waiting))
            left = waiting.pop(name)
            asking.to_promote(MODEL, name, "/dags/here")
            decisions.decide(MODEL, name, "promote", answer())
            try:
                past[promotion.promote(MODEL, name).version] = name, left
            except Conflict:  # compared with an earlier champion
                continue
        else:
            version = chance.choice(back)
            rollback.by_hand(MODEL, f"b{number}", version=version, by="ada", reason="complaints")
            assert rollback.promote_back(MODEL, f"b{number}").version == version
        if past:
            champion_is(*past[read().champion or 0])
    versions = [c.version for c in read().candidates]
    assert versions == sorted(set(versions))
    digests = {c.artifact_digest for c in read().candidates}
    assert len(digests) == len(versions)


def test_an_equal_file_gets_a_version_of_its_own_and_the_brief_says_so(
    fits: list[Fit],
) -> None:
    for number, fit in enumerate([fits[0], fits[1], fits[0]], start=1):
        trained(f"p{number}", fit, number)
    first, second, third = read().candidates
    assert first.metrics["model_file"] == third.metrics["model_file"]
    assert first.artifact_digest != third.artifact_digest
    assert (first.version, second.version, third.version) == (1, 2, 3)
    said = "The same model file as version"
    bodies = [asking.to_promote(MODEL, f"p{n}", "/dags/here")["body"] for n in (2, 3)]
    assert [said in body for body in bodies] == [False, True]
    assert f"{said} 1:" in bodies[1]


def test_an_mlflow_that_was_emptied_gives_no_version_that_the_ledger_knows(
    fits: list[Fit],
) -> None:
    for number in (1, 2):
        trained(f"p{number}", fits[0], number)
    tracking.connect().delete_registered_model("churn")
    left = trained("p3", fits[0], 3)
    assert [c.version for c in read().candidates] == [1, 2, 3]
    there = tracking.connect().search_model_versions("name = 'churn'")
    assert [int(v.version) for v in there] == [3]
    asking.to_promote(MODEL, "p3", "/dags/here")
    decisions.decide(MODEL, "p3", "promote", answer())
    promotion.promote(MODEL, "p3")
    champion_is("p3", left)


def candidate(proposal: str, version: int) -> Candidate:
    digest = f"{proposal:0>64}"
    return Candidate(
        model="churn",
        proposal=proposal,
        version=version,
        run_id="run",
        artifact_digest=digest,
        spec_digest="",
        data_digest="",
        trained_until=day(1),
        metrics={},
        gates=[],
        reference={},
    )


def promoted(proposal: str, version: int) -> Promotion:
    return Promotion(
        model="churn",
        number=1,
        proposal=proposal,
        version=version,
        expected=None,
        effective_from=day(1),
        by="ada",
        reason="drift",
    )


def test_a_version_that_an_older_ledger_names_twice_is_the_promoted_candidate_or_refused() -> None:
    both = [candidate("p1", 1), candidate("p2", 1), candidate("p3", 2)]
    assert candidate_at(both, [], 2) == both[2]
    assert candidate_at(both, [], 3) is None
    assert candidate_at(both, [promoted("p2", 1)], 1) == both[1]
    for known in ([], [promoted("p1", 1), promoted("p2", 1)], [promoted("other", 1)]):
        with pytest.raises(TwoCandidates, match=r"version 1 stands for 2 .*\(p1, p2\)"):
            candidate_at(both, known, 1)


def test_a_ledger_takes_no_second_candidate_under_a_version(ledger: Ledger) -> None:
    ledger.add_candidate(candidate("p1", 1))
    ledger.add_candidate(candidate("p1", 1))
    with pytest.raises(Conflict, match="version 1 is the candidate of p1; p2 needs a version of"):
        ledger.add_candidate(candidate("p2", 1))
    assert ledger.candidates("churn") == [candidate("p1", 1)]


def test_a_second_candidate_under_a_version_decides_nothing(
    fits: list[Fit], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained("p1", fits[0], 1)
    asking.to_promote(MODEL, "p1", "/dags/here")
    decisions.decide(MODEL, "p1", "promote", answer())
    promotion.promote(MODEL, "p1")
    propose("p2", training_window=timedelta(days=5), until=day(6))
    decisions.decide(MODEL, "p2", "retrain", answer())
    with monkeypatch.context() as patch:  # as a ledger of before wrote it
        patch.setattr("tasks.ledger.conflicts.require_new", lambda *_: None)
        Ledger.open().add_candidate(replace(read().candidates[0], proposal="p2"))
    for act in (
        lambda: decisions.decide(MODEL, "p2", "promote", answer()),
        lambda: promotion.promote(MODEL, "p2"),
    ):
        with pytest.raises(LedgerRefused, match="cannot be: version 1 is the candidate of p1"):
            act()
    assert read().champion == 1
