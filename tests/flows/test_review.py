"""The review queue: chosen once by the monitor's step, exported for tools, and what comes back."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner, Result

from tasks import store
from tasks.__main__ import app
from tasks.data.readers import SourceError
from tasks.flows import review_queue
from tasks.flows.review_labels import Returned, returned, weighed
from tasks.flows.row_scores import scored_rows_of
from tasks.formats import Damaged
from tasks.ledger.ledger import Ledger
from tasks.spec.model import ModelSpec
from tests.support import flow
from tests.support.flow import MARKER, OUTLIER, window

REVIEW: dict[str, Any] = {
    "margin_below": 0.8,
    "at_most": 20,
    "prefer": "uncertain",
    "columns": ["x"],
    "labels": {"path": "reviewed.csv", "column": "choice"},
}
LABELLED = 100  # of the 300 rows of the window


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> flow.At:
    return flow.beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


@pytest.fixture
def window_12(at: flow.At, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with a champion; of the rows of the 12th, a third has a label."""
    at("promoted")
    Path("models").mkdir()
    monkeypatch.setenv("GATELATCH_MODELS", str(Path("models").absolute()))
    land()


def land(labelled: int = LABELLED, **columns: Any) -> None:
    y = flow.rows(12)["y"][:labelled].tolist()
    flow.land(12, y=pa.array([*y, *[None] * (300 - labelled)], pa.int64()), **columns)


def spec(**review: Any) -> ModelSpec:
    raw = {**flow.SPEC, "review": {**REVIEW, **review}}
    Path("models/churn.yaml").write_text(yaml.safe_dump(raw))
    return ModelSpec.model_validate(raw)


def chosen(**review: Any) -> review_queue.ReviewQueue:
    found = review_queue.choose_once(spec(**review), window(12))
    assert found is not None
    return found


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_rows_without_a_label_near_the_border_are_chosen_once(window_12: None) -> None:
    queue = chosen()
    margins = [abs(row.margin) for row in queue.rows]
    assert margins == sorted(margins)
    assert margins[-1] < 0.8
    assert len(queue.rows) == 20 < queue.candidates < 200
    unlabelled = {f"{MARKER}-12-{n}" for n in range(LABELLED, 300)}
    assert {row.key for row in queue.rows} < unlabelled
    assert {tuple(row.columns) for row in queue.rows} == {("x",)}
    assert MARKER not in queue.told
    before = review_queue.queues_of(spec(), window(12))
    assert chosen() == queue
    assert review_queue.queues_of(spec(), window(12)) == before
    land(LABELLED + 1)  # other data: another queue
    assert (chosen().number, len(review_queue.queues_of(spec(), window(12)))) == (2, 2)


def test_the_file_is_for_owner_and_group_alone(window_12: None) -> None:
    chosen()
    (path,) = review_queue.queues_of(spec())
    assert not stat.S_IMODE(Path(store.url(path)).stat().st_mode) & 0o007


def test_the_probability_stands_beside_each_row_that_chance_chose(window_12: None) -> None:
    queue = chosen(prefer="random", margin_below=None)
    assert queue.candidates == 200
    assert {row.probability for row in queue.rows} == {20 / 200}
    x = np.where(np.arange(300) < 250, 1.0, 2.0)
    land(x=x)
    queue = chosen(prefer="slices", over="x", margin_below=None)
    told = {row.columns["x"]: row.probability for row in queue.rows}
    assert told == {1.0: 10 / 150, 2.0: 10 / 50}


def test_conflicting_rows_have_strong_evidence_on_both_sides(window_12: None) -> None:
    rows = chosen(prefer="conflicting", margin_below=None).rows
    for row in rows:
        parts = row.contributions.values()
        assert min(parts) < 0 < max(parts)
    weaker = [min(max(r.contributions.values()), -min(r.contributions.values())) for r in rows]
    assert weaker == sorted(weaker, reverse=True)


def test_a_window_without_a_champion_or_an_accepted_row_has_no_queue(window_12: None) -> None:
    assert review_queue.choose_once(spec(), window(2)) is None
    flow.land(12, x=np.full(300, OUTLIER))
    assert review_queue.choose_once(spec(), window(12)) is None


