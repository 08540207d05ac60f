"""One file for node_exporter: whole, named so that it is read, and honest about a blind ledger."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tasks.__main__ import app
from tasks.ledger.ledger import Ledger
from tests.support.forging import version
from tests.support.prometheus import promtool_says
from tests.views.test_exposition import models as models


def write(path: Path, *options: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["metrics", "--textfile", str(path), *options])
    return done.exit_code, done.output


def test_the_file_holds_what_stands_now_and_nothing_is_left_beside_it(
    ledger: Ledger, models: Path, tmp_path: Path
) -> None:
    version(ledger, 1)
    folder = tmp_path / "node"
    folder.mkdir()
    for _ in range(2):
        assert write(folder / "gatelatch.prom") == (0, "")
    assert [path.name for path in folder.iterdir()] == ["gatelatch.prom"]
    page = (folder / "gatelatch.prom").read_text()
    assert 'gatelatch_champion_version{model="churn"} 1.0' in page
    assert "process_" not in page
    assert promtool_says(page) == ""


@pytest.mark.parametrize(("options", "state"), [((), "intact"), (("--check-every", "0"), "unseen")])
def test_the_chains_are_looked_at_before_it_is_written_unless_nobody_shall(
    ledger: Ledger, models: Path, tmp_path: Path, options: tuple[str, ...], state: str
) -> None:
    version(ledger, 1)
    assert write(tmp_path / "gatelatch.prom", *options) == (0, "")
    page = (tmp_path / "gatelatch.prom").read_text()
    assert f'gatelatch_chain_state{{model="churn",state="{state}"}} 1.0' in page


def test_aliases_are_refused_where_nobody_says_where_mlflow_is(
    ledger: Ledger, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    code, told = write(tmp_path / "gatelatch.prom", "--aliases")
    assert (code, "MLFLOW_TRACKING_URI" in told) == (1, True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    code, told = write(tmp_path / "gatelatch.prom", "--aliases", "--check-every", "0")
    assert (code, "--check-every 0" in told) == (1, True)


def test_a_ledger_that_is_not_read_ends_with_an_error_and_a_file_that_says_so(
    models: Path, tmp_path: Path
) -> None:
    code, told = write(tmp_path / "gatelatch.prom")
    assert (code, "says gatelatch_ledger_up 0" in told) == (1, True)
    assert "gatelatch_ledger_up 0.0" in (tmp_path / "gatelatch.prom").read_text()


@pytest.mark.parametrize(
    ("name", "told"),
    [("gatelatch.txt", "end in .prom"), ("gone/gatelatch.prom", "its folder is not there")],
)
def test_a_file_that_nobody_would_read_is_refused_in_words(
    ledger: Ledger, models: Path, tmp_path: Path, name: str, told: str
) -> None:
    code, said = write(tmp_path / name)
    assert (code, told in said) == (1, True)
    assert not list(tmp_path.glob("gate*"))
