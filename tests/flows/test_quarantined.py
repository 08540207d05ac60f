"""What people read before they take a model in, where some of its rows are put aside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from tasks import store
from tasks.classifier import skops_file
from tasks.flows import asking, ready, retrain
from tasks.flows.handed_in import keep_handed_in
from tasks.flows.handed_margins import keep_margins
from tasks.promotion import decisions, proposals
from tasks.promotion.proposal_reason import ProposalReason
from tasks.spec.model import ModelSpec
from tests.flows.test_recalibration import SPEC as CALM
from tests.flows.test_recalibration import noisy
from tests.support import flow, logged
from tests.support.flow import MARKER, MODEL, OUTLIER, STRANGE, At, answer, day, rows

NAME = "by hand"
PUT_ASIDE = 7  # rows of a proposal


def at_of(support: Any, folder: str, stores: Path, temp: Any, patch: Any) -> At:
    at: At = support.beginning(temp.getbasetemp() / folder, stores, patch)
    return at


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return at_of(flow, "stages", stores, tmp_path_factory, monkeypatch)


@pytest.fixture
def at_logged(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return at_of(logged, "logged", stores, tmp_path_factory, monkeypatch)


def briefs(spec: ModelSpec, action: Any, digest: str | None = None) -> tuple[str, str]:
    """Propose, approve, train, calibrate, gate; return both briefs."""
    reason = str(ProposalReason(why="manual", file=digest))
    parts: dict[str, Any] = {"training_window": None, "until": day(11), "now": day(20)}
    asked = proposals.propose(spec, NAME, reason=reason, proposer="otto", action=action, **parts)
    first = asking.to_retrain(spec, asked, "/dags/here", ready.count(spec, asked))
    decisions.decide(spec, NAME, "retrain", answer())
    run = retrain.train(spec, NAME)["candidate_run"]
    retrain.calibrate(spec, NAME, run)
    assert retrain.gate(spec, NAME, run)["passed"]
    retrain.register(spec, NAME, run)
    return first["body"], asking.to_promote(spec, NAME, "/dags/here")["body"]


def require_no_row(*numbers: int) -> None:
    """Look through every page and picture that a person can open."""
    pages = [path for path in Path("store/reports").rglob("*") if path.is_file()]
    assert {"retrain.html", "promotion.html", "gates.html"} <= {page.name for page in pages}
    text = "".join(page.read_text() for page in pages)
    values = [f"{value:.6f}" for number in numbers for value in rows(number)["x"]]
    assert [v for v in (MARKER, str(OUTLIER), str(STRANGE), *values) if v in text] == []


def spoil(number: int, found: dict[str, Any], outliers: int, strange: int) -> None:
    """Land a day with some features and labels late in it that the spec does not allow."""
    found["x"][-50 : outliers - 50], found["y"][-20 : strange - 20] = OUTLIER, STRANGE
    flow.land(number, **found)


def test_the_brief_of_an_adoption_says_how_many_rows_are_put_aside_and_shows_none(at: At) -> None:
    at("drifted")
    spoil(9, rows(9), outliers=3, strange=0)
    spoil(10, rows(10), outliers=2, strange=2)
    read = pd.DataFrame(rows(9))
    theirs = make_pipeline(StandardScaler(), LinearSVC()).fit(read[["x", "z"]], read["y"])
    digest = keep_handed_in(MODEL, skops_file.dump(theirs), "theirs")
    first, second = briefs(MODEL, "adopt", digest)
    assert f"593 labelled of 600; {PUT_ASIDE} are quarantined." in first
    assert "is champion for windows from" in second
    require_no_row(9, 10)
    assert len(store.files_below("quarantine")) > 0


def test_the_brief_of_adopted_margins_says_how_many_rows_are_put_aside_and_shows_none(
    at_logged: At,
) -> None:
    at_logged("drifted")
    said = logged.margins(10, "trees-1")
    logged.land(10, score=[None] * PUT_ASIDE + [*said[PUT_ASIDE:]])
    logged.handed("trees-2", 9, 10).to_parquet("trees-2.parquet")
    digest = keep_margins(logged.LOGGED, "trees-2", Path("trees-2.parquet"))
    first, _ = briefs(logged.LOGGED, "adopt", digest)
    assert f"593 labelled of 600; {PUT_ASIDE} are quarantined." in first
    require_no_row(9, 10)


def test_the_brief_of_a_recalibration_says_how_many_rows_are_put_aside_and_shows_none(
    at: At,
) -> None:
    at("bootstrapped")
    for number in (9, 10):
        spoil(number, noisy(number), outliers=5, strange=2)
    first, second = briefs(CALM, "recalibrate")  # its rows are of the second day alone
    assert f"623 labelled of 630; {PUT_ASIDE} are quarantined." in first
    assert "Nothing was fit: every decision equals that of version 1" in second
    require_no_row(9, 10)
