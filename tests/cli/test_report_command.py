"""The command report: where it writes, which period, how it ends."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tasks.ledger.ledger import Ledger
from tests.support import forging
from tests.support.stood import at, seen
from tests.support.terminal import run


@pytest.fixture
def ledger(models: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Return a ledger that stands, of a champion and three windows."""
    monkeypatch.chdir(models)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    ledger = Ledger.open()
    forging.version(ledger, 1)
    for number, pressure in enumerate((0.4, 1.5, None)):
        ledger.observe(seen(number, pressure))
    return ledger


def test_it_writes_one_file_named_for_the_model_and_says_where(
    ledger: Ledger, models: Path
) -> None:
    done = run("report", "churn")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "churn: 3 windows, 1 proposal, written to churn-report.html\n"
    page = (models / "churn-report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert page.endswith("</html>")
    assert "No model card: MLFLOW_TRACKING_URI is not set" in page


def test_a_period_takes_only_its_windows(ledger: Ledger, models: Path) -> None:
    done = run("report", "churn", "--from", "2026-01-10", "--to", "2026-01-11", "-o", "one.html")
    assert (done.exit_code, done.stdout.split(":")[1].split()[0]) == (0, "1")
    page = (models / "one.html").read_text()
    assert "1 window was measured, from 2026-01-10 until 2026-01-11: 1 drifting." in page


def test_a_page_on_standard_output_is_the_page_alone(ledger: Ledger) -> None:
    done = run("report", "churn", "-o", "-")
    assert done.exit_code == 0
    assert done.stdout.startswith("<!doctype html>")
    assert done.stderr == "churn: 3 windows, 1 proposal, written to -\n"


def test_a_refused_ledger_has_a_report_and_an_exit_code_that_says_so(
    ledger: Ledger, models: Path
) -> None:
    with forging.as_owner(ledger) as db:
        db.exec_driver_sql("update observations set verdict = 'steady'")
    done = run("report", "churn", "-o", "r.html")
    assert done.exit_code == 1
    assert re.match(r"churn: row \d of observations \(link \d\) is not as it was", done.stderr)
    assert "This ledger is refused:" in (models / "r.html").read_text()


def test_a_refused_ledger_whose_rows_are_garbage_is_one_sentence_and_no_file(
    ledger: Ledger, models: Path
) -> None:
    with forging.as_owner(ledger) as db:
        db.exec_driver_sql("update questions set asked = '5'")
    done = run("report", "churn", "-o", "r.html")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "was altered; nothing was written, because what stands in its rows" in done.stderr
    assert not (models / "r.html").exists()


def test_without_a_key_to_verify_with_the_report_is_written_and_says_so(
    ledger: Ledger, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATELATCH_VERIFY_KEY", str(models / "absent.pub"))
    done = run("report", "churn", "-o", "r.html")
    assert done.exit_code == 1
    assert "absent.pub" in done.stderr
    assert "This ledger was not verified:" in (models / "r.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody"], "nobody"),
        (["churn", "--from", "2026-02-02", "--to", "2026-02-01"], "is not before --to 2026-02-01"),
        (["churn", "--from", "1200-01-01"], "--from"),
        (["churn", "-o", "absent/r.html"], "the folder does not exist; create it"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_no_file(
    ledger: Ledger, models: Path, words: list[str], said: str
) -> None:
    done = run("report", *words)
    assert (done.exit_code, done.stdout) == (1, "")
    assert said in done.stderr
    assert list(models.glob("**/*.html")) == []


def test_a_model_of_which_the_ledger_knows_nothing_has_a_report(models: Path) -> None:
    Ledger.open()._engine.dispose()
    done = run("report", "churn", "-o", str(models / "r.html"))
    assert done.exit_code == 0
    assert "There is no champion" in (models / "r.html").read_text()


def test_a_window_on_the_edge_of_a_day_is_that_of_its_own_zone(
    ledger: Ledger, models: Path
) -> None:
    text = (models / "churn.yaml").read_text()
    (models / "churn.yaml").write_text(
        text.replace("every: 1d", "every: 1d\n  timezone: Asia/Tokyo")
    )
    done = run("report", "churn", "--from", "2026-01-10", "-o", "r.html")
    assert done.exit_code == 0
    begins = at(1).replace(day=9, hour=15)  # midnight in Tokyo
    assert f"From {begins:%Y-%m-%d %H:%M} to" in (models / "r.html").read_text()
