"""What an owner trains elsewhere: rows in, and out of it a function from rows to margins.

Gatelatch sees neither. A margin is any score whose sign decides and whose size says how surely: the
raw score of boosted trees, the output of a network's last layer.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tasks.arrays import Floats

if TYPE_CHECKING:
    import pandas as pd

FEATURES = ["period", "nsw_price", "nsw_demand", "vic_price", "vic_demand", "transfer"]
LABEL = "price_up"
SEED = 7
Head: TypeAlias = "Callable[[pd.DataFrame], Floats]"
Train: TypeAlias = "Callable[[pd.DataFrame], Head]"


def lightgbm_head(rows: pd.DataFrame) -> Head:
    """Return the raw score (log-odds) of boosted trees."""
    import lightgbm

    settings = {
        "objective": "binary",
        "num_leaves": 15,
        "learning_rate": 0.05,
        "seed": SEED,
        "deterministic": True,
        "num_threads": 1,
        "verbose": -1,
    }
    data = lightgbm.Dataset(rows[FEATURES].to_numpy(), rows[LABEL].to_numpy())
    trees = lightgbm.train(settings, data, num_boost_round=100)
    return lambda rows: np.asarray(trees.predict(rows[FEATURES].to_numpy(), raw_score=True))


def torch_head(rows: pd.DataFrame) -> Head:
    """Return the output of a small network that learns by the hinge loss max(0, 1 - y·f)."""
    import torch

    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    values = torch.tensor(rows[FEATURES].to_numpy(), dtype=torch.float32)
    centre, scale = values.mean(0), values.std(0).clamp_min(1e-6)
    sign = torch.tensor(rows[LABEL].to_numpy() * 2.0 - 1, dtype=torch.float32)
    network = torch.nn.Sequential(
        torch.nn.Linear(len(FEATURES), 16), torch.nn.ReLU(), torch.nn.Linear(16, 1)
    )
    steps = torch.optim.Adam(network.parameters(), lr=0.01, weight_decay=1e-4)
    for _ in range(300):
        steps.zero_grad()
        margins = network((values - centre) / scale).squeeze(1)
        torch.clamp(1 - sign * margins, min=0).mean().backward()
        steps.step()

    def head(rows: pd.DataFrame) -> Floats:
        # What stood still in the fit would else count for a million deviations.
        there = (torch.tensor(rows[FEATURES].to_numpy(), dtype=torch.float32) - centre) / scale
        with torch.no_grad():
            found: Any = network(there.clamp(-10, 10)).squeeze(1).double()
        return np.asarray(found.numpy())

    return head


HEADS: dict[str, Train] = {
    "lightgbm": lightgbm_head,
    "torch": torch_head,
}


def recorded_by(train: Train, kept: list[pd.DataFrame]) -> Train:
    """Return a way to train that also keeps every margin: its fit, its row, and what it is."""
    numbers = count()

    def trained(rows: pd.DataFrame) -> Head:
        number, head = next(numbers), train(rows)

        def noted(rows: pd.DataFrame) -> Floats:
            said = head(rows)
            kept.append(rows[["timestamp"]].assign(fit=number, margin=said.astype(np.float32)))
            return said

        return noted

    return trained


def of_record(file: Path) -> Train:
    """Return a way to train that gives the margins of a record again, fit after fit."""
    import pandas as pd

    numbers = count()
    margins = pd.read_parquet(file).set_index(["fit", "timestamp"])["margin"]

    def trained(_: pd.DataFrame) -> Head:
        mine = margins.loc[next(numbers)]
        return lambda rows: mine.loc[rows["timestamp"]].to_numpy(np.float64)

    return trained
