"""What the command line loads before it knows which command runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = [
    "cryptography",
    "duckdb",
    "great_expectations",
    "matplotlib",
    "mlflow",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "sklearn",
    "skops",
    "sqlalchemy",
]


def test_the_command_line_starts_light() -> None:
    code = f"import sys, tasks.__main__; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
