"""Each line of the threat model names a test that is there, and each figure a command."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/security.md").read_text()
_NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def _tests_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_each_test_that_the_threat_model_names_exists() -> None:
    named = _NAMED.findall(PAGE)
    assert len(named) > 30
    for file, test in named:
        assert (ROOT / file).exists(), file
        assert test in _tests_of(ROOT / file), f"{file}::{test}"


def test_each_attack_names_a_test_or_says_that_it_is_not_stopped() -> None:
    threats = PAGE.partition("## Threat model")[2].partition("## What is not")[0]
    attacks = re.findall(r"^- .+(?:\n  .+)*$", threats, re.MULTILINE)
    assert len(attacks) > 25
    for attack in attacks:
        assert _NAMED.search(attack) or "**not stopped**" in attack.lower(), attack
