"""The command line: exit codes and what it says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import sqlalchemy as sa
import yaml
from pydantic import BaseModel
from typer.testing import CliRunner, Result

from tasks.__main__ import app
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Observation, Proposal
from tasks.spec.gate_options import Gate
from tasks.spec.model import ModelSpec
from tasks.spec.policy_options import Effect
from tests.replay.test_history import land
from tests.support import past

CHURN: dict[str, Any] = {
    "model": "churn",
    "owner": {"name": "team", "approvers": ["ada"]},
    "source": {"path": "unused", "time": "time", "key": "id"},
    "window": {"every": "1d", "start": "2026-01-01"},
    "features": {"numeric": ["x"]},
    "label": {"column": "y", "classes": [0, 1]},
    "training": {"window": "5d"},
}


def day(number: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number - 1)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def models(stores: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GATELATCH_MODELS", str(stores))
    monkeypatch.setenv("COLUMNS", "200")
    (stores / "churn.yaml").write_text(yaml.safe_dump(CHURN))
    return stores


@pytest.fixture
def told(models: Path) -> Ledger:
    """Return the ledger with a champion, a steady, a drifting and a broken window, a proposal."""
    ledger = Ledger.open()
    move: dict[str, Any] = {"version": 1, "expected": None, "by": "ada", "reason": "bootstrap"}
    ledger.promote("churn", "boot", effective_from=day(1), **move)
    verdicts = [("steady", 0.25), ("drifting", 1.5), ("insufficient", None)]
    for number, (verdict, pressure) in enumerate(verdicts, 1):
        figures = {"accuracy": 0.875} if number == 1 else {}
        seen = Observation(
            model="churn",
            version=1,
            window_start=day(number),
            window_end=day(number + 1),
            spec_digest="spec",
            data_digest="data",
            verdict=verdict,
            reason=f"why {verdict}",
            pressure=pressure,
            figures=figures,
        )
        ledger.observe(seen)
    name = "churn.v1.20260102T0000.1"
    asked = Proposal(
        model="churn",
        proposal=name,
        kind="retrain",
        reason="drift",
        episode=None,
        champion=1,
        trained_from=day(1),
        trained_until=day(4),
        proposer="otto",
        spec_digest="spec",
    )
    ledger.propose(asked)
    return ledger


def test_good_specs_pass_the_check(models: Path) -> None:
    result = run("check")
    assert result.exit_code == 0
    assert "churn.yaml: good, digest " in result.stdout


def test_a_bad_spec_fails_the_check_and_every_mistake_is_named(models: Path) -> None:
    bad = models / "bad.yaml"
    parts = {"model": "bad", "window": {"every": "1 day", "start": "2026-01-01"}, "labels": 1}
    bad.write_text(yaml.safe_dump(CHURN | parts))
    result = run("check")
    assert result.exit_code == 1
    for words in ("bad.yaml: 2 mistake(s)", "window.every: '1 day'", "did you mean `label`?"):
        assert words in result.stderr
    assert "churn.yaml: good" in result.stdout
    assert run("check", str(models / "churn.yaml")).exit_code == 0


def test_a_bad_expectation_fails_the_check(models: Path) -> None:
    wrong = [{"type": "expect_column_values_to_be_betwen", "column": "x"}]
    (models / "churn.yaml").write_text(yaml.safe_dump(CHURN | {"expectations": wrong}))
    result = run("check")
    assert result.exit_code == 1
    assert "expect_column_values_to_be_between" in result.stderr


def test_the_check_compares_approvers_with_the_users_that_airflow_lists(models: Path) -> None:
    listed = models.parent / "users.json"
    listed.write_text('[warning  ] noise\n[{"id": "1", "username": "ada", "roles": ["Admin"]}]\n')
    result = run("check", "--users", str(listed))
    assert result.exit_code == 1
    assert 'owner.approvers: ada: known by another id; write "1:ada"' in result.stderr
    named = CHURN | {"owner": {"name": "team", "approvers": ["1:ada"]}}
    (models / "churn.yaml").write_text(yaml.safe_dump(named))
    assert run("check", "--users", str(listed)).exit_code == 0
    listed.write_text("no users")
    assert "airflow users list --output json" in run("check", "--users", str(listed)).stderr


def test_a_missing_file_or_an_empty_folder_fails_the_check(models: Path) -> None:
    result = run("check", str(models / "absent.yaml"))
    assert (result.exit_code, "cannot be read" in result.stderr) == (1, True)
    (models / "churn.yaml").unlink()
    result = run("check")
    assert (result.exit_code, "set GATELATCH_MODELS" in result.stderr) == (1, True)


def test_status_shows_windows_proposals_and_promotions(told: Ledger) -> None:
    result = run("status", "churn")
    assert result.exit_code == 0
    words = result.stdout.split()
    for expected in ("2026-01-02", "drifting", "1.50", "0.88", "insufficient", "live", "bootstrap"):
        assert expected in words
    assert "churn  champion: version 1  latch: " in result.stdout
    assert "2026-01-01" not in run("status", "churn", "--windows", "1").stdout.split("proposals")[0]


def test_status_as_json_can_be_read_by_a_machine(told: Ledger) -> None:
    state = json.loads(run("status", "churn", "--json").stdout)
    assert (state["model"], state["champion"]) == ("churn", 1)
    assert [w["pressure"] for w in state["windows"]] == [0.25, 1.5, None]
    assert [w["verdict"] for w in state["windows"]] == ["steady", "drifting", "insufficient"]
    assert [p["live"] for p in state["proposals"]] == [True]


def test_status_says_what_to_do_if_nothing_can_be_said_of_window_after_window(told: Ledger) -> None:
    assert json.loads(run("status", "churn", "--json").stdout)["advice"] is None
    for number in range(4, 11):
        seen = Observation(
            model="churn",
            version=1,
            window_start=day(number),
            window_end=day(number + 1),
            spec_digest="spec",
            data_digest="data",
            verdict="insufficient",
            reason="few rows",
            pressure=None,
            figures={"accepted": 40, "labelled": 0, "statistics": []},
        )
        told.observe(seen)
    advice = json.loads(run("status", "churn", "--json").stdout)["advice"]
    assert advice.startswith("the last 8 windows say nothing: they hold 40 rows, and")
    assert f"to do: {advice}" in " ".join(run("status", "churn").stdout.split())


def test_status_of_a_new_model_says_how_to_begin(models: Path) -> None:
    result = run("status", "churn")
    assert result.exit_code == 0
    assert "champion: none yet" in result.stdout
    assert "trigger the DAG retrain.churn with reason 'bootstrap'" in result.stdout


@pytest.mark.parametrize("words", [["status"], ["withdraw", "p", "--reason", "r", "--by", "ada"]])
def test_an_unknown_model_names_those_there_are(models: Path, words: list[str]) -> None:
    result = run(words[0], "chrun", *words[1:])
    assert result.exit_code == 1
    assert "no model 'chrun'" in result.stderr
    assert "there are: churn" in result.stderr


@pytest.mark.parametrize(
    ("by", "reason", "message"),
    [
        ("a" * 251, "why", "who withdraws it: 251 characters; write 1 to 250"),
        ("a\nb", "why", "who withdraws it: holds the character U+000A"),
        ("ada", "x" * 2001, "the reason has 2001 characters; write 1 to 2000"),
        ("ada", "a\0b", "the reason holds the character U+0000; write it without"),
        ("ada", "\udcff", "the reason holds the character U+DCFF; write it without"),
    ],
)
def test_what_the_ledger_cannot_hold_is_refused_by_a_sentence(
    told: Ledger, by: str, reason: str, message: str
) -> None:
    name = "churn.v1.20260102T0000.1"
    result = run("withdraw", "churn", name, "--reason", reason, "--by", by)
    assert (result.exit_code, message in result.stderr) == (1, True), result.stderr
    assert told.decisions("churn") == []


def test_the_check_names_what_it_did_not_read_and_a_folder_that_is_none(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (models / "other.yml").write_text("model: other")
    result = run("check")
    assert (result.exit_code, "churn.yaml: good" in result.stdout) == (1, True)
    assert "other.yml: not read, as its name does not end in .yaml; rename it" in result.stderr
    monkeypatch.setenv("GATELATCH_MODELS", str(models / "gone"))
    result = run("check")
    assert (result.exit_code, "cannot be read: No such file" in result.stderr) == (1, True)


def test_a_withdrawn_proposal_is_no_longer_live(told: Ledger) -> None:
    name = "churn.v1.20260102T0000.1"
    words = ["withdraw", "churn", name, "--reason", "run lost", "--by", "ada"]
    result = run(*words)
    assert (result.exit_code, result.stdout.strip()) == (0, f"{name} is withdrawn")
    state = json.loads(run("status", "churn", "--json").stdout)
    assert [p["live"] for p in state["proposals"]] == [False]
    decision = {"step": "withdraw", "answer": "withdrawn", "by": "ada", "comment": "run lost"}
    assert state["proposals"][0]["decisions"] == [decision]
    assert state["latch"]["state"] == "closed"  # who proposed it was no episode
    again = run(*words)
    assert (again.exit_code, "live: none" in again.stderr) == (1, True)


def test_what_people_wrote_is_not_read_as_markup(told: Ledger) -> None:
    words = ["churn", "churn.v1.20260102T0000.1", "--reason", "r", "--by", "[red]ada[/nobody]"]
    assert run("withdraw", *words).exit_code == 0
    result = run("status", "churn")
    assert result.exit_code == 0
    assert "[red]ada[/nobody]" in result.stdout


def test_init_twice_is_harmless(models: Path) -> None:
    for _ in range(2):
        result = run("init")
        assert (result.exit_code, result.stdout) == (0, "ledger, store and registry are ready\n")
    for name in ("ledger.db", "mlflow.db"):
        engine = sa.create_engine(f"sqlite:///{models / name}")
        assert len(sa.inspect(engine).get_table_names()) >= 5
        engine.dispose()


def paths(part: type[BaseModel], prefix: str = "") -> list[str]:
    """Return the YAML path of every option, found apart from `tasks.spec.spec_files.options`."""
    found: list[str] = []
    for name, field in part.model_fields.items():
        kinds = [field.annotation, *get_args(field.annotation)]
        models = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        many = get_origin(field.annotation) in (tuple, Literal)
        if not models or many or models == [Gate]:
            found.append(prefix + name)
        else:
            found += paths(models[0], f"{prefix}{name}.")
    return found


def test_options_covers_every_field_of_the_spec(models: Path) -> None:
    rows = [line.split("`")[1] for line in run("options").stdout.splitlines() if "| `" in line]
    assert len(rows) == len(set(rows))
    gates = [f"gates.<metric>.{name}" for name in Gate.model_fields]
    assert set(rows) >= {*paths(ModelSpec), *gates}
    assert {f"drift.ks.{name}" for name in Effect.model_fields} <= set(rows)


def test_the_module_runs_as_a_program(models: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tasks", "status", "nobody"]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "there are: churn" in result.stderr


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


def test_the_page_of_the_spec_lists_every_option_as_the_command_prints_them() -> None:
    page = (Path(__file__).parents[2] / "docs/spec.md").read_text()
    listed = page.partition("<!-- python -m tasks options -->\n")[2].partition("<!-- end -->")[0]
    assert listed == run("options").stdout