@pytest.mark.parametrize("form", ["csv", "label-studio", "argilla"])
def test_each_format_is_written_for_one_reader_and_recorded(window_12: None, form: str) -> None:
    queue = chosen()
    asked = ("review", "churn", "--window", "2026-01-12", "--format", form, "--who", "ada")
    done = run(*asked, "--to", "queue")
    assert done.exit_code == 0, done.output
    assert "recorded as look 1 by ada" in done.output
    assert MARKER not in done.output
    file = Path("queue")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    keys, shown = [row.key for row in queue.rows], [row.columns["x"] for row in queue.rows]
    if form == "csv":
        rows = list(csv.DictReader(file.read_text().splitlines()))
        assert [row["key"] for row in rows] == keys
        assert [float(row["x"]) for row in rows] == shown
        assert {row["probability"] for row in rows} == {"1.0"}
    elif form == "label-studio":
        tasks = json.loads(file.read_text())
        assert [task["data"]["key"] for task in tasks] == keys
        assert {frozenset(task) for task in tasks} == {frozenset({"data", "meta"})}
        assert {task["meta"]["probability"] for task in tasks} == {1.0}
    else:
        records = json.loads(file.read_text())
        assert [record["id"] for record in records] == keys
        assert [record["x"] for record in records] == [str(value) for value in shown]
    assert "decided" not in file.read_text()  # who sees a proposed answer tends to agree
    assert "looked at (review by uncertain, version 2), with x" in (
        run("audit", "churn", "--wide").output
    )


def test_without_a_queue_or_a_review_the_way_out_is_named(window_12: None) -> None:
    spec()
    asked = ("review", "churn", "--window", "2026-01-12")
    assert "run monitor.churn for it first" in run(*asked).stderr
    Path("models/churn.yaml").write_text(yaml.safe_dump(flow.SPEC))
    assert "the spec has no `review`" in run(*asked).stderr
    assert not Path("queue").exists()


