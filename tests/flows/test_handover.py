"""What the steps of a retrain leave for each other: numbered, read again, and what comes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks import formats
from tasks.classifier.spans import Learning
from tasks.flows import handover
from tasks.flows.handover import RunFile
from tasks.ledger.records import Candidate
from tasks.registry import tracking
from tests.support.flow import At, beginning, read

PARTS: tuple[RunFile[Any], ...] = (
    handover.ROWS,
    handover.LEARNING,
    handover.GATES,
    handover.METRICS,
    handover.REFERENCE,
)
each = pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)


@pytest.fixture
def candidate(stores: Any, tmp_path_factory: Any, monkeypatch: pytest.MonkeyPatch) -> Candidate:
    at: At = beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)
    at("registered")
    return read().candidates[-1]


def test_each_file_of_a_run_says_its_format(candidate: Candidate) -> None:
    for part in PARTS:
        kept = tracking.get_json(candidate.run_id, part.name)
        assert list(kept) == ["format", part.name]
        assert kept["format"] == 1


@each
def test_a_file_of_release_0_1_is_read_though_it_has_no_number(
    candidate: Candidate, part: RunFile[Any]
) -> None:
    run = tracking.start("churn", "older", {})
    content = part.to_json(part.get(candidate.run_id))
    tracking.put_json(run, part.name, content)
    assert part.to_json(part.get(run)) == content


@each
@pytest.mark.usefixtures("candidate")
def test_a_file_of_a_later_release_is_refused_by_name(part: RunFile[Any]) -> None:
    run = tracking.start("churn", "newer", {})
    tracking.put_json(run, part.name, {"format": 2, part.name: {}})
    told = f"{part.name}.json of run {run} has the format 2, .* install that release, or clear"
    with pytest.raises(formats.OtherFormat, match=told):
        part.get(run)


def test_the_ledger_keeps_to_the_letter_what_the_files_hold(candidate: Candidate) -> None:
    def held(name: str) -> Any:
        return tracking.get_json(candidate.run_id, name)[name]

    model_file = {"model_file": candidate.metrics["model_file"]}
    for ours, theirs in (
        (candidate.gates, held("gates")),
        (candidate.metrics, {formats.KEY: formats.METRICS_FORMAT, **held("metrics"), **model_file}),
        (candidate.reference, held("reference")),
        (candidate.metrics["span"], held("span")),
    ):
        assert json.dumps(ours) == json.dumps(theirs)


def test_what_was_learnt_from_is_handed_on_and_so_is_that_nothing_was_fit(
    candidate: Candidate,
) -> None:
    run, kept = tracking.start("churn", "new", {}), Learning.from_json(candidate.metrics["span"])
    for learning in (None, kept):
        handover.LEARNING.put(run, learning)
        assert handover.LEARNING.get(run) == learning
