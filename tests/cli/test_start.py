"""What the command line loads before it knows which command runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.flow import rows
from tests.support.lethal import lethal

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


def test_a_file_that_ends_its_reader_ends_a_command_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(lethal(rows(6), nullable="x"))
    words = ["replay", "--data", "rows.parquet", "--time", "time", "--label", "y", "--window", "1d"]
    done = subprocess.run(
        [sys.executable, "-m", "tasks", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "rows.parquet cannot be read: it ends the process that reads it" in done.stderr


def test_the_command_line_starts_light() -> None:
    code = f"import sys, tasks.__main__; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
