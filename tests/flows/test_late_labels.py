"""Labels that come days after their rows: measured at once without them, and again with them."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.classifier.training import TrainingError
from tasks.flows import asking, monitor, retrain
from tasks.flows.late_labels import measure_again, overdue
from tasks.flows.measure import measure
from tasks.ledger import status, unlabelled
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Observation
from tasks.ledger.status_json import status_json
from tasks.promotion import decisions, proposals
from tasks.spec.model import ModelSpec
from tasks.spec.policy_options import Drift
from tasks.spec.source_options import LabelColumn
from tests.support.flow import MODEL, At, answer, beginning, day, land, rows, window
from tests.support.late import LATE, label, watch

SPAN = range(6, 14)


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    begin = beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)

    def with_labels_to_come(stage: str) -> None:
        begin(stage)
        Path("labels").mkdir()

    return with_labels_to_come


@pytest.fixture
def again(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    """Begin once more, in stores of its own."""
    stages = tmp_path_factory.getbasetemp() / "stages"
    begin = beginning(stages, stores / "again", monkeypatch)

    def with_labels_to_come(stage: str) -> None:
        begin(stage)
        Path("labels").mkdir()

    return with_labels_to_come


def run(number: int, spec: ModelSpec = LATE) -> list[Observation]:
    """Do what one run of the monitor does; return the windows measured again."""
    watch(number, spec)
    return measure_again(spec, window(number))


def told(spec: ModelSpec = LATE) -> list[dict[str, Any]]:
    """Return what the status says of each window, which knows no revision."""
    return list(status_json(status.read(spec, Ledger.open()))["windows"])


def test_a_window_is_measured_at_once_and_again_when_its_labels_are_there(at: At) -> None:
    at("bootstrapped")
    assert [run(number) for number in (6, 7)] == [[], []]
    label(6)
    (again,) = run(8)
    assert (again.window, again.revision, again.figures["labelled"]) == (window(6), 1, 300)
    first, second = (o for o in Ledger.open().history("churn") if o.window == window(6))
    assert (first.figures["labelled"], first.revision) == (0, 0)
    assert "accuracy" not in first.figures
    assert first.data_digest != second.data_digest
    assert told()[0]["accuracy"] > 0.7


def test_where_no_label_came_nothing_is_measured_or_written(at: At) -> None:
    at("bootstrapped")
    for number in SPAN:
        assert run(number) == []
    assert len(Ledger.open().history("churn")) == len(SPAN)


def test_labels_of_unknown_keys_alone_are_said_once_the_delay_has_passed(at: At) -> None:
    at("bootstrapped")
    for number in (6, 7):
        run(number)
    assert overdue(LATE, window(7)) == []
    label(6, id=[f"someone-{i}" for i in range(300)])
    assert run(8) == []
    (sentence,) = overdue(LATE, window(8))
    assert f"{window(6)}: label.delay has passed" in sentence
    assert "label.source.key" in sentence
    assert "someone" not in sentence


def turned(number: int) -> None:
    """Land the labels of a day as a rule makes them that turned before: the scores hold still."""
    right = np.asarray(rows(number)["y"])
    label(number, y=right if number > 8 else 1 - right)


def test_steady_scores_without_labels_do_not_close_what_late_labels_opened(at: At) -> None:
    at("bootstrapped")
    for number in range(6, 12):
        if number >= 8:
            turned(number - 2)
        run(number)
    known = status.read(LATE, Ledger.open())
    assert [o.verdict for o in known.observations] == ["drifting"] * 4 + ["steady"] * 2
    for number in (12, 13, 14):
        run(number)
    known = status.read(LATE, Ledger.open())
    assert known.history.now.episode == "churn.v1.20260106T0000"
    said = status_json(known)["labels"]
    assert said["overdue"] == [day(n).isoformat() for n in (10, 11)]
    assert said["awaited"] == [day(n).isoformat() for n in range(10, 15)]
    told = unlabelled.awaited_told(known)
    assert told is not None
    assert told.startswith("5 steady windows are not judged on labels yet (the first of 2026-01-10")
    assert told.endswith("until then such windows do not close the latch")


def test_labels_that_never_come_hold_the_latch_open_until_they_are_awaited_no_more(at: At) -> None:
    at("bootstrapped")
    states = []
    for number in (6, 7, 8, 9, 10, 20, 21):
        if number in (8, 9):
            turned(number - 2)
        run(number)
        states.append(status.read(LATE, Ledger.open()).history.now.state)
    # The 8th, 9th and 10th are awaited for two days, and four times two.
    assert states == ["closed"] * 3 + ["open"] * 3 + ["closed"]
    gap = unlabelled.gap_of(status.read(LATE, Ledger.open()))
    assert gap is not None
    assert (gap.windows[0], gap.told) == (window(8), True)


def test_labels_that_come_bit_by_bit_are_each_time_a_new_observation(at: At) -> None:
    at("bootstrapped")
    for number in (6, 7):
        run(number)
    seen = []
    for number, share in ((8, 0.5), (9, 0.5), (10, 1.0), (11, 1.0)):
        label(6, share)
        seen += [(number, o.figures["labelled"]) for o in run(number) if o.window == window(6)]
    assert seen == [(8, 150), (10, 300)]


def test_labels_that_are_filled_into_the_rows_themselves_are_found_as_well(at: At) -> None:
    at("bootstrapped")
    column = LabelColumn(column="y", classes=(0, 1), delay=timedelta(days=2))
    spec = MODEL.model_copy(update={"label": column})
    for number in (6, 7, 8):
        land(number, y=pa.nulls(300, pa.int64()))
        run(number, spec)
    land(6)
    (again,) = run(9, spec)
    assert (again.window, again.revision, again.figures["labelled"]) == (window(6), 1, 300)


def test_a_label_file_that_was_broken_is_looked_at_again(at: At) -> None:
    at("bootstrapped")
    label(6)
    path = Path("labels/2026-01-08.parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[:300])
    broken = watch(6)
    assert "labels/2026-01-08.parquet cannot be read as parquet" in broken.reason
    watch(7)
    path.write_bytes(whole)
    (again,) = run(8)
    assert (again.verdict, again.figures["labelled"]) == ("steady", 300)


def test_contradicting_labels_stop_the_window_by_name(at: At) -> None:
    at("bootstrapped")
    keys, truth = rows(6)["id"][:3], [0, 1, 1]
    label(6, id=[*keys, *keys], y=[*truth, *truth[::-1]])
    seen = watch(6)
    assert seen.verdict == "insufficient"
    assert "labels/{date}.parquet: 2 key(s) of the window" in seen.reason


def shift(number: int) -> None:
    """Land rows whose margins moved while the rule still holds, and the labels they will have."""
    x, z = rows(number)["x"] + 1.5, rows(number)["z"]
    land(number, x=x, y=None)
    noise = np.random.default_rng(number).normal(scale=0.6, size=300)
    pq.write_table(
        pa.table({"id": rows(number)["id"], "y": (x + 0.5 * z + noise > 0).astype(int)}),
        f"later-{number}.parquet",
    )


CONFIRM = {
    "never": ("drifting", "drifting"),
    "if_labelled": ("drifting", "steady"),
    "required": ("insufficient", "steady"),
}


@pytest.mark.parametrize("confirm", CONFIRM)
def test_the_policy_says_what_an_unlabelled_breach_may_do(at: At, confirm: str) -> None:
    at("bootstrapped")
    spec = LATE.model_copy(update={"drift": Drift.model_validate({"confirm": confirm})})
    shift(6)
    unlabelled = watch(6, spec)
    run(7, spec)
    shutil.copy("later-6.parquet", "labels/2026-01-08.parquet")
    (labelled,) = run(8, spec)
    assert (unlabelled.verdict, labelled.verdict) == CONFIRM[confirm]
    if confirm == "required":
        assert "labels are missing" in unlabelled.reason


def test_an_episode_that_the_labels_do_not_confirm_is_over_before_anyone_is_asked(at: At) -> None:
    at("bootstrapped")
    for number in (6, 7):
        shift(number)
        run(number)
    assert status.read(LATE, Ledger.open()).due == "churn.v1.20260106T0000.1"
    shutil.copy("later-6.parquet", "labels/2026-01-08.parquet")
    run(8)
    assert status.read(LATE, Ledger.open()).due is None


ORDERS: dict[str, tuple[list[int], int]] = {
    "backwards": ([*SPAN][::-1], 7),
    "shuffled and twice": ([9, 6, 13, 6, 11, 8, 10, 13, 7, 12, 9], 7),
    "the newest first": ([13, *range(6, 13)], 3),
}


@pytest.mark.parametrize(("order", "before"), ORDERS.values(), ids=ORDERS)
def test_any_order_of_runs_ends_as_when_the_days_went_by(
    at: At, again: At, order: list[int], before: int
) -> None:
    """Labels come day by day, those of the 9th never; or all of them between two runs."""
    at("bootstrapped")
    for number in SPAN:
        if number >= 8 and number != 11:
            label(number - 2)
        run(number)
    as_the_days_went_by, labels = told(), Path("labels").absolute()
    labelled = [w["labelled"] for w in as_the_days_went_by]
    assert labelled == [300, 300, 300, 0, 300, 300, 0, 0]
    again("bootstrapped")
    for number in order[:before]:
        run(number)
    Path("labels").rmdir()
    Path("labels").symlink_to(labels)
    for number in order[before:]:
        run(number)
    assert told() == as_the_days_went_by


def test_a_backfill_later_adds_nothing_to_what_the_days_brought(at: At) -> None:
    at("bootstrapped")
    for number in SPAN:
        if number >= 8:
            label(number - 2)
        run(number)
    history = Ledger.open().history("churn")
    for number in [*SPAN][::-1]:
        assert run(number) == []
    assert Ledger.open().history("churn") == history


def test_what_a_what_if_observed_is_not_measured_again(at: At) -> None:
    at("registered")
    for number in (11, 12):
        validated = monitor.validate(LATE, window(number), version=2)
        monitor.judge(LATE, window(number), measure(LATE, window(number), validated))
    label(11)
    assert run(13) == []


def propose(name: str) -> None:
    asked = proposals.propose(
        LATE,
        name,
        reason="manual",
        proposer="otto",
        training_window=timedelta(days=5),
        until=None,
        now=day(20),
    )
    asking.to_retrain(LATE, asked, "/dags/here")
    decisions.decide(LATE, name, "retrain", answer())


def test_training_takes_the_rows_whose_labels_have_come(at: At) -> None:
    at("bootstrapped")
    for number in SPAN:
        run(number)
    propose("early")
    with pytest.raises(TrainingError, match="0 labelled rows cannot be cut"):
        retrain.train(LATE, "early")
    for number in (9, 10, 11):
        label(number)
    trained = retrain.train(LATE, "early")
    assert trained["rows"] == 900
    retrain.calibrate(LATE, "early", trained["candidate_run"])
    assert retrain.gate(LATE, "early", trained["candidate_run"])["passed"]
    retrain.register(LATE, "early", trained["candidate_run"])
