"""The champion scores a window once, and the monitor reads exactly what was written."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.audit.verified_model import model_of
from tasks.classifier import calibration, scoring
from tasks.data.readers import SourceError
from tasks.disk import Unusable
from tasks.flows import monitor, retrain, score
from tasks.flows.measure import measure
from tasks.flows.monitor import NoChampion
from tasks.flows.score import ChampionChanged, ScoredOtherwise
from tasks.flows.scored_windows import NotYetScored
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Observation
from tasks.promotion import decisions
from tasks.scoring import scorer
from tasks.scoring.score_window import ScoresRefused
from tasks.spec.model import ModelSpec
from tests.support import flow
from tests.support.flow import FIRST, MODEL, At, answer, land, promote, propose, rows, window
from tests.support.scored import SCORED

WIRED = ModelSpec.model_validate(SCORED)


def table(number: int) -> pa.Table:
    (path,) = Path("scores").glob(f"window=202601{number:02d}T0000/*/scores.parquet")
    return pq.read_table(path, partitioning=None)


def left() -> list[str]:
    return sorted(str(path) for path in Path("scores").rglob("*") if path.is_file())


def observed(spec: ModelSpec, number: int) -> Observation:
    validated = monitor.validate(spec, window(number))
    return monitor.judge(spec, window(number), measure(spec, window(number), validated))


def test_what_is_written_is_what_the_champion_says_of_each_row(at: At) -> None:
    at("promoted")
    found = score.score_once(WIRED, window(12))
    assert (found.written, found.manifest.rows, found.manifest.unfit) == (True, 300, {})
    assert (found.manifest.version, found.manifest.promotion) == (2, 2)
    there = table(12)
    assert there.column_names == ["id", "time", "f", "probability", "decision", "model"]
    model = model_of(MODEL, Ledger.open(), 2)
    frame = {name: np.asarray(rows(12)[name]) for name in ("x", "z")}
    decision = scoring.decision_values(model, frame)
    assert there.column("id").to_pylist() == rows(12)["id"]
    assert there.column("f").to_pylist() == decision.tolist()
    chance = calibration.probabilities(model, decision)[:, 1]
    assert there.column("probability").to_pylist() == chance.tolist()
    assert there.column("decision").to_pylist() == (decision > 0).astype(int).tolist()
    assert set(there.column("model").to_pylist()) == {2}


@pytest.mark.parametrize("number", [11, 12])
def test_the_monitor_reads_them_and_judges_as_if_it_had_scored_itself(at: At, number: int) -> None:
    at("promoted")
    score.score_once(WIRED, window(number))
    by_scores = observed(WIRED, number)
    at("promoted")
    by_itself = observed(MODEL, number)
    assert by_scores.verdict == by_itself.verdict != "insufficient"
    told = {"scored_by": None, "report": None}
    assert replace(by_scores.numbers, **told) == replace(by_itself.numbers, **told)
    assert by_scores.reason == by_itself.reason


def test_the_time_of_a_row_may_be_its_key(at: At) -> None:
    at("promoted")
    timed = {**SCORED, "source": {**SCORED["source"], "key": "time"}}
    spec = ModelSpec.model_validate(timed)
    score.score_once(spec, window(12))
    assert table(12).column_names == ["time", "f", "probability", "decision", "model"]
    seen = observed(spec, 12).numbers
    assert seen.scored_by is not None
    assert (seen.accepted, seen.scored_by.versions) == (300, {2: 300})


def test_a_window_that_is_not_scored_yet_is_not_measured(at: At) -> None:
    at("promoted")
    with pytest.raises(NotYetScored, match=r"not scored by version 2.* run score\.churn"):
        monitor.validate(WIRED, window(12))
    Path("data/2026-01-13.parquet").unlink()
    assert "churn" not in str(monitor.validate(WIRED, window(13)).problem)
    assert "no row" in str(monitor.validate(WIRED, window(13)).problem)


def test_a_window_is_scored_once_for_each_version_and_digest(at: At) -> None:
    at("promoted")
    first = score.score_once(WIRED, window(12))
    before = [(path, Path(path).stat().st_mtime_ns) for path in left()]
    second = score.score_once(WIRED, window(12))
    assert (second.written, second.manifest) == (False, first.manifest)
    assert [(path, Path(path).stat().st_mtime_ns) for path in left()] == before
    assert "were scored before" in second.told(WIRED, window(12))


def test_labels_that_come_later_are_no_reason_to_score_again(at: At) -> None:
    at("promoted")
    land(12, y=None)
    score.score_once(WIRED, window(12))
    land(12)
    assert not score.score_once(WIRED, window(12)).written


def test_other_rows_are_named_and_scored_only_on_request(at: At) -> None:
    at("promoted")
    first = score.score_once(WIRED, window(12))
    content = Path(first.place.removeprefix("file://")).read_bytes()
    land(12, x=-rows(12)["x"])
    with pytest.raises(ScoredOtherwise, match=first.manifest.data_digest) as said:
        score.score_once(WIRED, window(12))
    assert "with `again`" in str(said.value)
    assert Path(first.place.removeprefix("file://")).read_bytes() == content
    assert score.score_once(WIRED, window(12), again=True).written
    assert not score.score_once(WIRED, window(12)).written
    assert len(left()) == 1


def test_before_the_first_champion_nothing_is_scored(at: At) -> None:
    at("promoted")
    with pytest.raises(NoChampion, match="so nothing is scored; train the first"):
        score.score_once(WIRED, window(3))
    assert not Path("scores").exists()


def test_a_champion_that_changes_meanwhile_leaves_nothing_and_the_next_attempt_takes_the_new_one(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("registered")
    assert score.score_once(WIRED, window(10)).manifest.version == 1
    before, really = left(), scorer.need_finite

    def promoting(decision: Any) -> None:
        monkeypatch.setattr(scorer, "need_finite", really)
        promote(FIRST)
        really(decision)

    monkeypatch.setattr(scorer, "need_finite", promoting)
    with pytest.raises(ChampionChanged, match=r"version 2 became champion .* while version 1"):
        score.score_once(WIRED, window(11))
    assert left() == before
    assert score.score_once(WIRED, window(11)).manifest.version == 2


def test_a_promotion_before_the_window_is_measured_has_it_scored_again_by_the_new_champion(
    at: At,
) -> None:
    at("registered")
    assert score.score_once(WIRED, window(11)).manifest.version == 1
    promote(FIRST)
    with pytest.raises(NotYetScored):
        monitor.validate(WIRED, window(11))
    again = score.score_once(WIRED, window(11))
    assert (again.written, again.manifest.version) == (True, 2)
    assert len(left()) == 2  # what the earlier champion said stays
    assert observed(WIRED, 11).verdict != "insufficient"


@pytest.mark.parametrize(
    ("column", "places", "value", "why"),
    [
        ("x", [0, 7], None, "x is missing"),
        ("z", [3], float("inf"), "z is not finite"),
        ("z", [3], float("nan"), "z is not finite"),
        ("x", [299], 1e200, "x is not finite"),
        ("id", [5, 6], None, "id is missing"),
        ("id", [5, 6], "marker-12-4", "id stood there before"),
    ],
)
def test_rows_that_cannot_be_scored_are_counted_by_reason_and_the_others_scored(
    at: At, column: str, places: list[int], value: Any, why: str
) -> None:
    at("promoted")
    changed = list(rows(12)[column])
    for place in places:
        changed[place] = value
    land(12, **{column: changed})
    found = score.score_once(WIRED, window(12))
    assert found.manifest.unfit == {why: len(places)}
    assert found.manifest.rows == table(12).num_rows == 300 - len(places)
    fit = [key for i, key in enumerate(rows(12)["id"]) if i not in places]
    assert table(12).column("id").to_pylist() == fit
    assert why in found.told(WIRED, window(12))
    assert observed(WIRED, 12).numbers.accepted == 300 - len(places)


def test_a_missing_column_or_a_wrong_type_is_named_and_nothing_is_written(at: At) -> None:
    at("promoted")
    land(12, z=None)
    with pytest.raises(SourceError, match="has no column 'z'; write it, then score again"):
        score.score_once(WIRED, window(12))
    land(12, z=["secret"] * 300)
    with pytest.raises(SourceError, match=r"z \(string\)") as said:
        score.score_once(WIRED, window(12))
    assert "secret" not in str(said.value)
    assert left() == []


def _no_manifest(path: Path) -> None:
    pq.write_table(pq.read_table(path, partitioning=None).replace_schema_metadata(None), path)


def _another_window(path: Path) -> None:
    score.score_once(WIRED, window(11))
    path.write_bytes(next(Path("scores").glob("*0111T*/*/*.parquet")).read_bytes())


def _altered_manifest(path: Path) -> None:
    there = pq.read_table(path, partitioning=None)
    outer = json.loads(pq.read_metadata(path).metadata[b"gatelatch"])
    outer["manifest"] = outer["manifest"].replace('"version": 2', '"version": 1')
    changed = {b"gatelatch": json.dumps(outer).encode()}
    pq.write_table(there.replace_schema_metadata(changed), path)


@pytest.mark.parametrize(
    ("change", "error", "why"),
    [
        (_no_manifest, SourceError, "has no manifest: nothing here wrote it; remove it"),
        (_another_window, ScoresRefused, "no trusted key signed its manifest"),
        (_altered_manifest, ScoresRefused, "no trusted key signed its manifest"),
        (lambda path: path.write_bytes(b"PAR1"), SourceError, "cannot be read as parquet"),
    ],
)
def test_a_file_that_no_worker_wrote_is_neither_taken_nor_replaced(
    at: At, change: Callable[[Path], None], error: type[Exception], why: str
) -> None:
    at("promoted")
    path = Path(score.score_once(WIRED, window(12)).place.removeprefix("file://"))
    change(path)
    content = path.read_bytes()
    for read in (
        lambda: score.score_once(WIRED, window(12), again=True),
        lambda: monitor.validate(WIRED, window(12)),
    ):
        with pytest.raises(error, match=why):
            read()
    assert path.read_bytes() == content


def test_a_place_that_cannot_be_written_is_named_and_nothing_is_left(at: At) -> None:
    at("promoted")
    Path("scores").write_text("a file")
    with pytest.raises(Unusable, match=r"\(scoring.path\) cannot be written"):
        score.score_once(WIRED, window(12))
    assert Path("scores").read_text() == "a file"


def test_a_candidate_is_trained_on_rows_that_nobody_scored(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("promoted")
    monkeypatch.setattr(flow, "MODEL", WIRED)
    propose("more", training_window=timedelta(days=4), until=flow.day(15), by_monitor=False)
    decisions.decide(WIRED, "more", "retrain", answer())
    assert retrain.train(WIRED, "more")["candidate_run"]


def test_a_spec_without_scoring_scores_nothing(at: At) -> None:
    at("promoted")
    with pytest.raises(ValueError, match="the spec has no `scoring`"):
        score.score_once(MODEL, window(12))
