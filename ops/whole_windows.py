"""What versions say of whole windows, whoever scored the rows: `python -m ops.whole_windows`.

In a canary each version is measured on its own rows alone. To compare two on the same rows, both
are scored here; nothing is recorded, and the version column is not read.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from ops import stack_settings

if TYPE_CHECKING:
    from tasks.spec.model import ModelSpec
    from tasks.spec.windows import Window

METRICS = ("accuracy", "hinge_loss", "violation_rate")
Rates = dict[str, float]


def compared(
    environment: Mapping[str, str], model: str, windows: Sequence[datetime], versions: Sequence[int]
) -> list[dict[int, Rates]]:
    """Return the rates of each window under each version, as a process of the stack finds them.

    Raises
    ------
    StackError
        If a version or the rows of a window cannot be read.
    """
    named = [word for v in versions for word in ("--version", str(v))]
    starts = [start.isoformat() for start in windows]
    done = subprocess.run(
        [sys.executable, "-m", "ops.whole_windows", model, *starts, *named],
        cwd=stack_settings.ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise stack_settings.StackError(f"{model} cannot be compared: {done.stderr[-1000:]}")
    found: list[dict[str, Rates]] = json.loads(done.stdout.splitlines()[-1])
    return [{int(version): rates for version, rates in window.items()} for window in found]


def main(
    model: str,
    starts: list[str],
    version: Annotated[list[int], typer.Option(help="several times: each one")],
) -> None:
    """Print the rates of each window under each version, as JSON."""
    from tasks.bounds import moment
    from tasks.spec.spec_files import find
    from tasks.spec.windows import window_at

    spec = find(model).unscored
    windows = [window_at(spec.window, moment(start)) for start in starts]
    print(json.dumps([{v: _rates(spec, window, v) for v in version} for window in windows]))


def _rates(spec: ModelSpec, window: Window, version: int) -> Rates:
    """Return the rates of a version over a window's accepted rows, whose weights are equal."""
    from tasks.drift.loss_sums import Losses
    from tasks.flows.row_scores import scored_rows_of
    from tasks.ledger.ledger import Ledger

    scored = scored_rows_of(spec, window, Ledger.open(), version)
    parts = [batch.labelled_margins for batch in scored.batches()]
    found = Losses.of(np.concatenate([part[~np.isnan(part)] for part in parts])).rates
    return {name: found[name] for name in METRICS}


if __name__ == "__main__":
    typer.run(main)
