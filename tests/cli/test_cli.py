"""The command line: exit codes and what it says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
import sqlalchemy as sa
import yaml
from pydantic import BaseModel

from tasks.ledger.ledger import Ledger
from tasks.spec.gate_options import Gate
from tasks.spec.model import ModelSpec
from tasks.spec.policy_options import Effect
from tests.support.terminal import CHURN, run


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


def words(part: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield (YAML path, word) for each option that takes one of a few fixed words."""
    for name, field in part.model_fields.items():
        for kind in (field.annotation, *get_args(field.annotation)):
            if get_origin(kind) is Literal:
                yield from ((prefix + name, word) for word in get_args(kind))
            elif isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not Gate:
                yield from words(kind, f"{prefix}{name}.")


def test_options_names_every_word_that_an_option_takes(models: Path) -> None:
    lines = [line for line in run("options").stdout.splitlines() if "| `" in line]
    meaning = {line.split("`")[1]: line.split("|")[3] for line in lines}
    taken = [*words(ModelSpec), *words(Gate, "gates.<metric>.")]
    assert ("training.estimator", "sgd_hinge") in taken
    missing = [(path, word) for path, word in taken if f"`{word}`" not in meaning[path]]
    assert not missing


def test_options_writes_a_default_as_yaml_does(models: Path) -> None:
    shown = dict(line.split(" | ")[:2] for line in run("options").stdout.splitlines())
    assert shown["| `window.catchup`"] == "false"
    assert shown["| `scoring.on`"] == "[window]"


def test_the_module_runs_as_a_program(models: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tasks", "status", "nobody"]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "there are: churn" in result.stderr


def test_the_page_of_the_spec_lists_every_option_as_the_command_prints_them() -> None:
    page = (Path(__file__).parents[2] / "docs/spec.md").read_text()
    listed = page.partition("<!-- python -m tasks options -->\n")[2].partition("<!-- end -->")[0]
    assert listed == run("options").stdout
