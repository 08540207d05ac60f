"""Thousands of mutated specs beside a healthy one: none of them costs it its DAGs."""

from __future__ import annotations

import json
import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops import stack
from tasks import bounds
from tasks.spec import spec_files, spec_yaml
from tasks.spec.part import SpecError
from tests.conftest import CHURN
from tests.support.in_airflow import python

ROOT = Path(__file__).resolve().parents[2]
ELECTRICITY = (ROOT / "models" / "electricity.yaml").read_text()
# Every part that the demo's spec leaves at its default.
WHOLE = """
model: bad
owner: {name: growth, approvers: [ada, "2:grace"]}
source: {path: "s3://rows/{date}/*.csv", time: at, key: id, weight: w, version_column: by}
window: {every: 1d, start: 2026-01-01T00:00:00+01:00, end: 2027-01-01, timezone: Europe/Berlin,
  grace: 2h, catchup: true, min_rows: 50}
features: {numeric: [x], categorical: [c], text: [t]}
label: {column: y, classes: ["no", "yes"], delay: 2d, source: {table: t, database: DB, key: k}}
expectations:
  - {type: expect_column_values_to_be_in_set, column: c, value_set: [a, b], mostly: 0.9}
validation: {max_quarantined: 0.2, fresh: 0.1, constant_feature: measure}
drift: {false_alarms_per_year: 2, ks: {effect: 0.2}, blind_at: 4, confirm: never,
  calibration: {effect: 0.1, false_alarms_per_year: 1, propose: true}}
latch: {open: {breaches: 2, of: 4}, close: {steady: 2, at: 0.5}, rest: 3d}
training: {estimator: sgd_hinge, window: 8w, weighting: none, regularisation: 0.5, judge: 0.3,
  seed: 1}
calibration: {method: isotonic, share: 0.2}
gates:
  error_rate: {not_worse_than: champion, by: 0.01, confidence: 0.9}
  cost: {at_most: 2}
  per_class_recall: {at_least: 0.1}
  costs: [[0, 1], [5, 0]]
  slices: {over: [{column: c, values: [a]}, {column: x, edges: [0.5, 1]}], metric: cost,
    min_rows: 9}
  may_separate: [x]
shadow: {windows: 2}
approval: {retrain: human, promote: automatic, rollback: human, timeout: 1d, proposer: eve}
"""
ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**17, -(2**53) - 1, 10**40, 1e308, -1e-320),
    *(float("nan"), float("inf"), "", " ", "a" * 101, "a" * 300, "a" * 5000, "é", "\u202e"),
    *("a\nb", "a\0b", "\x1b[31m", "\ud800", "{{ 1/0 }}", "../..", "a,b:admin", "null", "1e999"),
    *("0d", "1m", "36525d", "36526d", "999999999w", "9" * 30 + "m", "-1d", "inf", "nan"),
    *("0001-01-01", "1700-01-01", "2199-12-31T23:59:59Z", "9999-12-31T23:59:59-23:00", "20260101"),
    *("9999-12-31", "2026-02-30", "Pacific/Kiritimati", "localtime", "Factory", "UTC", "churn"),
    *([], {}, [[]], [None], {"": 1}, {1: 2}, {"a": {"b": {"c": []}}}, ["a"] * 300, [["a"]] * 5),
]


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value below, the containers themselves included."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in parts:
        yield (*at, key)
        if isinstance(part, dict | list):
            yield from _places(part, (*at, key))


def _change(raw: dict[str, Any], chance: random.Random) -> None:
    """Delete, replace, duplicate, swap, rename or wrap one value of a spec, in place."""
    way = chance.choice(list(_places(raw)))
    *above, last = way
    parent = raw
    for name in above:
        parent = parent[name]
    kind = chance.choice(["delete", "odd", "odd", "odd", "copy", "rename", "wrap", "stretch"])
    if kind == "delete":
        del parent[last]
    elif kind == "odd":
        parent[last] = deepcopy(chance.choice(ODD))
    elif kind == "copy":
        parent[last] = deepcopy(_at(raw, chance.choice(list(_places(raw)))))
    elif kind == "rename" and isinstance(parent, dict):
        parent[chance.choice(["x", "", "moedl", 5, None])] = parent.pop(last)
    elif kind == "wrap":
        for _ in range(chance.choice([1, 2, 40])):
            parent[last] = chance.choice([[parent[last]], {"a": parent[last]}])
    elif isinstance(parent[last], str | list):
        parent[last] = parent[last] * chance.choice([2, 50, 400])


