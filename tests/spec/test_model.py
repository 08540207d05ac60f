"""The model spec, from real YAML files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import chain, combinations
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.spec import spec_files
from tasks.spec.gate_options import Gate
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError, parse_duration
from tasks.spec.spec_files import load_spec
from tests.conftest import CHURN

ROOT = Path(__file__).resolve().parents[2]
MISSING = object()


def write(folder: Path, changes: dict[str, object], order: int = 1) -> Path:
    """Write churn.yaml; the keys of `changes` are YAML paths, `order` -1 reverses every mapping."""
    raw = {k: dict(v) if isinstance(v, dict) else v for k, v in CHURN.items()}
    for path, value in changes.items():
        *parts, last = path.split(".")
        place = raw
        for part in parts:
            place = place.setdefault(part, {})
        if value is MISSING:
            del place[last]
        else:
            place[last] = value

    turned = {k: dict([*v.items()][::order]) if isinstance(v, dict) else v for k, v in raw.items()}
    file = folder / "churn.yaml"
    file.write_text(yaml.safe_dump(dict([*turned.items()][::order]), sort_keys=False))
    return file


def test_a_duration_is_a_whole_number_and_a_unit() -> None:
    assert parse_duration("30m") == timedelta(minutes=30)
    assert parse_duration("12h") == timedelta(hours=12)
    assert parse_duration("7d") == timedelta(days=7)
    assert parse_duration("2w") == timedelta(days=14)


@pytest.mark.parametrize("text", ["", "7", "d", "1.5h", "-1d", "1 d", "1y", "1d\n", 7])
def test_anything_else_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="whole number and a unit"):
        parse_duration(text)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_a_formatted_duration_reads_back_as_itself(minutes: int) -> None:
    span = timedelta(minutes=minutes)
    assert parse_duration(spec_files.format_duration(span)) == span


def test_what_is_left_out_takes_its_default(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, {"window.min_rows": MISSING}))
    assert spec.window.min_rows == 200
    assert spec.window.timezone == "UTC"
    assert (spec.latch.open.breaches, spec.latch.open.of, spec.latch.close.steady) == (2, 3, 3)
    assert (spec.drift.ks.effect, spec.drift.confirm) == (0.10, "if_labelled")
    assert spec.approval.retrain == spec.approval.promote == "human"
    assert [name for name, _ in spec.gates.declared()] == ["hinge_loss"]


def test_the_electricity_model_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATELATCH_MODELS", raising=False)
    assert spec_files.find("electricity").model == "electricity"


def test_the_digest_is_the_same_for_another_layout(tmp_path: Path) -> None:
    rest = {"latch": {"rest": "14d"}}
    same = {"window.every": "24h", "training.window": "120h", "latch": {"rest": "2w"}}
    plain = load_spec(write(tmp_path, rest)).digest
    assert load_spec(write(tmp_path, rest, order=-1)).digest == plain
    assert load_spec(write(tmp_path, same)).digest == plain
    start = {"window.start": "2026-01-01T01:00:00+01:00"}
    assert load_spec(write(tmp_path, {**rest, **start})).digest == plain


@pytest.mark.parametrize(
    "change",
    [
        {"drift.ks.effect": 0.11},
        {"features.numeric": ["z", "x"]},
        {"label.classes": ["0", "1"]},
        {"expectations": [{"type": "expect_x", "column": "x"}]},
        {"gates.hinge_loss.at_most": 0.5},
    ],
)
def test_the_digest_differs_for_another_meaning(tmp_path: Path, change: dict[str, object]) -> None:
    changed = load_spec(write(tmp_path, change)).digest
    assert changed != load_spec(write(tmp_path, {})).digest


MISTAKES: dict[str, tuple[dict[str, object], list[str]]] = {
    "unknown": ({"source.tiem": "t"}, ["source.tiem: unknown option", "did you mean `time`?"]),
    "unknown part": ({"latches": {}}, ["latches: unknown option", "did you mean `latch`?"]),
    "like its part": ({"label.label": "y"}, ["label.label: unknown", "known: column, classes"]),
    "missing": ({"source.key": MISSING}, ["source.key: missing; add it (column that names a row"]),
    "negative": ({"drift.ks.effect": -0.1}, ["drift.ks.effect: -0.1:", "greater than 0", "(the l"]),
    "approvers": ({"owner.approvers": []}, ["owner.approvers is empty", "name at least one user"]),
    "nobody rolls back": (
        {
            "owner.approvers": [],
            "approval.retrain": "automatic",
            "approval.promote": "automatic",
        },
        ["owner.approvers is empty", "or set approval.rollback: automatic"],
    ),
    "two sources": (
        {"source.table": "t"},
        ["source: give one of `path` (files), `table` (SQL) and `delta` (Delta Lake)"],
    ),
    "two label sources": (
        {"label.source": {"path": "a", "table": "b"}},
        ["label.source: give one of `path` (files), `table` (SQL) and `delta` (Delta Lake)"],
    ),
    "label table": (
        {"label.source": {"table": "outcomes"}},
        ["label.source: `table` needs `database`: the name of an environment variable"],
    ),
    "label source": (
        {"label.source": {"path": "a", "time": "t"}},
        ["label.source.time: unknown option", "known: path, table, database, delta, key, column"],
    ),
    "delay": ({"label.delay": "soon"}, ["label.delay: 'soon':", "2w (event time from a window"]),
    "leak": ({"label.column": "x"}, ["label.column 'x' must not be a feature", "take it out"]),
    "breaches": (
        {"latch.open": {"breaches": 4, "of": 3}},
        ["latch.open: `breaches` 4 exceeds `of` 3", "raise `of`"],
    ),
    "zone": ({"window.timezone": "Berlin"}, ["window.timezone: 'Berlin':", "Europe/Berlin"]),
    "duration": ({"window.every": "1 day"}, ["window.every: '1 day':", "30m, 12h, 7d or 2w"]),
    "number": ({"window.start": 20260101}, ["window.start: 20260101:", "such as 2026-01-31"]),
    "end": ({"window.end": "2025-01-01"}, ["window: `end` 2025-01-01", "not after", "move one"]),
    "classes": ({"label.classes": [0, "0"]}, ["label.classes: [0, '0']: each class once"]),
    "gate": ({"gates.hinge_loss": {}}, ["gates.hinge_loss: give one of `better_than`, `not_w"]),
    "recall": ({"gates.per_class_recall": {"at_most": 0.9}}, ["recall: more is better: give `at_"]),
    "at least": ({"gates.brier": {"at_least": 0.9}}, ["gates: brier: less is better: give `at_m"]),
    "bound": (
        {"gates.hinge_gap": {"better_than": "champion"}},
        ["gates.hinge_gap: takes `at_most` alone"],
    ),
    "costs": ({"gates.costs": [[0, 1, 2]]}, ["gates.costs has to have 2 rows of 2 columns"]),
    "no costs": ({"gates.cost": {"at_most": 1}}, ["gates: `cost` needs `costs`: one row for"]),
    "slice": (
        {"gates.slices": {"over": [{"column": "x", "values": [1], "edges": [2]}]}},
        ["gates.slices.over.0: give `values` or `edges`, not both"],
    ),
    "edges": (
        {"gates.slices": {"over": [{"column": "x", "edges": [2, 1]}]}},
        ["gates.slices.over.0: `edges` rise, each once"],
    ),
    "tag": ({"tags": ["eu", "eu"]}, ["tags: ['eu', 'eu']: 'eu' is there twice; write it once"]),
    "name": ({"model": "other"}, ["model: 'other': differs from the file's name", "rename the"]),
}


@pytest.mark.parametrize(("changes", "parts"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_its_path_value_reason_and_remedy(
    tmp_path: Path, changes: dict[str, object], parts: list[str]
) -> None:
    file = write(tmp_path, changes)
    with pytest.raises(SpecError) as caught:
        load_spec(file)
    assert str(caught.value).startswith(f"{file}: 1 mistake(s)\n")
    assert [part for part in parts if part not in str(caught.value)] == []


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    changes = {"source": MISSING, "window.every": "soon", "drift.kss": {}}
    with pytest.raises(SpecError, match=r"3 mistake\(s\)") as caught:
        load_spec(write(tmp_path, changes))
    for path in ("source: missing; add it\n", "window.every: 'soon'", "did you mean `ks`"):
        assert path in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"model: churn\nowner: [a\n", "not valid YAML at line 3, column 1"),
        (b"a: b: c\n", "not valid YAML at line 1, column 5"),
        (b"- churn\n", "expected a mapping with `model:`"),
        (b"", "expected a mapping with `model:`"),
        (b"model: \xff\n", "byte 7 is not UTF-8; save it as UTF-8"),
    ],
)
def test_a_file_that_is_no_mapping_says_where(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "churn.yaml"
    file.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        load_spec(file)
    assert str(caught.value).startswith(f"{file}: {reason}")


def test_a_missing_model_names_those_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {})
    monkeypatch.setenv("GATELATCH_MODELS", str(tmp_path))
    with pytest.raises(SpecError, match=r"no model 'chrun' in .*; there are: churn$"):
        spec_files.find("chrun")


def test_a_gate_has_exactly_one_meaning() -> None:
    said = {"better_than": "champion", "not_worse_than": "champion", "by": 0.02, "at_most": 0.3}
    good = [{"better_than"}, {"not_worse_than", "by"}, {"at_most"}]
    for names in chain.from_iterable(combinations(said, size) for size in range(len(said) + 1)):
        parts = {name: said[name] for name in names}
        if set(names) in good:
            assert Gate.model_validate(parts).model_dump(exclude_unset=True) == parts
        else:
            with pytest.raises(ValidationError, match=r"give one of|go together"):
                Gate.model_validate(parts)


def test_a_start_without_a_time_is_local_midnight(spec: Callable[..., ModelSpec]) -> None:
    berlin = spec(window={"start": "2026-07-01", "timezone": "Europe/Berlin"})
    assert berlin.window.start == datetime(2026, 6, 30, 22, tzinfo=UTC)
    fixed = spec(window={"start": "2026-07-01T00:00:00Z", "timezone": "Europe/Berlin"})
    assert fixed.window.start == datetime(2026, 7, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("label", "late"),
    [({}, False), ({"delay": "0d"}, False), ({"delay": "1h"}, True), ({"source.path": "a"}, True)],
)
def test_labels_are_late_if_they_have_a_delay_or_a_source(
    tmp_path: Path, label: dict[str, object], late: bool
) -> None:
    spec = load_spec(write(tmp_path, {f"label.{name}": value for name, value in label.items()}))
    assert spec.label.late == late


def test_a_weight_is_a_column_of_the_rows(spec: Callable[..., ModelSpec]) -> None:
    assert spec(source={"weight": "w", "margin": "f"}).columns == ("time", "id", "x", "z", *"yfw")


def test_every_option_explains_itself() -> None:
    assert [path for path, _, meaning in spec_files.options() if not meaning] == []


def test_importing_spec_and_windows_stays_light() -> None:
    heavy = ["pandas", "numpy", "sklearn", "mlflow", "great_expectations"]
    code = "import sys, tasks.spec.model, tasks.spec.windows; "
    code += f"print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
