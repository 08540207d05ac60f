"""The command rehearse: its table, JSON and page, and what its docs say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tasks.rehearsal.rehearsal_page import rehearsal_html
from tasks.rehearsal.rehearsed import load_rehearsal
from tasks.rehearsal.scenarios import SCENARIOS
from tests.replay.test_past_rows import land
from tests.support import past
from tests.support.terminal import run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/rehearsal.md").read_text()
pytestmark = pytest.mark.filterwarnings("ignore:Liblinear failed to converge")


@pytest.fixture
def landed(models: Path) -> Path:
    """Return a CSV of hours in which nothing happens."""
    return Path(land(models, past.rows(40 * 200, hourly=200), "rows.csv"))


def rehearse(file: Path, *words: str) -> Result:
    usual = ("--time", "time", "--label", "y", "--window", "1h", "--ignore", "id")
    few = ("--set", "window.min_rows=50", "--stretches", "1", "--windows", "12")
    return run("rehearse", "--data", str(file), *usual, *few, *words)


def test_incidents_are_rehearsed_on_a_file_and_told_on_80_columns(landed: Path) -> None:
    told, page = landed.parent / "told.json", landed.parent / "page.html"
    words = ("--scenario", "scaled", "--scenario", "swapped", "--scenario", "outage")
    result = rehearse(landed, *words, "--json", str(told), "--html", str(page))
    assert result.exit_code == 0, result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 80
    for sentence in ("scaled", "1/1", "blind spots", "drift.false_alarms_per_year=4 closes it"):
        assert sentence in result.stdout
    raw = json.loads(told.read_text())
    found = load_rehearsal(raw)
    assert found.settings == {"window.min_rows": 50}
    assert [line.scenario for line in found.lines] == ["scaled", "swapped", "outage"]
    assert page.read_text() == rehearsal_html(found)
    strict = rehearse(landed, "--scenario", "swapped", "--strict")
    assert strict.exit_code == 2
    assert rehearse(landed, "--scenario", "outage", "--strict").exit_code == 0


def test_the_page_loads_nothing_and_its_text_is_escaped(landed: Path) -> None:
    page = landed.parent / "page.html"
    words = ("--scenario", "swapped", "--try", 'tags=["<b>x</b>"]', "--html", str(page))
    result = rehearse(landed, *words)
    assert result.exit_code == 0, result.stderr
    html = page.read_text()
    assert "tags=[&#34;&lt;b&gt;x&lt;/b&gt;&#34;]" in html
    assert not re.search(r"(src|href|url)\s*[=(]", html)
    assert "<script" not in html


@pytest.mark.parametrize(
    ("words", "way_out"),
    [
        (("--scenario", "flood"), "--scenario flood: there is scaled"),
        (("--windows", "1000"), "widen --from and --to, or shorten --first or --windows"),
        (("--try", "latch.open"), "write path=value"),
        (("--try", "drift.nonsense=1"), "--try drift.nonsense"),
        (("--html", "/nowhere/page.html"), "the folder does not exist; create it"),
    ],
)
def test_what_cannot_be_rehearsed_says_the_way_out(
    landed: Path, words: tuple[str, ...], way_out: str
) -> None:
    result = rehearse(landed, *words)
    assert result.exit_code == 1
    assert way_out in result.stderr


def test_the_docs_name_every_incident_and_every_field(landed: Path) -> None:
    for scenario in SCENARIOS:
        assert f"| `{scenario.name}` | {scenario.sentence} |" in PAGE
    result = rehearse(landed, "--scenario", "labels_late", "--json", "-")
    fields: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            fields.update(name for name in value if "." not in name)
            value = [v for name, v in value.items() if name != "settings"]
        for item in value if isinstance(value, list) else []:
            walk(item)

    walk(json.loads(result.stdout))
    assert {name for name in fields if f"`{name}`" not in PAGE} == set()


def test_the_docs_hold_what_the_command_prints_of_electricity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)  # the digest of a spec covers the path
    words = ["--time", "timestamp", "--label", "price_up", "--window", "7d", "--first", "140d"]
    data = "data/electricity.parquet"
    names = [w for n in ("dead", "labels_gone", "outage") for w in ("--scenario", n)]
    result = run("rehearse", "--data", data, *words, *names)
    assert result.exit_code == 0, result.stderr
    first, second, third, *lines = result.stdout.splitlines()
    assert max(map(len, result.stdout.splitlines())) <= 80
    told = [line for line in lines if re.match(r"(dead|labels_gone|outage) ", line)]
    assert len(told) == 3
    page = [line.split() for line in PAGE.splitlines()]
    for line in (first, second, third, *told):
        assert line.split() in page
