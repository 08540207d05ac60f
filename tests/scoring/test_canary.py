"""A new champion scores a share of the keys, until it held or goes back by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from tasks.__main__ import app
from tasks.audit import verification
from tasks.audit.verified_model import model_of
from tasks.classifier import calibration, scoring
from tasks.data.score_files import newest_scores
from tasks.flows import asking, monitor, rollback, score
from tasks.flows.measure import measure
from tasks.flows.score import ChampionChanged
from tasks.ledger import status
from tasks.ledger.freezes import Frozen
from tasks.ledger.ledger import Ledger
from tasks.ledger.recorded import RecordedTimes
from tasks.promotion import decisions, freezing, ramping
from tasks.promotion.proposals import NotApproved
from tasks.scoring import scorer
from tasks.spec.model import ModelSpec
from tasks.views.board import Board
from tasks.views.model_page import model_page
from tests.support.flow import FIRST, MODEL, At, day, land, read, rows, window
from tests.support.scored import SCORED

SHARED = ModelSpec.model_validate(
    {**SCORED, "scoring": {"path": "scores", "canary": {"share": 0.4, "windows": 2}}}
)
RAMP = ModelSpec.model_validate(
    {**SCORED, "scoring": {"path": "scores", "canary": {"ramp": [0.3, 0.6], "windows": 2}}}
)
BACK = "churn.v2.20260111T0000.rollback.1"


def table(number: int) -> pa.Table:
    url = newest_scores(SHARED, window(number))
    assert url is not None
    return pq.read_table(url.removeprefix("file://"), partitioning=None)


def sides(number: int, version: int = 2) -> set[str]:
    """Return which of the customers a version scored; the same 300 come every day."""
    there = table(number)
    return set(there.filter(pc.equal(there["model"], version))["id"].to_pylist())


def customers(number: int, **columns: Any) -> None:
    land(number, id=[f"customer-{i}" for i in range(300)], **columns)


def play(number: int, spec: ModelSpec = SHARED) -> None:
    """Score a day, then watch it as the monitor does."""
    score.score_once(spec, window(number))
    validated = monitor.validate(spec, window(number))
    monitor.judge(spec, window(number), measure(spec, window(number), validated))


def turned(number: int) -> None:
    """Land a day on which the labels follow version 1's rule again."""
    customers(number, y=1 - rows(number)["y"])


def told(spec: ModelSpec = SHARED) -> str | None:
    return monitor.canary_told(spec)


def test_each_row_has_the_score_of_the_version_on_whose_side_its_key_is(at: At) -> None:
    at("promoted")
    customers(11)
    found = score.score_once(SHARED, window(11))
    there, beside = table(11), found.manifest.beside
    by = np.asarray(there["model"])
    assert beside is not None
    assert (found.manifest.version, beside.version, beside.share) == (2, 1, 0.4)
    assert (found.manifest.rows, beside.rows) == (300, (by == 1).sum())
    assert (by == 2).mean() == pytest.approx(0.4, abs=0.1)
    assert there["id"].to_pylist() == [f"customer-{i}" for i in range(300)]
    frame = {name: np.asarray(rows(11)[name]) for name in ("x", "z")}
    for version in (1, 2):
        model = model_of(MODEL, Ledger.open(), version)
        decision = scoring.decision_values(model, frame)
        mine = by == version
        assert np.array_equal(np.asarray(there["f"])[mine], decision[mine])
        chance = calibration.probabilities(model, decision)[:, 1]
        assert np.array_equal(np.asarray(there["probability"])[mine], chance[mine])
        assert np.array_equal(np.asarray(there["decision"])[mine], (decision > 0)[mine])
    assert "by version 1: version 2 has 40 % of the keys" in found.told(SHARED, window(11))


def test_a_canary_that_holds_has_all_keys_after_its_windows(at: At) -> None:
    at("promoted")
    for number in (11, 12, 13):
        customers(number)
    play(11)
    assert told() == "churn: canary of version 2: 40 % of the keys, 1 of 2 windows; then 100 %"
    play(12)
    assert told() == "churn: canary of version 2: all of the keys; it held in 2 of 2 windows"
    assert told() is None  # recorded, and told once
    (said,) = [d for d in read().decisions if d.step == "canary"]
    assert (said.proposal, said.answer, said.by) == (FIRST, "passed", "canary")
    play(13)
    assert sides(13, 1) == set()
    assert sides(11) == sides(12)  # a customer stays on one side
    verification.require(Ledger.open(), "churn", whole=True)


