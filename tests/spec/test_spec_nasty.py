"""Files that were made to break the loader: each is its own mistake and costs no other a DAG."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops import stack
from tasks.spec import spec_files, spec_yaml
from tasks.spec.part import SpecError
from tests.conftest import CHURN
from tests.support.in_airflow import dags_of, three_dags


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
    "date": (lambda p: p.write_text("a: 2026-02-30"), "'2026-02-30' is no timestamp (day "),
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
    "tag": (lambda p: p.write_text("a: !!timestamp soon"), "'soon' is no timestamp (unreadable); "),
    "truth": (
        lambda p: p.write_text("a: !!bool maybe"),
        "'maybe' is no bool (unreadable); correct",
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
    dags, errors = dags_of(tmp_path_factory.mktemp("home"), folder)
    assert set(dags) == three_dags("churn")
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


def test_aliases_and_merges_within_bounds_mean_what_they_stand_for() -> None:
    text = "a: &a {x: 1, y: [2]}\nb: {<<: *a, x: 3}\nc: [*a, *a]\nd: {<<: [*a, {z: 4}]}"
    assert spec_yaml.parse(text) == yaml.safe_load(text)


def test_the_approvers_of_the_healthy_models_are_users_of_the_stack(folder: Path) -> None:
    os.mkfifo(folder / "fifo.yaml")
    _lol(folder / "lol.yaml")
    assert stack.approvers(folder) == ("ada",)
