"""A model that is never here, through the functions that the DAGs call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner, Result

from tasks import store
from tasks.__main__ import app
from tasks.classifier.adopted import NotAdoptable
from tasks.classifier.training import TrainingError
from tasks.data.margin_file import MarginsRefused
from tasks.flows import asking, monitor, ready, retrain
from tasks.flows.measure import measure
from tasks.ledger.ledger import Ledger
from tasks.promotion import decisions, proposals
from tasks.spec.model import ModelSpec
from tests.flows.test_adopt import digest_of
from tests.support import flow
from tests.support.flow import At, answer, day, rows, window
from tests.support.logged import (
    LOGGED,
    RAW,
    SIGNS,
    beginning,
    gated,
    handed,
    land,
    margins,
    promoted,
    propose,
    read,
    watch,
)


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    (stores / "specs").mkdir()
    (stores / "specs" / "churn.yaml").write_text(yaml.safe_dump(RAW))
    monkeypatch.setenv("GATELATCH_MODELS", str(stores / "specs"))
    return beginning(tmp_path_factory.getbasetemp() / "logged", stores, monkeypatch)


def hand_in(*arguments: Any) -> Result:
    return CliRunner().invoke(app, ["adopt", "churn", *map(str, arguments)])


def logged_as() -> str:
    """Return what `status` says that production calls the champion."""
    told = [CliRunner().invoke(app, ["status", "churn", *more]).output for more in ([], ["--json"])]
    name = json.loads(told[1])["logged_as"]
    assert f"(logged as {name})" in told[0]
    return str(name)


def kept() -> list[str]:
    return store.files_below("adopted")


def written(frame: pd.DataFrame, name: str = "trees-2.parquet") -> Path:
    frame.to_csv(name, index=False) if name.endswith("csv") else frame.to_parquet(name)
    return Path(name).absolute()


def test_logged_margins_alone_have_a_champion_limits_losses_probabilities_and_an_episode(
    at: At,
) -> None:
    at("bootstrapped")
    assert logged_as() == "trees-1"
    seen = [watch(number) for number in range(6, 11)]
    assert [o.verdict for o in seen] == ["steady"] * 3 + ["drifting"] * 2
    numbers = seen[0].numbers
    assert numbers.losses is not None
    assert numbers.moved is None
    assert seen[0].held is not None
    assert {s.name for s in numbers.statistics} >= {"ks", "hinge_loss", "violation_rate"}
    known = read()
    assert known.champion == 1
    assert known.due == "churn.v1.20260109T0000.1"


def test_what_needs_the_model_says_that_it_is_not_here(at: At, tmp_path: Path) -> None:
    at("drifted")
    due = read().due
    assert due is not None
    asked = proposals.propose(
        LOGGED,
        due,
        reason="drift",
        proposer="otto",
        training_window=None,
        until=None,
        now=day(20),
        by_monitor=True,
    )
    brief = asking.to_retrain(LOGGED, asked, "/dags/here", ready.count(LOGGED, asked))["body"]
    assert "**Contributions of features: not available.**" in brief
    assert "with `python -m tasks adopt churn --margins FILE --as NAME`" in brief
    for command, said in {
        ("fetch", "churn", "--to", tmp_path / "to"): "not available: margins only",
        ("replay", "churn"): "not available: margins only",
        ("rehearse", "churn"): "not available: margins only",
        ("reproduce", "churn", "1"): "fit elsewhere",
        (
            *("worst", "churn", "--window", "2026-01-10", "--by", "contribution"),
            *("--to", tmp_path / "worst.jsonl"),
        ): "contributions are not available",
    }.items():
        told = CliRunner().invoke(app, [*map(str, command)])
        assert told.exit_code, command
        assert said in told.output, told.output
        assert "Traceback" not in told.output
    to = ["worst", "churn", "--window", "2026-01-10", "--rows", "3", "--to", str(tmp_path / "w")]
    assert CliRunner().invoke(app, to).exit_code == 0
    assert (tmp_path / "w").read_text().count('"contributions": {}') == 3
    decisions.decide(LOGGED, due, "retrain", answer())
    with pytest.raises(retrain.TrainedElsewhere, match="--margins FILE --as NAME"):
        retrain.train(LOGGED, due)
    assert read().history.now.state == "resting"


@pytest.mark.parametrize("name", ["trees-2.parquet", "trees-2.csv"])
def test_a_candidate_comes_back_by_its_margins_and_rules_the_windows_that_it_scores(
    at: At,
    name: str,
) -> None:
    at("drifted")
    digest = digest_of(
        hand_in("--margins", written(handed("trees-2", 9, 10), name), "--as", "trees-2")
    )
    first = propose(digest, "theirs")["body"]
    assert "hands in the margins of a model that was trained elsewhere" in first
    assert "production is to log its margins as trees-2" in first
    second = promoted("theirs")["body"]
    assert "**trees-2**" in second
    known = read()
    assert known.champion == 2
    assert logged_as() == "trees-2"
    (candidate,) = (c for c in known.candidates if c.version == 2)
    ours, theirs = candidate.metrics["candidate"], candidate.metrics["champion"]
    assert ours["accuracy"] > 0.8
    assert theirs["accuracy"] == pytest.approx(1 - ours["accuracy"], abs=0.01)

    # Production has not switched yet: nothing of the new champion is there to be measured.
    late = watch(11)
    assert (late.version, late.verdict) == (2, "insufficient")
    assert "none of the 300 accepted rows was scored by version 2" in late.reason
    land(11, "trees-2")
    land(12, "trees-2")
    assert [(o.version, o.verdict) for o in map(watch, (11, 12))] == [(2, "steady")] * 2

    back = ["rollback", "churn", "--reason", "complaints", "--yes"]
    assert CliRunner().invoke(app, back).exit_code == 0
    land(13, "trees-1")
    assert watch(13).version == 1


def test_each_version_that_serves_is_measured_on_the_rows_that_it_logged(at: At) -> None:
    at("drifted")
    file = written(handed("trees-2", 9, 10))
    propose(digest_of(hand_in("--margins", file, "--as", "trees-2")), "theirs")
    promoted("theirs")
    names = ["trees-1", "trees-2", "strange"] * 100
    score = [SIGNS.get(name, 0.0) * x for name, x in zip(names, rows(11)["x"], strict=True)]
    land(11, served_by=names, score=score)
    validated = monitor.validate(LOGGED, window(11))
    assert validated.remark is not None
    assert "100 rows name no version that was handed in (trees-1, trees-2)" in validated.remark
    assert [one.version for one in validated.beside] == [1]
    monitor.judge(LOGGED, window(11), measure(LOGGED, window(11), validated))
    ledger = Ledger.open()
    for version in (1, 2):
        (seen,) = ledger.observations_of("churn", version, day(11))
        assert seen.numbers.accepted == 100
    # What if the other one had ruled: it has no more rows than those that it logged.
    asked = monitor.validate(LOGGED, window(11), version=1)
    assert (asked.rows_of, asked.what_if) == (1, True)


def test_recalibrating_keeps_the_margins_and_the_name_in_production(at: At) -> None:
    at("bootstrapped")
    for number in (6, 7, 8):
        land(number, score=margins(number, "trees-1") * 6)  # far too sure of itself
        watch(number)
    propose(None, "again", days=30, action="recalibrate")
    promoted("again")
    known = read()
    assert known.champion == 2
    assert [c.metrics["logged_as"] for c in known.candidates] == ["trees-1"] * 2
    seen = watch(9)
    assert (seen.version, seen.numbers.accepted) == (2, 300)


def test_features_that_are_logged_beside_are_checked_and_shown_with_the_drift(
    at: At,
    stores: Path,
) -> None:
    at("landed")
    spec = ModelSpec.model_validate(RAW | {"features": {"numeric": ["x"]}})
    for number in range(1, 10):
        land(number, x=rows(number)["x"] + (3 if number == 9 else 0))
    (stores / "specs" / "churn.yaml").write_text(yaml.safe_dump(spec.model_dump(mode="json")))
    propose(digest_of(hand_in("--as", "trees-1")), "boot", days=5, until=6, spec=spec)
    promoted("boot", spec)
    seen = watch(9, spec=spec)
    assert [f.feature for f in seen.numbers.features or ()] == ["x"]
    assert seen.numbers.features[0].shift > 2


def test_margins_of_the_same_rows_are_the_same_file_in_whatever_order(at: At) -> None:
    at("landed")
    frame = handed("trees-2", 9)
    files = written(frame), written(frame.iloc[::-1], "turned.parquet")
    digests = {digest_of(hand_in("--margins", file, "--as", "trees-2")) for file in files}
    assert len(digests) == 1


def test_a_candidate_that_follows_the_old_rule_is_refused_by_the_gates(at: At) -> None:
    at("drifted")
    file = written(handed("trees-1", 9, 10))
    propose(digest_of(hand_in("--margins", file, "--as", "trees-2")), "theirs")
    _, result = gated("theirs")
    assert not result["passed"]
    assert read().champion == 1


def broken(change: Any) -> pd.DataFrame:
    frame = handed("trees-2", 9, 10).reset_index(drop=True)
    return change(frame)


@pytest.mark.parametrize("name", ["broken.parquet", "broken.csv"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.assign(score=f["score"].where(f.index > 2)), "of 600 rows 3 have no finite"),
        (lambda f: f.assign(score=f["score"].where(f.index > 1, float("inf"))), "2 have no finite"),
        (lambda f: pd.concat([f, f[:4]]), "of 604 rows 4 have the key of another row"),
        (lambda f: f.assign(id=f["id"].where(f.index > 4)), "5 have no key"),
        (lambda f: f.drop(columns="score"), "has no column 'score' (source.margin)"),
        (lambda f: f.drop(columns="id"), "has no column 'id' (source.key)"),
        (lambda f: f[:0], "has no row"),
    ],
)
def test_a_file_that_says_no_margin_for_each_row_is_named_by_counts_and_not_kept(
    at: At, name: str, change: Any, said: str
) -> None:
    at("landed")
    told = hand_in("--margins", written(broken(change), name), "--as", "trees-2")
    assert told.exit_code == 1
    assert said in " ".join(told.output.split()), told.output
    assert name in told.output
    assert flow.MARKER not in told.output
    assert "Traceback" not in told.output
    assert kept() == []


def test_margins_that_are_not_those_of_the_judged_rows_are_refused_before_anybody_is_asked(
    at: At,
) -> None:
    at("drifted")
    fewer = written(handed("trees-2", 9, 10)[7:])
    digest = digest_of(hand_in("--margins", fewer, "--as", "trees-2"))
    with pytest.raises(MarginsRefused, match="7 of the 600 labelled rows have no margin"):
        propose(digest, "fewer")
    more = written(handed("trees-2", 8, 9, 10))
    brief = propose(digest_of(hand_in("--margins", more, "--as", "trees-2")), "more")["body"]
    assert "300 margins of the file are of no labelled row here" in brief


def test_a_name_is_that_of_one_champion_and_logged_margins_only_begin(at: At) -> None:
    at("drifted")
    told = hand_in("--margins", written(handed("trees-2", 9)), "--as", "trees-1")
    assert told.exit_code == 1
    assert "version 1 was champion under this name" in told.output
    digest = digest_of(hand_in("--as", "trees-2"))
    with pytest.raises(NotAdoptable, match="of other rows than those of version 1"):
        propose(digest, "theirs")
    for arguments in ((), ("--margins", written(handed("trees-2", 9)))):
        told = hand_in(*arguments)
        assert told.exit_code == 1
        assert "--margins FILE --as NAME" in told.output


def test_a_first_champion_that_logged_no_row_of_these_days_is_named(at: At) -> None:
    at("landed")
    digest = digest_of(hand_in("--as", "forest"))
    with pytest.raises(TrainingError, match=r"rows that served_by says forest scored has a label"):
        propose(digest, "boot", days=5, until=6)


def test_rows_without_a_margin_are_quarantined_and_a_window_of_them_says_nothing(at: At) -> None:
    at("bootstrapped")
    land(6, score=[None] * 10 + [1.0] * 290)
    checked = monitor.validate(LOGGED, window(6)).checked
    assert (checked.quarantined, checked.accepted) == (10, 290)
    land(7, score=[None] * 300)
    assert watch(7).verdict == "insufficient"
    land(8, score=None)
    seen = watch(8)
    assert seen.verdict == "insufficient"
    assert "score" in seen.reason


def test_no_pipeline_and_no_file_of_somebody_else_takes_the_place_of_margins(at: At) -> None:
    at("drifted")
    before = kept()
    told = hand_in(written(handed("trees-2", 9)), "--trust", "pandas.DataFrame")
    assert told.exit_code == 1
    for both in (("--as", "trees-2"), ("--margins", "trees-2.parquet", "--as", "trees-2")):
        told = hand_in("trees-2.parquet", *both)
        assert told.exit_code == 1
        assert "--margins and --as are for one that never comes here" in told.output
    assert kept() == before
    digest = digest_of(hand_in("--margins", written(handed("trees-2", 9, 10)), "--as", "trees-2"))
    place = f"adopted/churn/{digest}.margins.parquet"
    propose(digest, "theirs")
    decisions.decide(LOGGED, "theirs", "retrain", answer())
    store.write(place, b"another")
    with pytest.raises(NotAdoptable, match="is not the file that was handed in"):
        retrain.train(LOGGED, "theirs")
    store.remove(place)
    with pytest.raises(NotAdoptable, match="is not there; hand it in again"):
        retrain.train(LOGGED, "theirs")


def test_margins_are_refused_for_a_model_that_is_here(at: At, stores: Path) -> None:
    at("landed")
    (stores / "specs" / "churn.yaml").write_text(yaml.safe_dump(flow.SPEC))
    told = hand_in("--margins", written(handed("trees-2", 9)), "--as", "trees-2")
    assert told.exit_code == 1
    assert "training.estimator: margins_only" in told.output
