"""A class that no row has yet, without Airflow: from the question to a champion, all of it said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks import store
from tasks.audit import verified_model
from tasks.audit.verified_model import model_of
from tasks.flows import asking, monitor, ready, reproduce, retrain
from tasks.flows.measure import measure
from tasks.ledger.ledger import Ledger
from tasks.promotion import decisions, promotion, proposals
from tasks.registry import tracking
from tests.support.flow import MODEL, At, answer, beginning, day, land, rows, window

FRESH = MODEL.model_copy(
    update={"model": "fresh", "label": MODEL.label.model_copy(update={"classes": (0, 1, 2)})}
)
NONE = "class 2: none among the"  # and how many rows fit, which the choice of a span decides
UNSEEN = f"{NONE} 390 rows that fit; the candidate never decides so, with probability 0"
STRANGE = "label '7' in 20 rows is no class of the spec; add a new class to label.classes"


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def test_a_class_without_a_row_is_said_from_the_question_to_the_file_and_reproduced(at: At) -> None:
    at("bootstrapped")
    found = rows(13, 320)
    land(13, **found | {"y": np.r_[found["y"][:300], [7] * 20]})
    asked = proposals.propose(
        FRESH,
        "boot",
        reason="bootstrap",
        proposer="otto",
        training_window=None,
        until=None,
        now=day(200),
    )
    counted = ready.count(FRESH, asked)
    assert counted.fit["2"] == 0
    assert [w for w in counted.warnings if w.startswith(STRANGE)]
    assert UNSEEN in counted.warnings
    body = asking.to_retrain(FRESH, asked, "/dags/here", counted)["body"]
    assert "**To know beforehand:**" in body
    assert "none among the 390 rows that fit" in body
    decisions.decide(FRESH, "boot", "retrain", answer())
    trained = retrain.train(FRESH, "boot")
    run = trained["candidate_run"]
    assert any(line.startswith(NONE) for line in trained["warnings"])
    retrain.calibrate(FRESH, "boot", run)
    gated = retrain.gate(FRESH, "boot", run)
    assert gated["passed"], gated["gates"]
    page = store.read_bytes("reports/fresh/boot/gates.html").decode()
    assert "What it cannot promise" in page
    assert NONE in page
    retrain.register(FRESH, "boot", run)
    kept = Ledger.open().version(FRESH.model, 1).metrics
    assert kept["warnings"][0].startswith(NONE)
    assert kept["calibration"]["classes"]["2"] == {}
    body = asking.to_promote(FRESH, "boot", "/dags/here")["body"]
    assert "**What it cannot promise:**" in body
    (version,) = tracking.connect().search_model_versions("name = 'fresh'")
    assert "## What it cannot promise" in version.description
    decisions.decide(FRESH, "boot", "promote", answer())
    assert promotion.promote(FRESH, "boot").version == 1
    model = model_of(FRESH, Ledger.open(), 1)
    assert model.classes_.tolist() == [0, 1, 2]
    assert reproduce.reproduce(FRESH, 1).identical

    # When it comes, its rows are measured: as the mistakes that they are.
    found = rows(16)
    land(16, y=np.where(found["x"] > 1, 2, found["y"]))
    measured = measure(FRESH, window(16), monitor.validate(FRESH, window(16)))
    seen = monitor.judge(FRESH, window(16), measured)
    assert seen.figures["accepted"] == 300
    assert seen.figures["accuracy"] < 1 - (found["x"] > 1).mean() + 1e-9


@pytest.mark.parametrize("classes", [(0, 1, 2), (2, 0, 1)])
def test_a_class_that_the_spec_names_later_is_measured_beside_the_champion_then_learnt(
    at: At, classes: tuple[int, ...]
) -> None:
    at("bootstrapped")
    label = MODEL.label.model_copy(update={"classes": classes})
    spec = MODEL.model_copy(update={"label": label})
    for number in (12, 13, 14):
        found = rows(number)
        land(number, y=np.where(found["x"] > 1, 2, found["y"]))
    for number in (7, 14):
        measured = measure(spec, window(number), monitor.validate(spec, window(number)))
        seen = monitor.judge(spec, window(number), measured)
        told = "version 1 was made before the spec named class 2: rows of it are measured as if"
        assert any(line.startswith(told) for line in seen.figures["warnings"])
        new = int((rows(14)["x"] > 1).sum()) if number == 14 else 0
        assert seen.figures["labelled"] == 300 - new
        assert (seen.verdict == "drifting") == (number == 14)  # labels turned round on the 9th
    proposals.propose(
        spec,
        "new",
        reason="a new class",
        proposer="otto",
        training_window=None,
        until=day(15),
        now=day(200),
    )
    decisions.decide(spec, "new", "retrain", answer())
    run = retrain.train(spec, "new")["candidate_run"]
    retrain.calibrate(spec, "new", run)
    gated = retrain.gate(spec, "new", run)
    assert gated["passed"], gated["gates"]
    retrain.register(spec, "new", run)
    judged = Ledger.open().version(spec.model, 2).metrics
    # The champion answers as one of three classes: of the new one's rows none is right.
    assert judged["champion"]["accuracy"] < judged["candidate"]["accuracy"] - 0.3
    assert reproduce.reproduce(spec, 2).identical
    assert verified_model.champion_of(spec, Ledger.open(), 1).classes_.tolist() == [0, 1, 2]
