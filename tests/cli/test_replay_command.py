"""The command replay: a file or a spec played from the terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.replay.test_past_rows import land
from tests.support import past
from tests.support.terminal import run


@pytest.fixture
def landed(models: Path) -> Path:
    """Return a CSV of hours whose labels turn round with hour 14."""
    columns = past.rows(2400, hourly=100)
    columns["y"][1400:] = 1 - columns["y"][1400:]
    return Path(land(models, columns, "rows.csv"))


def replay(file: Path, *words: str) -> Result:
    usual = ("--time", "time", "--label", "y", "--window", "1h", "--ignore", "id")
    few = ("--set", "window.min_rows=50", "--set", "latch.rest=2h")
    return run("replay", "--data", str(file), *usual, *few, *words)


def test_a_file_is_replayed_without_any_spec(landed: Path) -> None:
    told = landed.parent / "told.json"
    plots = [landed.parent / f"plot.{kind}" for kind in ("svg", "png", "pdf")]
    result = replay(landed, "--json", str(told), "--plot", str(plots[0]))
    assert result.exit_code == 0, result.stderr
    for words in ("16 windows of 1h", "windows a second", "2026-01-01", "gatelatch", "oracle 1"):
        assert words in result.stdout
    report = json.loads(told.read_text())
    assert report["schema"] == "gatelatch.replay/1"
    assert report["settings"] == {"window.min_rows": 50, "latch.rest": "2h"}
    assert len(report["windows"]) == report["range"]["windows"] == 16
    assert [w["verdict"] for w in report["windows"]][5:8] == ["steady", "drifting", "drifting"]
    (retrain,) = report["retrains"]
    assert (retrain["at"], retrain["version"]) == ("2026-01-01T17:00:00+00:00", 2)
    assert retrain["span"] == "since the breach"
    assert retrain["accuracy_new"] > retrain["accuracy_old"]
    ours, never, *_ = report["policies"]
    assert (ours["name"], ours["retrains"], ours["false_alarms"]) == ("gatelatch", 1, 0)
    assert ours["gain_per_retrain"] == pytest.approx(100 * (ours["accuracy"] - never["accuracy"]))
    assert (never["name"], never["gain_per_retrain"]) == ("never", None)
    assert plots[0].read_text().startswith("<?xml")
    assert replay(landed, "--plot", str(plots[1])).exit_code == 0
    assert replay(landed, "--plot", str(plots[2])).exit_code == 0
    assert plots[1].read_bytes()[1:4] == b"PNG"
    assert plots[2].read_bytes()[:4] == b"%PDF"
    again = plots[0].read_bytes()
    replay(landed, "--plot", str(plots[0]))
    assert plots[0].read_bytes() == again


def test_the_json_of_a_replay_goes_to_stdout_and_its_page_names_every_field(landed: Path) -> None:
    result = replay(
        landed, "--json", "-", "--set", "slo.window=6", "--sweep", "latch.open.breaches=1,3"
    )
    report = json.loads(result.stdout)
    assert [p["settings"] for p in report["sweep"]] == [
        {"latch.open.breaches": 1},
        {"latch.open.breaches": 3},
    ]
    assert "latch.open.breaches=3" in result.stderr
    assert re.search(r"over 6 windows\) would have paged: (never|20\d\d-)", result.stderr)
    page = (Path(__file__).parents[2] / "docs/replay.md").read_text()
    fields: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            fields.update(name for name in value if "." not in name)
            value = list(value.values())
        for item in value if isinstance(value, list) else []:
            walk(item)

    walk(report)
    assert len(fields) > 45
    assert [name for name in sorted(fields) if f"`{name}`" not in page] == []
    assert f"`{report['schema']}`" in page


def test_a_drafted_spec_can_be_saved_and_replayed_by_name(landed: Path) -> None:
    shown = replay(landed, "--show-spec")
    assert shown.exit_code == 0
    (landed.parent / "rows.yaml").write_text(shown.stdout)
    assert "rows.yaml: good" in run("check").stdout
    reports = [
        json.loads(result.stdout)
        for result in (replay(landed, "--json", "-"), run("replay", "rows", "--json", "-"))
    ]
    for report in reports:
        del report["settings"]
    assert [c["as"] for c in reports[0].pop("columns")] == ["numeric", "numeric", "left out"]
    assert reports[1].pop("columns") == []
    assert reports[0] == reports[1]
    path = str(landed.parent / "rows.yaml")
    short = ("--from", "2026-01-01T02:00", "--to", "2026-01-01T20:00", "--first", "6h")
    part = json.loads(run("replay", path, *short, "--oracle", "0", "--json", "-").stdout)
    assert part["range"] == {
        "start": "2026-01-01T02:00:00+00:00",
        "first": "2026-01-01T08:00:00+00:00",
        "end": "2026-01-01T20:00:00+00:00",
        "windows": 12,
        "stride": 1,
    }
    assert "oracle 1" not in [p["name"] for p in part["policies"]]


MISTAKES: dict[str, list[str]] = {
    "latch.opne: unknown option; did you mean `open`?": ["--set", "latch.opne.of=3"],
    "--set latch.rest: write path=value": ["--set", "latch.rest"],
    "--sweep drift.ks.effect=-1: 1 mistake(s)": ["--sweep", "drift.ks.effect=-1,0.2"],
    "the first champion takes all of them (99h)": ["--first", "99h"],
    "--first soon: write a whole number and a unit": ["--first", "soon"],
    "no whole window of 1h lies in": ["--to", "2026-01-01T00:30"],
    "is not before": ["--from", "2030-01-01", "--to", "2029-01-01"],
    "end the name in .svg, .png or .pdf": ["--plot", "plot.gif"],
    "the folder does not exist; create it": ["--json", "absent/told.json"],
    "--ignore moon: ": ["--ignore", "moon"],
    "--from 0001-01-01 00:00:00+00:00: outside 1700-01-01": ["--from", "0001-01-01"],
    "--to 9999-12-31 00:00:00+00:00: outside 1700-01-01": ["--to", "9999-12-31"],
    "--first 999999999w: longer than a hundred years": ["--first", "999999999w"],
    "--first 0d: shorter than a minute; write 1m at least": ["--first", "0d"],
    "window.every: '0m': shorter than a minute": ["--set", "window.every=0m"],
    "--set latch.rest=&a [*a]: the value is not YAML": ["--set", "latch.rest=&a [*a]"],
    "latch.rest=2026-02-30: (whole file): '2026-02-30' is no": ["--set", "latch.rest=2026-02-30"],
    "deeper than 24 parts; a spec has no such": ["--set", f"{'a.' * 3000}b=1"],
    "more than 1000 combinations": ["--sweep", f"drift.ks.effect={','.join(['0.1'] * 1001)}"],
}


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_in_a_replay_is_named_with_a_way_out(landed: Path, message: str) -> None:
    result = replay(landed, *MISTAKES[message])
    assert (result.exit_code, message in result.stderr) == (1, True), result.stderr
    assert result.stdout == ""


def test_a_replay_without_a_spec_or_with_half_of_one_says_what_to_name(landed: Path) -> None:
    for words, message in (
        ([], "name a model spec, or a file with --data"),
        (["--data", str(landed), "--time", "time"], "it needs --label, --window as well"),
        (["churn", "--data", str(landed)], "give either the model spec churn or --data"),
        (["churn", "--label", "y"], "go with --data only; use --set"),
        (["chrun"], "there are: churn"),
        (["absent.yaml"], "absent.yaml: cannot be read"),
    ):
        result = run("replay", *words)
        assert (result.exit_code, message in result.stderr) == (1, True), result.stderr


def test_labels_of_one_class_cannot_be_replayed(models: Path) -> None:
    columns = past.rows(2000, hourly=100)
    columns["y"][:900] = 1
    result = replay(Path(land(models, columns)))
    assert (result.exit_code, "begin elsewhere with --from" in result.stderr) == (1, True)
