"""A pipeline that was fit elsewhere, from its owner's terminal to the next window it scores."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import skops.io as sio
from playwright.sync_api import Page, expect
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ops import stack_settings
from tasks.audit.verified_model import model_of

from .browser import Form, Question, after_a_click
from .conftest import Running
from .landed import ACCEPTED, DAY, HANDED, SHIFT

DAG = f"retrain.{HANDED}"
SEEN = SHIFT + 2 * DAY  # the window after which the owner hands in


@pytest.fixture(scope="module")
def theirs(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What somebody fits on the first day of the new rule, without any code of ours."""
    landed = running.home / "landing" / f"date={SHIFT:%Y-%m-%d}" / "part-0.parquet"
    read = pq.read_table(landed, columns=["x", "z", "y"]).to_pandas()
    file = tmp_path_factory.mktemp("theirs") / "theirs.skops"
    sio.dump(make_pipeline(StandardScaler(), SVC()).fit(read[["x", "z"]], read["y"]), file)
    return file


@pytest.fixture(scope="module")
def digest(running: Running, theirs: Path) -> str:
    """A champion of ours that drifts, and what the command prints that hands theirs in."""
    running.accept(HANDED, "first", ACCEPTED, 8 * DAY)
    running.windows(HANDED, SEEN)
    (drifted,) = running.status(HANDED).observations
    assert (drifted.version, drifted.verdict) == (1, "drifting")
    command = [sys.executable, "-m", "ops.stack", "tasks", "--home", str(running.home)]
    command += ["adopt", HANDED, str(theirs)]
    done = subprocess.run(
        command, cwd=stack_settings.ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"start the DAG {DAG} with action adopt" in done.stdout
    found = re.search(r"digest ([0-9a-f]{64})", done.stdout)
    assert found is not None
    return found[1]


def test_the_form_says_what_to_write_and_refuses_what_is_no_digest(
    running: Running, operators_page: Page, digest: str
) -> None:
    form = Form(running, operators_page, DAG)
    form.open()
    for said in (
        "`adopt` takes what is in `model_file`",
        "the digest that `python -m tasks adopt`",
    ):
        expect(operators_page.get_by_text(said)).to_be_visible()
    expect(form.button).to_be_enabled()
    form.choose("action", "adopt")
    form.write("model_file", digest[:12])
    form.button.click()
    refused = f"Invalid input for param model_file: '{digest[:12]}' does not match"
    expect(operators_page.get_by_text(refused)).to_be_visible()
    assert running.operator.runs(DAG) == []


def test_a_run_without_a_file_that_is_there_says_so_and_asks_nobody(
    running: Running, operators_page: Page, digest: str
) -> None:
    command = f"`python -m tasks adopt {HANDED}"
    for written, said in {
        "": f"model_file has to be the digest, 64 hex digits, that {command}",
        "0" * 64: f"is not there; hand it in again with {command} FILE`",
    }.items():
        form = Form(running, operators_page, DAG)
        form.open()
        form.choose("action", "adopt")
        form.write("model_file", written)
        run = form.send()
        assert running.operator.finished(DAG, run) == "failed"
        log = f"{running.settings.airflow_url}/dags/{DAG}/runs/{run}/tasks/propose"
        operators_page.goto(log)
        expect(operators_page.get_by_text(said).first).to_be_visible()
        assert running.operator.waiting(DAG) == []
        assert running.status(HANDED).live == []


def test_from_the_form_what_was_handed_in_is_proposed_on_the_newest_rows(
    running: Running, operators_page: Page, digest: str
) -> None:
    form = Form(running, operators_page, DAG)
    form.open()
    form.choose("action", "adopt")
    form.write("model_file", digest)
    run = form.send()
    running.asked(HANDED, run, "retrain")
    (asked,) = running.status(HANDED).live
    assert (asked.proposal, asked.kind, asked.proposer) == (run, "adopt", "otto")
    assert (asked.trained_from, asked.trained_until) == (SEEN - DAY, SEEN + DAY)


def test_in_a_browser_a_person_approves_twice_and_it_is_champion(
    running: Running, page: Page, digest: str
) -> None:
    (asked,) = running.status(HANDED).live
    retrain, promote = (
        Question(running, page, HANDED, asked.proposal, step) for step in ("retrain", "promote")
    )
    retrain.open("otto hands in a model that was trained elsewhere")
    for said in (digest, "nothing is fit", "800 labelled of 800"):
        expect(page.get_by_text(said).first).to_be_visible()
    retrain.approve()
    promote.open("No gate of version 2 failed")
    for said in ("It was fit elsewhere: nothing was fit here.", digest):
        expect(page.get_by_text(said).first).to_be_visible()
    promote.approve()
    assert running.operator.finished(DAG, asked.proposal) == "success"

    known = running.status(HANDED)
    assert (known.champion, running.alias(HANDED)) == (2, 2)
    promoted = known.promotions[-1]
    assert (promoted.by, promoted.expected, promoted.effective_from) == ("ada", 1, SEEN + DAY)
    assert promoted.reason == f"manual, with the file {digest}"
    running.verify(HANDED)
    page.goto(f"{running.settings.mlflow_url}/#/models/{HANDED}/versions/2")
    expect(page.get_by_text("champion").first).to_be_visible()


@after_a_click
def test_the_next_window_is_judged_against_the_adopted_champion(
    running: Running, theirs: Path
) -> None:
    assert running.window(HANDED, SEEN + DAY) == "success"
    newest = running.status(HANDED).observations[-1]
    assert (newest.version, newest.verdict) == (2, "steady")
    assert newest.figures["accuracy"] > 0.85
    assert newest.numbers.moved is None  # a kernel keeps no features apart
    landed = running.home / "landing" / f"date={SEEN + DAY:%Y-%m-%d}" / "part-0.parquet"
    frame = pq.read_table(landed, columns=["x", "z"]).to_pandas()
    with running.inside():
        champion = model_of(running.spec(HANDED), running.ledger, 2)
    pipeline = sio.load(theirs)
    assert (champion.estimator.decision_function(frame) == pipeline.decision_function(frame)).all()
