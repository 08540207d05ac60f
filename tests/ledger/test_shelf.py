"""Figures that are read when they are looked at are those that were written."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from tasks.ledger import shelf
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Held, LabelsSeen, LaterFigures, Observation
from tasks.ledger.shelf import LedgerReplaced
from tasks.ledger.tables import OBSERVATIONS
from tests.support.forging import as_owner
from tests.support.rows import observation, promote


def later(ledger: Ledger) -> list[Observation]:
    found = ledger.observations("churn")
    assert all(isinstance(o.figures, LaterFigures) for o in found)
    return found


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by how many figures each look into the database gives."""
    counts: list[int] = []
    plain = shelf.read_figures

    def counted(*arguments: Any) -> Any:
        found = plain(*arguments)
        counts.append(len(found))
        return found

    monkeypatch.setattr(shelf, "read_figures", counted)
    return counts


def test_they_are_equal_to_what_was_written_in_every_use(ledger: Ledger) -> None:
    promote(ledger, 1, None, since=1)
    written = [
        observation(n, figures={"rows": n, "hinge_loss": 0.1 + n / 3, "labels": {"é": 1}})
        for n in range(1, 10)
    ]
    for one in written:
        ledger.observe(one)
    found = later(ledger)
    assert found == written == ledger.history("churn")
    seen, same = found[3].figures, written[3].figures
    assert (seen, {**seen}, len(seen), list(seen)) == (same, same, len(same), list(same))
    assert seen.get("rows") == 4
    assert seen.get("accuracy") is None
    assert "accuracy" not in seen
    assert found[3].numbers == written[3].numbers
    for copied in (copy.deepcopy(found[3]), pickle.loads(pickle.dumps(found[3]))):
        assert copied == written[3]
    assert replace(found[3], figures={**seen, "rows": 5}).figures["rows"] == 5


def test_a_page_of_them_is_read_at_once_and_not_again(ledger: Ledger, pages: list[int]) -> None:
    promote(ledger, 1, None, since=1)
    for number in range(1, 29):
        ledger.observe(observation(number))
    windows = later(ledger)
    assert pages == []
    for _ in range(2):
        assert [o.figures["rows"] for o in windows] == [300] * 28
    assert pages == [shelf.PAGE_ROWS, 28 - shelf.PAGE_ROWS]


@pytest.mark.parametrize("pressure", [0.1 + 0.2, 5e-324, 1.7976931348623157e308, 1 / 3, None, 2])
def test_what_was_said_of_the_probabilities_is_read_to_the_last_digit(
    ledger: Ledger, pages: list[int], pressure: float | None
) -> None:
    promote(ledger, 1, None, since=1)
    figures = {"calibration": {"verdict": "drifting", "pressure": pressure}}
    ledger.observe(observation(figures=figures))
    ledger.observe(observation(2))
    first, second = later(ledger)
    assert first.held == Held("drifting", pressure) == observation(figures=figures).held
    assert second.held is None is observation(2).held
    assert pages == []


@pytest.mark.parametrize(
    ("figures", "expected", "alone"),
    [
        ({"accepted": 300, "labelled": 0}, LabelsSeen(300, 0, False), True),
        ({"accepted": 300, "labelled": 9, "losses": None}, LabelsSeen(300, 9, False), True),
        ({"accepted": 9, "labelled": 9}, LabelsSeen(9, 9, False), False),
        (
            {"accepted": 300, "labelled": 250, "losses": {"hinge_loss": 0.25}},
            LabelsSeen(300, 250, True),
            False,
        ),
        ({"accepted": 0}, None, False),
    ],
)
def test_whether_a_verdict_rests_on_labels_is_known_without_reading_the_figures(
    ledger: Ledger, pages: list[int], figures: dict[str, Any], expected: Any, alone: bool
) -> None:
    promote(ledger, 1, None, since=1)
    ledger.observe(observation(figures=figures))
    (found,) = later(ledger)
    assert found.labels == expected == observation(figures=figures).labels
    assert found.scores_alone is alone
    assert pages == []


def test_a_number_that_is_no_json_is_read_as_python_wrote_it(tmp_path: Any) -> None:
    """PostgreSQL takes none; SQLite takes any text, and its JSON functions then refuse the row."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.create()
    promote(ledger, 1, None, since=1)
    said = {"verdict": "steady", "pressure": 0.5}
    endless = observation(figures={"psi": float("inf"), "calibration": said})
    ledger.observe(endless)
    ledger.observe(observation(2))
    assert ledger.observations("churn") == [endless, observation(2)]
    assert ledger.observations("churn")[0].held == Held("steady", 0.5)
    ledger.close()


def test_another_ledger_in_the_same_place_is_noticed(ledger: Ledger) -> None:
    promote(ledger, 1, None, since=1)
    ledger.observe(observation())
    (before,) = later(ledger)
    with as_owner(ledger) as db:
        db.execute(sa.delete(OBSERVATIONS))
        row = {**vars(observation(data_digest="other")), "id": 1, "recorded_at": before.window_end}
        db.execute(sa.insert(OBSERVATIONS).values(**row))
    with pytest.raises(LedgerReplaced, match="row 1 of observations is not the one"):
        before.figures["rows"]


def test_an_observation_that_was_read_can_be_written_again_as_another(ledger: Ledger) -> None:
    promote(ledger, 1, None, since=1)
    ledger.observe(observation(1))
    (read,) = later(ledger)
    again = ledger.observe(replace(read, data_digest="other data"))
    assert (again.revision, dict(again.figures)) == (1, dict(read.figures))