def came(rows: list[tuple[str, Any]], **review: Any) -> Returned:
    with Path("reviewed.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "choice"), *rows])
    return returned(scored_rows_of(spec(**review), window(12), Ledger.open()))


def test_labels_that_come_back_are_counted_apart_and_bad_ones_are_named(window_12: None) -> None:
    keys = [row.key for row in chosen().rows]
    good = [(key, 1) for key in keys[:5]]
    found = came([*good, (keys[5], 0), (keys[5], 1), (keys[6], 7), ("nobody", 1), good[0]])
    assert found == Returned(
        asked=20, reviewed=5, unknown=1, twice=1, strange=1, after_the_fact=0, differ=0
    )
    told = run("review", "churn", "--window", "2026-01-12").output
    assert "5 of 20 rows have a reviewed label; these are counted apart, and no loss" in told
    assert "1 labels name a key that no review of this model asked about" in told
    assert "1 labels have two labels that differ" in told
    assert "1 labels have a label that is none of label.classes" in told
    assert MARKER not in told


@pytest.mark.parametrize(
    ("key", "column"),
    [("time", {}), ("id", {"id": [10**12 + n for n in range(300)]})],
    ids=["times", "numbers"],
)
def test_keys_of_other_types_are_known_again(window_12: None, key: str, column: Any) -> None:
    land(**column)
    raw = {**flow.SPEC, "source": {**flow.SPEC["source"], "key": key}, "review": REVIEW}
    made = ModelSpec.model_validate(raw)
    queue = review_queue.choose_once(made, window(12))
    assert queue is not None
    with Path("reviewed.csv").open("w", newline="") as file:
        csv.writer(file).writerows([(key, "choice"), *((row.key, 1) for row in queue.rows)])
    found = returned(scored_rows_of(made, window(12), Ledger.open()))
    assert (found.asked, found.reviewed, found.unknown) == (20, 20, 0)


def test_keys_that_became_another_type_are_named_without_one_of_them(window_12: None) -> None:
    chosen()
    land(id=list(range(300)))
    with pytest.raises(SourceError, match="are no int64, as those of the source now") as refused:
        came([])
    assert MARKER not in str(refused.value)


@pytest.mark.parametrize(
    ("labels", "columns", "why"),
    [
        ({"path": "r.parquet"}, {"key": ["a"], "y": [1]}, r"'id' \(review\.labels\.key\)"),
        ({"path": "r.parquet"}, {"id": ["a"], "z": [1]}, r"'y' \(review\.labels\.column\)"),
        (
            {"path": "r.parquet", "key": "day"},
            {"day": pa.array([1], pa.date32()), "y": [1]},
            r"'day' \(review\.labels\.key\) is date32",
        ),
        (
            {"path": "r.parquet"},
            {"id": ["a"], "y": [[1]]},
            r"'y' \(review\.labels\.column\) is list",
        ),
        ({"table": "t", "database": "ABSENT"}, {}, r"review\.labels\.database: .* ABSENT is not"),
    ],
)
def test_reviewed_labels_that_cannot_be_read_are_named_by_the_option_of_their_own(
    window_12: None, labels: dict[str, Any], columns: dict[str, Any], why: str
) -> None:
    if "day" in columns:
        land(id=list(range(300)))
    made = spec(labels=labels)
    review_queue.choose_once(made, window(12))
    pq.write_table(pa.table(columns), "r.parquet")
    with pytest.raises(SourceError, match=why) as said:
        returned(scored_rows_of(made, window(12), Ledger.open()))
    assert "label.source" not in str(said.value)


def test_before_labels_come_back_their_file_need_not_be_there(window_12: None) -> None:
    chosen()
    done = run("review", "churn", "--window", "2026-01-12")
    assert done.exit_code == 0, done.output
    assert "0 of 20 rows have a reviewed label" in done.output


def test_a_label_after_the_fact_is_named_and_the_rows_own_goes_first(window_12: None) -> None:
    keys = [row.key for row in chosen().rows]
    land(300)
    truth = dict(zip(flow.rows(12)["id"], flow.rows(12)["y"].tolist(), strict=True))
    found = came([(keys[0], truth[keys[0]]), (keys[1], 1 - truth[keys[1]])])
    assert (found.reviewed, found.after_the_fact, found.differ) == (0, 2, 1)


def test_labels_of_rows_that_chance_chose_tell_of_all_rows(window_12: None) -> None:
    drawn = {"prefer": "random", "margin_below": None, "at_most": 80}
    truth = dict(zip(flow.rows(12)["id"], flow.rows(12)["y"].tolist(), strict=True))
    rows = [(row.key, truth[row.key]) for row in chosen(**drawn).rows]
    found = came(rows, **drawn).error
    assert found is not None
    assert (found.rows, found.labels) == (200, 80)
    everything = chosen(**{**drawn, "at_most": 200}).rows  # of the same data: as it was chosen
    assert len(everything) == 80
    land(LABELLED, x=flow.rows(12)["x"] + 1e-9)  # other data, and the same answers
    everything = chosen(**{**drawn, "at_most": 200}).rows
    wrong = [row.decided != str(truth[row.key]) for row in everything]
    assert len(wrong) == 200
    assert abs(found.rate - np.mean(wrong)) < 4 * found.error


def test_rows_of_other_probabilities_are_weighed_by_them() -> None:
    assert weighed([True], [0.5], 9) is None
    rng = np.random.default_rng(1)
    found = [
        weighed([*(rng.random(20) < 0.5), *(rng.random(20) < 0.1)], [0.2] * 20 + [0.02] * 20, 1100)
        for _ in range(400)
    ]
    rates = [one.rate for one in found if one is not None]
    # A hundred rows of which a half is wrong, and a thousand of which a tenth is.
    assert np.mean(rates) == pytest.approx(150 / 1100, abs=0.02)
    errors = [one.error for one in found if one is not None]
    assert np.mean(errors) == pytest.approx(np.std(rates), rel=0.15)


def test_reviewed_labels_change_no_observation_of_the_monitor(window_12: None) -> None:
    keys = [row.key for row in chosen().rows]
    before = flow.watch(12)
    came([(key, 1) for key in keys])
    spec()
    after = flow.watch(12)
    assert after == before
    assert after.numbers.labelled == LABELLED


def test_a_queue_that_somebody_damaged_is_named(window_12: None) -> None:
    chosen()
    (path,) = review_queue.queues_of(spec())
    Path(store.url(path)).write_text("[]")
    with pytest.raises(Damaged, match="review queue"):
        review_queue.read_queue(path)


def test_a_spec_that_names_what_is_not_there_is_refused_by_its_path() -> None:
    def made(**review: Any) -> ModelSpec:
        return ModelSpec.model_validate({**flow.SPEC, "review": review})

    with pytest.raises(ValueError, match="review names column 'salary'"):
        made(columns=["salary"])
    with pytest.raises(ValueError, match=r"review\.over names the column of `review\.prefer: sl"):
        made(prefer="slices")
    with pytest.raises(ValueError, match="'key' is what the file says"):
        made(columns=["key"])
    assert made().review is not None