def test_a_ramp_only_adds_customers(at: At) -> None:
    at("promoted")
    for number in range(11, 15):
        customers(number)
        play(number, RAMP)
    assert sides(11) == sides(12) < sides(13) == sides(14)
    assert 0.5 < len(sides(13)) / 300 < 0.7
    assert monitor.action(RAMP) is None


def test_a_canary_that_is_worse_goes_back_by_itself(at: At) -> None:
    at("promoted")
    for number in (11, 12, 13):
        turned(number)
    play(11)
    assert monitor.action(SHARED) is None
    play(12)
    assert "it is worse than version 1" in str(told())
    action = monitor.action(SHARED)
    assert action is not None
    assert action.run is not None
    assert (action.run.flow, action.run.proposal) == ("rollback", BACK)
    asked = rollback.propose_rollback(SHARED, BACK)
    for _ in range(2):  # a task that is started again decides nothing anew
        rollback.ask_to_roll_back(SHARED, asked, "/dags/here")
    decision, users = decisions.question(SHARED, BACK, "rollback")
    assert SHARED.approval.rollback == "human"
    assert decision is not None
    assert (decision.answer, decision.by, users) == ("approved", "policy", [])
    assert rollback.promote_back(SHARED, BACK).version == 1
    play(13)
    assert sides(13) == set()
    assert (read().champion, told()) == (1, None)
    verification.require(Ledger.open(), "churn", whole=True)


def test_after_the_canary_a_person_decides_again_on_going_back(at: At) -> None:
    at("promoted")
    for number in (11, 12):
        customers(number)
        play(number)
    told()
    asked = rollback.by_hand(SHARED, "mine", version=1, by="otto", reason="worse")
    assert not rollback._goes_back_alone(read(), Ledger.open(), asked)


@pytest.mark.parametrize("order", [[12, 11], [11, 12, 11]], ids=["backwards", "twice"])
def test_the_order_in_which_windows_are_judged_leaves_no_trace(at: At, order: list[int]) -> None:
    def played(numbers: list[int]) -> Any:
        at("promoted")
        for number in (11, 12):
            customers(number)
            score.score_once(RAMP, window(number))
        for number in numbers:
            validated = monitor.validate(RAMP, window(number))
            monitor.judge(RAMP, window(number), measure(RAMP, window(number), validated))
        customers(13)
        score.score_once(RAMP, window(13))
        return told(RAMP), sides(13)

    assert played(order) == played([11, 12])


def test_scores_that_are_written_stay_when_the_share_grows(at: At) -> None:
    at("promoted")
    for number in (11, 12, 13):
        customers(number)
    score.score_once(RAMP, window(13))
    early = sides(13)
    for number in (11, 12):
        play(number, RAMP)
    assert not score.score_once(RAMP, window(13)).written
    assert sides(13) == early


