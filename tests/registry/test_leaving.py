"""How to leave, as the README says it: the champion's file loads where none of our code is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tasks.classifier import scoring, skops_file
from tasks.registry import model_aliases
from tasks.spec.model import ModelSpec
from tests.support.candidates import MIXED, calibrated, registered

README = (Path(__file__).parents[2] / "README.md").read_text()
CODE = README.partition("## Leaving")[2].partition("```python\n")[2].partition("```")[0]
BEFORE = "import pandas\nrows = pandas.read_json('rows.json', convert_axes=False)\n"
AFTER = """
import sys, numpy
numpy.savez('out.npz', probabilities=probabilities, scores=scores)
assert not {'tasks', 'mlflow', 'airflow'} & set(sys.modules)
"""


def run(folder: Path, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert not done.returncode, done.stderr


@pytest.mark.parametrize("method", ["sigmoid", "beta"])
def test_the_champions_file_is_fetched_and_scores_without_us(
    spec: Callable[..., ModelSpec], stores: Path, method: str
) -> None:
    own = spec(features=MIXED, calibration={"method": method})
    model, frame = calibrated(own)
    _, made = registered(own, model)
    model_aliases.point(own.model, {"champion": made.version})
    run(
        stores,
        *("-m", "mlflow", "artifacts", "download"),
        *("--artifact-uri", "models:/churn@champion", "--dst-path", "churn"),
    )
    frame.to_json(stores / "rows.json")
    run(stores, "-I", "-c", BEFORE + CODE + AFTER)
    out = np.load(stores / "out.npz")
    assert np.allclose(out["probabilities"], model.predict_proba(frame))
    assert np.allclose(out["scores"], scoring.decision_values(model, frame))


def test_the_readme_names_the_types_that_we_trust() -> None:
    assert [line.strip(' ",') for line in CODE.splitlines() if line.startswith('    "')] == list(
        skops_file.TRUSTED
    )
