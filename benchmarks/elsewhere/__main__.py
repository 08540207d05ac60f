"""A model that never comes here, over a year of electricity prices: windows, episodes, candidates.

    python -m benchmarks.elsewhere lightgbm
    python -m benchmarks.elsewhere torch --record FILE
    python -m benchmarks.elsewhere recorded

Its owner trains boosted trees or a small network with a hinge loss; production logs their margins,
and Gatelatch sees nothing else. All of it runs in a folder of its own, which is removed. Beside
each window stands what the first version would have come to, had nobody replaced it. PyTorch is no
requirement: `recorded` gives the margins again that `torch` gave.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.elsewhere.heads import HEADS, LABEL, Train, of_record, recorded_by
from benchmarks.elsewhere.play import Play, spec_of
from tasks.arrays import Floats
from tasks.ledger.records import Observation
from tasks.registry import tracking
from tasks.signing import keyring

if TYPE_CHECKING:
    import pandas as pd

DATA = Path(__file__).resolve().parents[2] / "data" / "electricity.parquet"
RECORD = Path(__file__).parent / "torch_margins.parquet"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Work in a folder, with ledger, store, MLflow and key of its own."""
    stores = {
        "GATELATCH_LEDGER": f"sqlite:///{folder / 'ledger.db'}",
        "GATELATCH_STORE": str(folder / "store"),
        "GATELATCH_SIGNING_KEY": str(folder / "signing.pem"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
    }
    here = Path.cwd()
    os.environ |= stores
    os.chdir(folder)
    try:
        keyring.create_keys()
        tracking.prepare_store()
        yield
    finally:
        os.chdir(here)


def played(name: str, train: Train) -> tuple[Play, list[str]]:
    """Play it; return it, and the lines of its table."""
    import pandas as pd

    play = Play(spec_of(name), train, pd.read_parquet(DATA))
    lines = ["| window from | version | verdict | accuracy | hinge loss | of the first version |"]
    lines.append("| --- | --- | --- | ---: | ---: | ---: |")
    both = []
    for seen in play.windows():
        if isinstance(seen, str):
            lines.append(f"| | | {seen} | | | |")
            continue
        rows = play.rows[play.rows["timestamp"].isin(play.logged[-1]["timestamp"])]
        first = play.versions[next(iter(play.versions))](rows)
        sign = 2 * rows[LABEL].to_numpy() - 1
        theirs = float(((first > 0) == (sign > 0)).mean()), float(hinge(sign * first))
        assert seen.verdict != "insufficient", seen.reason
        both.append((seen.numbers.accuracy, seen.numbers.hinge_loss, *theirs))
        lines.append(_line(seen, theirs))
    mean = np.array(both, dtype=float).mean(axis=0)
    lines.append(f"| mean | | | {mean[0]:.3f} | {mean[1]:.3f} | {mean[2]:.3f}, {mean[3]:.3f} |")
    return play, lines


def hinge(margins: Floats) -> float:
    return float(np.maximum(0, 1 - margins).mean())


def _line(seen: Observation, first: tuple[float, float]) -> str:
    numbers = seen.numbers
    return (
        f"| {seen.window_start:%Y-%m-%d} | {seen.version} | {seen.verdict} | "
        f"{numbers.accuracy or 0:.3f} | {numbers.hinge_loss or 0:.3f} | "
        f"{first[0]:.3f}, {first[1]:.3f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("head", choices=[*HEADS, "recorded"])
    parser.add_argument("--record", type=Path, help="keep all margins in this Parquet file")
    asked = parser.parse_args()
    kept: list[pd.DataFrame] = []
    named = "torch" if asked.head == "recorded" else asked.head
    train = of_record(RECORD) if asked.head == "recorded" else HEADS[asked.head]
    with tempfile.TemporaryDirectory() as folder, alone(Path(folder)):
        print("\n".join(played(named, recorded_by(train, kept))[1]))
    if asked.record is not None:
        import pandas as pd

        found = pd.concat(kept).drop_duplicates(["fit", "timestamp"])
        found.astype({"fit": "int8"}).to_parquet(asked.record, index=False, compression="zstd")


if __name__ == "__main__":
    main()
