"""Two models that never come here, played over the electricity prices as a reader plays them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIGURE = r"\d+\.\d{3}"


@pytest.mark.parametrize("head", ["lightgbm", "recorded"])
def test_the_tables_in_the_docs_are_what_the_command_prints(head: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.elsewhere", head],
        capture_output=True,
        text=True,
        timeout=900,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    printed = [line for line in done.stdout.splitlines() if line.startswith("|")]
    docs = (ROOT / "docs" / "elsewhere.md").read_text().splitlines()
    first = next(n for n, line in enumerate(docs) if line.startswith(printed[2][:22]))
    told = docs[first - 2 : first - 2 + len(printed)]
    for ours, theirs in zip(printed, told, strict=True):
        assert re.sub(FIGURE, "", ours) == re.sub(FIGURE, "", theirs)
        # Another processor may round a sum otherwise.
        assert figures(ours) == pytest.approx(figures(theirs), abs=0.01)
    _, replaced, _, left = figures(printed[-1])
    assert replaced < left  # the mean hinge loss, had nobody replaced the first version


def figures(line: str) -> list[float]:
    return [float(found) for found in re.findall(FIGURE, line)]