def _at(raw: Any, way: tuple[Any, ...]) -> Any:
    for name in way:
        raw = raw[name]
    return raw


def _spoilt(text: str, chance: random.Random) -> bytes:
    """Return a text whose bytes are flipped, cut, repeated or mixed with YAML's own signs."""
    content = bytearray(text.encode())
    for _ in range(chance.choice([1, 1, 3, 30])):
        at = chance.randrange(len(content) + 1)
        kind = chance.choice(["flip", "cut", "sign", "again", "line"])
        if kind == "flip" and at < len(content):
            content[at] ^= 1 << chance.randrange(8)
        elif kind == "cut":
            del content[at : at + chance.choice([1, 5, 200])]
        elif kind == "sign":
            signs = [b"&a ", b"*a", b"<<: *a", b"!!binary ", b"!!python/name:os.system ", b"? "]
            signs += [
                b"[",
                b"}",
                b"- ",
                b": ",
                b"|",
                b"%",
                b"\t",
                b"---\n",
                b"!!set ",
                b'"\\ud800"',
            ]
            signs += [b"&r [*r]", b"0x" + b"f" * 60, b"1:1:1", b"=", b"!!int ", b"!!timestamp "]
            content[at:at] = chance.choice(signs)
        elif kind == "again":
            content[at:at] = content[max(0, at - 80) : at]
        else:
            content[at:at] = b"\n"
    return bytes(content)


def mutations(seed: int, count: int) -> Iterator[bytes]:
    """Yield mutated specs: half of them well-formed YAML, half of them perhaps not."""
    chance = random.Random(seed)
    texts = [WHOLE, ELECTRICITY.replace("model: electricity", "model: bad")]
    plain = [yaml.safe_load(text) for text in texts]
    for number in range(count):
        if number % 2:
            yield _spoilt(chance.choice(texts), chance)
            continue
        raw = deepcopy(chance.choice(plain))
        for _ in range(chance.choice([1, 1, 2, 5])):
            if raw:
                _change(raw, chance)
        yield yaml.safe_dump(raw, sort_keys=False).encode("utf-8", "surrogatepass")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "churn.yaml").write_text(yaml.safe_dump(CHURN))
    monkeypatch.setenv("GATELATCH_MODELS", str(tmp_path))
    return tmp_path


TAKEN = """
import json
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
from pendulum import datetime
bag = DagBag({dags!r}, bundle_path=None)
for dag in bag.dags.values():
    again = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    again.timetable.infer_manual_data_interval(run_after=datetime(2026, 11, 26))
    if dag.dag_id.startswith("monitor"):
        again.next_dagrun_info(last_automated_run_info=None)
print(json.dumps([sorted(bag.dags), bag.import_errors]))
"""


def _taken(home: Path, models: Path) -> tuple[list[str], dict[str, str]]:
    """Return the DAGs that a real Airflow makes, serialises and reads again, and import errors."""
    told = json.loads(python(home, models, TAKEN).splitlines()[-1])
    return told[0], told[1]


FLOWS = ("monitor", "retrain", "rollback")


def _three(model: str) -> set[str]:
    return {f"{flow}.{model}" for flow in FLOWS}


@pytest.mark.parametrize("seed", range(4))
def test_a_mutated_spec_is_usable_or_a_mistake_and_the_healthy_one_is_there(
    folder: Path, seed: int
) -> None:
    bad = folder / "bad.yaml"
    slowest = 0.0
    for content in mutations(seed, 500):
        bad.write_bytes(content)
        began = time.process_time()
        specs, mistakes = spec_files.load_all()
        slowest = max(slowest, time.process_time() - began)
        assert "churn" in [spec.model for spec in specs], content
        if len(specs) == 2:
            assert mistakes == []
            continue
        (told,) = mistakes
        assert told.startswith(f"{bad}: "), told
        assert len(told) < 10_000, told
        assert bounds.NOT_IN_PROSE.search(told) is None, told
        assert "cannot be used (" not in told, (told, content)  # foreseen, and said as such
    assert slowest < 5  # seconds of a processor, for what takes a millisecond


