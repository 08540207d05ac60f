"""One name, one thing: what a module makes public is defined in no other module of `tasks/`."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.classifier.one_against_rest import CalibrationMap

TASKS = Path(__file__).parents[1] / "tasks"
# By name: what may be defined in several modules, and why it is one thing.
ALLOWED = {
    "parts": "each reader of `data/sources.py` has it: the parts of a window",
    "labels": "each reader of `data/sources.py` has it: the labels of a window",
    **dict.fromkeys(
        ["newest_scores", "read_scores", "scores_manifest", "scores_named"],
        "each place of `data/score_places.py` has it",
    ),
    **dict.fromkeys(
        [
            name
            for name in {**vars(CalibrationMap), **CalibrationMap.__annotations__}
            if name[0] != "_"
        ],
        "each calibration map of `classifier/calibrators.py` has it",
    ),
}


def defined(tree: ast.Module) -> Iterator[str]:
    """Yield what a module defines at its top under a public name."""
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [statement.name]
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = getattr(statement, "targets", None) or [statement.target]
            names = [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
        else:
            names = []
        yield from (name for name in names if not name.startswith("_"))


def twice(folder: Path) -> dict[str, list[str]]:
    """Return the public names that several modules below a folder define, with the modules.

    A command's function is called as the command is, and each of Alembic's revisions has its names.
    """
    found = defaultdict(set)
    for path in folder.rglob("*.py"):
        module = path.relative_to(folder).with_suffix("").as_posix()
        if module.startswith("ledger/revisions/"):
            continue
        for name in defined(ast.parse(path.read_text(encoding="utf-8"))):
            if module != f"cli/{name}_command":
                found[name].add(module)
    return {name: sorted(modules) for name, modules in found.items() if len(modules) > 1}


def test_no_public_name_is_defined_in_two_modules() -> None:
    found = {n: m for n, m in twice(TASKS).items() if n not in ALLOWED}
    assert not found, f"rename all but one, or say in ALLOWED why they are one thing: {found}"


def test_what_is_allowed_twice_is_there_twice() -> None:
    assert ALLOWED.keys() <= twice(TASKS).keys()


@pytest.mark.parametrize(
    "line",
    ["def load() -> None: ...", "class load: ...", "load = 1", "load: int = 1", "a, load = 1, 2"],
)
def test_a_name_is_found_twice_however_it_is_defined(tmp_path: Path, line: str) -> None:
    (tmp_path / "one.py").write_text(line)
    (tmp_path / "two.py").write_text("def load() -> None: ...\ndef _hidden() -> None: ...")
    (tmp_path / "three.py").write_text("def _hidden() -> None: ...\nimport load")
    assert twice(tmp_path) == {"load": ["one", "two"]}
