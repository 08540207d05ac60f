"""The worst rows of a window: which these are, who is told to have looked, and where they go."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner, Result

from tasks.__main__ import app
from tasks.audit import verification
from tasks.audit.verified_model import model_of
from tasks.classifier.scoring import decision_values
from tasks.data import unpacking
from tasks.flows import worst as looking
from tasks.flows.row_scores import DescribedRow, NoScoredRows
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import RowLook
from tasks.ledger.stored import of_model
from tasks.ledger.tables import LOOKS
from tasks.spec.model import ModelSpec
from tests.support import flow
from tests.support.flow import MARKER, MODEL, OUTLIER, window

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> flow.At:
    return flow.beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


@pytest.fixture
def champion(at: flow.At) -> Iterator[None]:
    """Begin with a champion and a models folder; the window of the 12th is there."""
    at("promoted")
    Path("models").mkdir()
    Path("models/churn.yaml").write_text(yaml.safe_dump(flow.SPEC))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATELATCH_MODELS", str(Path("models").absolute()))
        yield


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def looks() -> list[RowLook]:
    with Ledger.open().at_one_moment() as link:
        return of_model(link, LOOKS, "churn", RowLook)


def expected(number: int = 12) -> tuple[Any, Any, Any]:
    """Return what the champion makes of a window by itself: keys, f(x), hinge losses."""
    rows = flow.rows(number)
    version = Ledger.open().promotions("churn")[-1].version
    model = model_of(MODEL, Ledger.open(), version)
    found = decision_values(model, {"x": rows["x"], "z": rows["z"]})
    return np.array(rows["id"]), found, np.maximum(0, 1 - np.where(rows["y"] == 1, found, -found))


def test_the_rows_with_the_largest_losses_come_first_whatever_the_batches(
    champion: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, decision, losses = expected()
    order = np.argsort(-losses, kind="stable")[:7]
    for size in (unpacking.BATCH_ROWS, 11):
        monkeypatch.setattr(unpacking, "BATCH_ROWS", size)
        found = looking.worst(MODEL, window(12), by="loss", at_most=7)
        assert [row.key for row in found.rows] == keys[order].tolist()
        assert [row.loss for row in found.rows] == pytest.approx(losses[order])
        assert [row.margin for row in found.rows] == pytest.approx(decision[order])


def test_rows_near_the_border_and_rows_that_hang_on_one_feature_have_orders_of_their_own(
    champion: None,
) -> None:
    keys, decision, _ = expected()
    near = looking.worst(MODEL, window(12), by="margin", at_most=9).rows
    assert [row.key for row in near] == keys[np.argsort(np.abs(decision))[:9]].tolist()
    parts = looking.worst(MODEL, window(12), by="contribution", at_most=300).rows
    largest = [max(map(abs, row.contributions.values())) for row in parts]
    assert largest == sorted(largest, reverse=True)
    rest = [row.margin - sum(row.contributions.values()) for row in parts]
    assert rest == pytest.approx([rest[0]] * 300)  # the intercept


def test_quarantined_rows_are_counted_and_not_listed(champion: None) -> None:
    x = flow.rows(12)["x"]
    x[3] = OUTLIER
    flow.land(12, x=x)
    found = looking.worst(MODEL, window(12), by="margin", at_most=300)
    assert len(found.rows) == 299
    assert f"{MARKER}-12-3" not in {row.key for row in found.rows}
    assert "299 of 299 accepted rows, by margin; 1 in quarantine are not among them" in found.told
    assert not list(Path("store/quarantine").glob("churn/20260112*"))  # nothing is kept of it


def test_without_labels_a_loss_is_refused_and_the_way_out_is_named(champion: None) -> None:
    flow.land(12, y=pa.nulls(300, pa.int64()))
    with pytest.raises(NoScoredRows, match=r"none of the 300 accepted rows has a label.*--by marg"):
        looking.worst(MODEL, window(12), by="loss", at_most=5)
    y = pa.array([*flow.rows(12)["y"][:40].tolist(), *[None] * 260])
    flow.land(12, y=y)
    told = looking.worst(MODEL, window(12), by="loss", at_most=50).told
    assert "40 of 300 accepted rows, by loss; 260 without a label have no loss" in told


def test_a_look_is_recorded_before_a_row_is_shown_and_holds_none(champion: None) -> None:
    asked = ("worst", "churn", "--window", "2026-01-12", "--rows", "5", "--who", "ada")
    done = run(*asked, "--columns", "x,y", "--to", "rows.jsonl")
    assert done.exit_code == 0, done.output
    assert "recorded as look 1 by ada" in done.stderr
    (look,) = looks()
    assert (look.by, look.rows, look.columns, look.ranked) == ("ada", 5, ["x", "y"], "loss")
    assert look.shown.endswith("/rows.jsonl")
    file = Path("rows.jsonl")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [set(line["columns"]) for line in lines] == [{"x", "y"}] * 5
    written = b"".join(p.read_bytes() for p in Path().glob("ledger.db*"))
    for line in lines:
        assert str(line["key"]).encode() not in written
        assert repr(line["columns"]["x"]).encode() not in written
        assert str(line["key"]) not in done.output
    verification.require(Ledger.open(), "churn", whole=True)
    assert (
        "looked at (worst by loss, version 2), with x, y" in run("audit", "churn", "--wide").output
    )


def test_columns_are_shown_only_where_they_are_asked_for(champion: None) -> None:
    asked = ("worst", "churn", "--window", "2026-01-12")
    assert run(*asked, "--to", "rows.jsonl").exit_code == 0
    assert "columns" not in json.loads(Path("rows.jsonl").read_text().splitlines()[0])
    refused = run(*asked, "--columns", "salary", "--to", "other.jsonl")
    assert refused.exit_code == 1
    assert "--columns salary: no column that the spec of churn names; there are: time" in (
        refused.stderr
    )
    assert not Path("other.jsonl").exists()


def test_a_terminal_shows_the_rows_and_a_pipe_does_not(champion: None) -> None:
    asked = [sys.executable, "-m", "tasks", "worst", "churn", "--window", "2026-01-12"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ours, theirs = pty.openpty()
    subprocess.run([*asked, "--rows", "3"], stdout=theirs, check=True, env=env)
    shown = os.read(ours, 1 << 16).decode()
    assert shown.count(f"{MARKER}-12-") == 3
    assert [look.shown for look in looks()] == ["on a terminal"]
    env["FORCE_COLOR"] = "1"
    piped = subprocess.run(asked, capture_output=True, env=env)
    assert (piped.returncode, piped.stdout) == (1, b"")


def test_rows_do_not_go_into_a_pipe_unasked(champion: None) -> None:
    refused = run("worst", "churn", "--window", "2026-01-12")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "standard output is no terminal" in refused.stderr
    assert looks() == []


def test_what_cannot_be_recorded_is_not_shown(
    champion: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("worst", "churn", "--window", "2026-01-12", "--to", "rows.jsonl")
    with Ledger.open()._engine.begin() as link:
        link.exec_driver_sql(
            "create trigger no_room before insert on looks begin select raise(fail, 'full'); end"
        )
    done = run(*asked)
    assert done.exit_code == 1
    assert not Path("rows.jsonl").exists()
    refused = run(*asked, "--who", "a\nb")
    assert "who looks: holds the character U+000A" in refused.stderr
    assert not Path("rows.jsonl").exists()


def test_a_file_that_cannot_be_written_is_left_whole_as_it_was(
    champion: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("rows.jsonl").write_text("before")
    monkeypatch.setattr(os, "replace", _refused)
    done = run("worst", "churn", "--window", "2026-01-12", "--to", "rows.jsonl")
    assert done.exit_code == 1
    assert Path("rows.jsonl").read_text() == "before"
    assert not list(Path().glob("*.partial*"))


def _refused(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_window_before_the_first_champion_is_named(champion: None) -> None:
    with pytest.raises(NoScoredRows, match=r"had no champion for \[2026-01-02"):
        looking.worst(MODEL, window(2), by="margin", at_most=5)


def test_a_key_cannot_move_the_cursor_of_a_terminal() -> None:
    from tasks.cli.worst_command import _cells

    row = DescribedRow(
        key="\x1b[2Jkey[red]", margin=1.0, decided="1", loss=None, contributions={}, columns={}
    )
    assert _cells(row)[0] == "�[2Jkey\\[red]"


def test_a_class_that_is_newer_than_the_champion_has_no_loss(champion: None) -> None:
    newer = {**flow.SPEC, "label": {"column": "y", "classes": [0, 1, 2]}}
    flow.land(12, y=np.r_[flow.rows(12)["y"][:299], 2])
    found = looking.worst(ModelSpec.model_validate(newer), window(12), by="loss", at_most=300)
    assert len(found.rows) == 299
    assert {row.decided for row in found.rows} == {"0", "1"}