def test_of_what_is_usable_airflow_makes_all_three_dags(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Mutated ones, and those that say the most or the least that the bounds let pass."""
    bad, usable = folder / "bad.yaml", {}
    extremes = [
        {"window": {"every": every, "start": start, "timezone": zone, "grace": grace}}
        for every, start, zone, grace in [
            ("1m", "1700-01-01", "UTC", "36525d"),
            ("36525d", "1700-01-02", "Pacific/Kiritimati", "0d"),
            ("36525d", "2199-12-31", "Pacific/Pago_Pago", "36525d"),
            ("7d", "1883-11-18T12:03:58", "America/New_York", "1m"),
            ("1d", "2011-12-30", "Pacific/Apia", "0d"),
        ]
    ]
    extremes += [
        {"approval": {"timeout": "36525d"}, "training": {"window": "36525d", "seed": 2**32 - 1}},
        {"latch": {"open": {"breaches": 10_000, "of": 10_000}, "rest": "36525d"}},
        {"owner": {"name": "{{ 1/0 }} {% raw %}", "approvers": ["a" * 250]}},
        {"features": {"numeric": [f"column {n} {'é' * 200}" for n in range(120)]}},
    ]
    texts = [yaml.safe_dump({**CHURN, "model": "bad", **parts}).encode() for parts in extremes]
    for content in [*texts, *mutations(99, 200)]:
        bad.write_bytes(content)
        with suppress(SpecError):
            spec = spec_files.load_spec(bad)
            usable[spec.digest] = spec
        assert len(usable) == len(texts) or content not in texts[-1:]  # none of them is refused
    bad.unlink()
    chosen = list(usable.values())[:16]
    assert len(chosen) == 16
    for number, spec in enumerate(chosen):
        named = spec.model_dump(mode="json", exclude_none=True) | {"model": f"bad{number}"}
        (folder / f"bad{number}.yaml").write_text(yaml.safe_dump(named))
    dags, errors = _taken(tmp_path_factory.mktemp("home"), folder)
    assert errors == {}
    models = ["churn", *(f"bad{number}" for number in range(len(chosen)))]
    assert set(dags) == set().union(*map(_three, models))


def _lol(path: Path) -> None:
    rows = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    path.write_text("model: bad\na0: &a0 [x]\n" + "\n".join(rows))


def _merges(path: Path) -> None:
    rows = [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 12)]
    path.write_text("model: bad\na0: &a0 {x: 1}\n" + "\n".join(rows))


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def _said(**parts: Any) -> Callable[[Path], None]:
    """Return what writes the healthy spec with other parts, under the file's name."""

    def write(path: Path) -> None:
        raw = {**CHURN, "model": path.stem}
        for name, value in parts.items():
            raw[name] = {**raw.get(name, {}), **value}
        path.write_text(yaml.safe_dump(raw))

    return write


NASTY: dict[str, tuple[Callable[[Path], None], str]] = {
    "fifo": (os.mkfifo, "is a pipe, not a file; move it out"),
    "socket": (_socket, "is a socket, not a file; move it out"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "is a device, not a file; move it"),
    "folder": (Path.mkdir, "is a folder, not a file; move it out"),
    "dangling": (lambda path: path.symlink_to("nowhere"), "cannot be read: No such file"),
    "loop": (lambda path: path.symlink_to(path.name), "cannot be read: Too many levels of symb"),
    "large": (lambda p: p.write_bytes(b"#" * 2**18), "larger than 128 KiB; a spec holds settings"),
    "sparse": (lambda path: _sparse(path), "larger than 128 KiB; a spec holds settings"),
    "lol": (_lol, "more than 20000 values, aliases counted as what they stand for"),
    "merges": (_merges, "more than 20000 values, aliases counted as what they stand for"),
    "itself": (lambda p: p.write_text("a: &a [*a]"), "the alias *a stands within what it names"),
    "deep": (lambda p: p.write_text("a: " + "[" * 60_000), "nested deeper than 24 levels; write"),
    "dashes": (lambda p: p.write_text("- " * 60_000), "nested deeper than 24 levels; write it"),
    "keys": (lambda p: p.write_text("? " * 60_000), "nested deeper than 24 levels; write it fla"),
    "values": (lambda p: p.write_text("[" + "a," * 60_000), "more than 20000 values"),
    "digits": (lambda p: p.write_text("a: " + "9" * 5000), "a value of 5000 characters; write"),
    "hex": (lambda p: p.write_text("a: 0x" + "f" * 4000), "is no int (a number of 4002 char"),
    "sixty": (lambda p: p.write_text("a: 1" + ":1" * 2000), "is no int (a number of 4001 char"),
    "number": (lambda p: p.write_text("a: 9999999999999999999"), "more than 18 digits; write a"),
    "date": (lambda p: p.write_text("a: 2026-02-30"), "'2026-02-30' is no timestamp (day is out"),
    "late": (
        lambda p: p.write_text("a: 9999-12-31T23:59:59-23:00"),
        "outside 1700-01-01 … 2199-12-31|unknown option",
    ),
    "surrogate": (lambda p: p.write_text('a: "\\ud800"'), "a: holds the character U+D800, which"),
    "control": (lambda p: p.write_text('a: "\\e[31m"'), "a: holds the character U+001B, which n"),
    "bell": (lambda p: p.write_text("a: \a"), "line 1: the character U+0007; take it out"),
    "twice": (lambda p: p.write_text("a: 1\nb: {c: 1,\n c: 2}"), "b.c: written twice, in line 2"),
    "yes": (lambda p: p.write_text("yes: 1"), "the key 'yes' is no text; write it in quotes"),
    "tuple": (lambda p: p.write_text("? [a]\n: 1"), "the key '…' is no text; write it in quotes"),
    "python": (
        lambda p: p.write_text("a: !!python/object/apply:os.system [ls]"),
        "the tag 'tag:yaml.org,2002:python/object/apply:os.system' means nothing here",
    ),
    "nan": (lambda p: p.write_text("a: .nan"), "a: '.nan' is no finite number; write one"),
    "n" * 101: (_said(), "String should have at most 100 characters"),
    "rest": (_said(latch={"rest": "999999999w"}), "latch.rest: '999999999w': longer than a hun"),
    "every": (_said(window={"every": "0d"}), "window.every: '0d': shorter than a minute; write"),
    "train": (_said(training={"window": "0d"}), "training.window: '0d': shorter than a minute"),
    "start": (_said(window={"start": "0001-01-01"}), "window.start: '0001-01-01': outside 1700"),
    "end": (_said(window={"end": "9999-12-31"}), "window.end: '9999-12-31': outside 1700-01-01"),
    "seconds": (_said(window={"start": "20260101"}), "window.start: '20260101': no date; write"),
    "windows": (_said(latch={"open": {"of": 10**12}}), "latch.open.of: 1000000000000: Input sho"),
    "column": (_said(source={"key": "k" * 251}), "String should have at most 250 characters"),
    "unnamed": (_said(source={"time": ""}), "source.time: '': String should have at least 1 ch"),
    "lines": (_said(owner={"name": "a\nb"}), "owner.name: 'a\\nb': holds the character U+000A"),
    "role": (_said(owner={"approvers": ["a,eve:admin"]}), "write a user name, or `id:name`, wi"),
    "seed": (_said(training={"seed": -1}), "training.seed: -1: Input should be greater than or"),
    "tiny": (_said(drift={"ks": {"effect": 1e-300}}), "drift.ks.effect: 1e-300: smaller than"),
    "huge": (_said(drift={"ks": {"effect": 1e300}}), "drift.ks.effect: 1e+300: Input should be"),
    "class": (_said(label={"classes": [0, 2**55]}), "beyond ±2^53, where numbers are no longer"),
    "list": (
        lambda path: _expecting(path, {"column_list": 5}),
        "expectations.0: `column_list` is a list of column names; write [a, b]",
    ),
    "many": (lambda p: p.write_text("\n".join(f"a{n}: 1" for n in range(500))), "… and 487 more"),
}


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


def _expecting(path: Path, arguments: dict[str, Any]) -> None:
    wanted = [{"type": "expect_column_values_to_be_unique", **arguments}]
    path.write_text(yaml.safe_dump({**CHURN, "model": path.stem, "expectations": wanted}))


@pytest.mark.parametrize("name", NASTY)
def test_a_nasty_file_is_that_files_mistake_with_a_way_out(folder: Path, name: str) -> None:
    make, reason = NASTY[name]
    make(folder / f"{name}.yaml")
    (spec,), (told,) = spec_files.load_all()
    assert spec.model == "churn"
    assert told.startswith(f"{folder / f'{name}.yaml'}: ")
    assert any(part in told for part in reason.split("|")), told


def test_among_all_nasty_files_the_healthy_models_dags_are_there(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for name, (make, _) in NASTY.items():
        make(folder / f"{name}.yaml")
    (folder / os.fsdecode(b"by\xfftes.yaml")).write_text("model: [")
    dags, errors = _taken(tmp_path_factory.mktemp("home"), folder)
    assert set(dags) == _three("churn")
    (told,) = errors.values()
    assert "spec_mistakes.py" in next(iter(errors))
    for name in (*NASTY, "by\\udcfftes"):
        assert f"{folder / f'{name}.yaml'}: " in told


def test_a_file_that_vanishes_or_changes_its_kind_while_it_is_read_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between listing and reading, and between looking at its kind and opening it."""
    paths, _ = spec_files.list_specs(folder)
    (folder / "churn.yaml").unlink()
    with pytest.raises(SpecError, match=r"churn.yaml: cannot be read: No such file"):
        spec_files.load_spec(paths[0])
    regular = os.stat(__file__)
    os.mkfifo(folder / "churn.yaml")
    monkeypatch.setattr(spec_yaml.os, "stat", lambda _: regular)
    with pytest.raises(SpecError, match=r"churn.yaml: is a pipe, not a file"):
        spec_files.load_spec(paths[0])


def test_a_folder_that_is_missing_or_none_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, reason in ((folder / "gone", "No such file"), (folder / "churn.yaml", "Not a dir")):
        monkeypatch.setenv("GATELATCH_MODELS", str(place))
        usable, (told,) = spec_files.load_all()
        assert usable == []
        assert told.startswith(f"the folder of model specs {place} cannot be read: {reason}")
        assert told.endswith("make it a readable folder, or name another one in GATELATCH_MODELS")
        with pytest.raises(SpecError, match=r"there are: none\nthe folder of model specs"):
            spec_files.find("churn")


def test_a_spec_may_be_a_link_to_a_file_as_kubernetes_mounts_them(folder: Path) -> None:
    (folder / "..2026").mkdir()
    (folder / "churn.yaml").rename(folder / "..2026" / "churn.yaml")
    (folder / "..data").symlink_to("..2026")
    (folder / "churn.yaml").symlink_to("..data/churn.yaml")
    (folder / ".#churn.yaml").symlink_to("ada@host.1234")  # as an editor locks it
    (spec,), mistakes = spec_files.load_all()
    assert (spec.model, mistakes) == ("churn", [])


def test_a_spec_whose_name_ends_otherwise_is_said_and_not_passed_over(folder: Path) -> None:
    (folder / "other.yml").write_text("model: other")
    (folder / "notes.txt").write_text("none")
    usable, (told,) = spec_files.load_all()
    assert [spec.model for spec in usable] == ["churn"]
    assert told == f"{folder / 'other.yml'}: not read, as its name does not end in .yaml; rename it"


@pytest.mark.parametrize("name", ["../churn", "a\0b", "x" * 5000, "\ud800", "", ".", "a/b"])
def test_a_model_is_looked_for_by_any_name(folder: Path, name: str) -> None:
    with pytest.raises(SpecError, match=r"^no model .*; there are: churn$"):
        spec_files.find(name)


def test_aliases_and_merges_within_bounds_mean_what_they_stand_for() -> None:
    text = "a: &a {x: 1, y: [2]}\nb: {<<: *a, x: 3}\nc: [*a, *a]\nd: {<<: [*a, {z: 4}]}"
    assert spec_yaml.parse(text) == yaml.safe_load(text)


def test_the_approvers_of_the_healthy_models_are_users_of_the_stack(folder: Path) -> None:
    os.mkfifo(folder / "fifo.yaml")
    _lol(folder / "lol.yaml")
    assert stack.approvers(folder) == ("ada",)