def test_a_champion_that_changes_in_mid_window_leaves_no_scores_of_either_version(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("promoted")
    customers(11)
    really = scorer.need_finite

    def going_back(decision: Any) -> None:
        monkeypatch.setattr(scorer, "need_finite", really)
        rollback.by_hand(MODEL, "mine", version=1, by="otto", reason="complaints")
        rollback.promote_back(MODEL, "mine")
        really(decision)

    monkeypatch.setattr(scorer, "need_finite", going_back)
    with pytest.raises(ChampionChanged, match=r"version 1 became champion .* while version 2"):
        score.score_once(SHARED, window(11))
    assert not list(Path("scores").rglob("*.parquet"))
    assert score.score_once(SHARED, window(11)).manifest.beside is None


@pytest.mark.parametrize("by", ["ada", "grace"])
def test_an_approver_skips_what_is_left(at: At, by: str) -> None:
    at("promoted")
    customers(11)
    ramping.skip_canary(SHARED, by=by, reason="a fix that cannot wait")
    (said,) = [d for d in read().decisions if d.step == "canary"]
    assert (said.answer, said.by, said.comment) == ("skipped", by, "a fix that cannot wait")
    assert score.score_once(SHARED, window(11)).manifest.beside is None
    with pytest.raises(NotApproved, match=f"nothing is left to skip.*skipped by {by}"):
        ramping.skip_canary(SHARED, by="ada", reason="again")
    verification.require(Ledger.open(), "churn", whole=True)


@pytest.mark.parametrize(
    ("spec", "by", "reason", "why"),
    [
        (SHARED, "otto", "hurry", "otto may not skip .* decide on its promotion: ada, grace"),
        (SHARED, "ada", "\u200b", "say why"),
        (MODEL, "ada", "hurry", "has no canary to skip"),
    ],
)
def test_nobody_else_skips_anything(
    at: At, spec: ModelSpec, by: str, reason: str, why: str
) -> None:
    at("promoted")
    with pytest.raises(NotApproved, match=why):
        ramping.skip_canary(spec, by=by, reason=reason)
    assert "canary" not in {d.step for d in read().decisions}


def test_the_page_of_the_model_says_where_it_stands(at: At) -> None:
    at("promoted")
    customers(11)
    play(11)
    known = status.read(SHARED, Ledger.open())
    stands = Board().standing_of(known)
    told = "anary of version 2: 40 % of the keys, 1 of 2 windows; then 100 %"
    assert stands.canary == f"c{told}"
    times = RecordedTimes({})
    assert f"C{told}" in model_page(known, stands, day(13), base="/pages", times=times)


def test_while_a_model_is_frozen_no_share_grows_and_no_canary_is_skipped(at: At) -> None:
    at("promoted")
    for number in (11, 12, 13):
        customers(number)
    play(11)
    freezing.record(Ledger.open(), ["churn"], "frozen", by="otto", reason="an incident")
    play(12)
    assert "1 of 2 windows" in str(told())
    play(13)
    assert sides(13) == sides(11)
    with pytest.raises(Frozen):
        ramping.skip_canary(SHARED, by="ada", reason="hurry")
    freezing.record(Ledger.open(), ["churn"], "thawed", by="otto", reason="it is over")
    assert "it held in 2 of 2 windows" in str(told())


def test_the_brief_of_the_promotion_says_what_the_canary_is_and_what_it_needs(at: At) -> None:
    at("registered")
    body = asking.to_promote(SHARED, FIRST, "/dags/here")["body"]
    assert "version 2 first scores 40 % of the keys, until 2 windows were judged" in body
    assert "**it goes back by itself**, and nobody is asked" in body
    assert "No number of rows shows a rise of the hinge loss by 0.1 in one window" in body
    assert "at 40 % of the keys it has about 120 labelled rows, which show a rise by" in body
    assert "Canary" not in asking.to_promote(MODEL, FIRST, "/dags/here")["body"]


def test_a_share_that_is_too_small_is_named_with_the_rows_that_it_needs(at: At) -> None:
    at("registered")
    canary = {"share": 0.01, "windows": 2}
    small = ModelSpec.model_validate({**SCORED, "scoring": {"path": "s", "canary": canary}})
    body = asking.to_promote(small, FIRST, "/dags/here")["body"]
    assert "1 % of the keys are about 3 rows of a window, and 50 are needed" in body


def test_the_command_shows_where_it_stands_and_skips(
    at: At, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    at("promoted")
    raw = yaml.safe_dump(SHARED.model_dump(mode="json", exclude_none=True))
    (tmp_path / "churn.yaml").write_text(raw)
    monkeypatch.setenv("GATELATCH_MODELS", str(tmp_path))
    customers(11)
    play(11)

    def run(*words: str) -> Any:
        return CliRunner().invoke(app, ["canary", "churn", *words])

    shown = run()
    assert shown.exit_code == 0
    assert "canary of version 2: 40 % of the keys, 1 of 2 windows; then 100 %" in shown.stdout
    assert "it has about 120 labelled rows, which show a rise by" in shown.stdout
    stood = CliRunner().invoke(app, ["status", "churn"])
    assert "canary of version 2: 40 % of the keys, 1 of 2 windows" in stood.stdout
    told = json.loads(CliRunner().invoke(app, ["status", "churn", "--json"]).stdout)["canary"]
    assert (told["share"], told["judged"], told["earlier"]) == (0.4, 1, 1)
    assert run("--skip").exit_code == 2
    refused = run("--skip", "--reason", "hurry", "--by", "otto")
    assert (refused.exit_code, "otto may not skip" in refused.stderr) == (1, True)
    assert run("--skip", "--reason", "hurry", "--by", "ada").exit_code == 0
    assert "all of the keys; skipped by ada: hurry" in run().stdout
