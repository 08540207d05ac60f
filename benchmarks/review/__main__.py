"""What labels that people give to chosen rows are worth: `python -m benchmarks.review`.

A model learns from a first stretch whose labels are all known. Then, window by window, it decides
for each row first, which is the accuracy that is told; of that window a share of the rows is then
labelled, chosen by `tasks.classifier.review_choice` as the monitor chooses them; and it is fit
again on all labels of the last windows. The mean of the accuracies is over all windows, in which
each policy and share sees the same rows. `slices` are of unequal size; `weighed`, the fit weighs a
label by 1/probability.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.arrays import Ints
from tasks.classifier import review_choice, scoring, training
from tasks.classifier.contributions import row_contributions
from tasks.classifier.margins import confidence
from tasks.classifier.review_choice import Choice, Chosen
from tasks.spec.model import ModelSpec
from tasks.spec.review_options import Preference

if TYPE_CHECKING:
    import pandas as pd

DATA = Path(__file__).resolve().parents[2] / "data"
SHARES = (0.05, 0.1, 0.2, 0.5)
POLICIES: tuple[tuple[Preference, bool], ...] = (
    ("random", False),
    ("uncertain", False),
    ("conflicting", False),
    ("slices", False),
    ("slices", True),
)


@dataclass(frozen=True)
class Stream:
    """Rows of a data set, in windows of `size`; a fit takes the labels of the last `keep`.

    `over` tells two slices apart, of which one is small.
    """

    name: str
    features: dict[str, list[str]]
    label: str
    size: int
    keep: int
    over: Callable[[pd.DataFrame], Any]


STREAMS = (
    Stream(
        "electricity",
        {"numeric": ["period", "nsw_price", "nsw_demand", "vic_price", "vic_demand", "transfer"]},
        "price_up",
        336,
        8,
        lambda frame: frame["period"].between(0.7, 0.8),  # the evening's peak
    ),
    Stream(
        "email",
        {"text": ["subject", "body"]},
        "spam",
        250,
        8,
        lambda frame: frame["subject"].str.contains("re:", case=False),
    ),
)


def main(windows: int | None, seed: int) -> None:
    """Print the table, a line as soon as it is known."""
    import pandas as pd

    print("| data | windows | labels | chosen | accuracy | of the accuracy with all labels |")
    print("| --- | ---: | ---: | --- | ---: | ---: |")
    for stream in STREAMS:
        frame = pd.read_parquet(DATA / f"{stream.name}.parquet").sort_values("timestamp").fillna("")
        most = len(frame) // stream.size
        count = min(windows or most, most)
        frame = frame[: count * stream.size].reset_index(drop=True)
        _, everything = played(stream, frame, "random", 1.0, seed)
        _line(stream, count, 1.0, "all", everything, everything)
        for share in SHARES:
            for policy, weighed in POLICIES:
                labelled, accuracy = played(stream, frame, policy, share, seed, weighed=weighed)
                told = f"{policy}, weighed" if weighed else policy
                _line(stream, count, labelled, told, accuracy, everything)


def played(
    stream: Stream,
    frame: pd.DataFrame,
    policy: Preference,
    share: float,
    seed: int,
    *,
    weighed: bool = False,
) -> tuple[float, float]:
    """Return the share of the rows that was labelled, and the mean accuracy over the windows."""
    spec = _spec(stream)
    label = frame[stream.label].to_numpy(dtype=np.int64)
    first = stream.keep * stream.size
    slices = stream.over(frame).to_numpy().astype(str) if policy == "slices" else None
    weight = np.ones(len(frame))
    known: list[Ints] = [np.arange(at, at + stream.size) for at in range(0, first, stream.size)]
    right, asked = [], 0
    for at in range(first, len(frame), stream.size):
        here = np.arange(at, min(at + stream.size, len(frame)))
        learnt = np.concatenate(known[-stream.keep :])
        model = training.pipeline(spec, len(learnt))
        named = {f"{model.steps[-1][0]}__sample_weight": weight[learnt]} if weighed else {}
        model.fit(frame.iloc[learnt], label[learnt], **named)
        decision, inputs = scoring.score(model, frame.iloc[here])
        right.append(np.mean((decision > 0) == label[here]))
        of_slice = [""] * len(here) if slices is None else slices[here].tolist()
        most = round(share * len(here))
        chosen = _chosen(model, inputs, decision, policy, most, f"{at}/{seed}", of_slice)
        asked += len(chosen)
        places = np.array([one.row for one in chosen], dtype=np.int64)
        known.append(here[places])
        weight[here[places]] = [1 / one.probability for one in chosen]
    return asked / (len(frame) - first), float(np.mean(right))


def _chosen(
    model: Any,
    inputs: Any,
    decision: Any,
    policy: Preference,
    at_most: int,
    secret: str,
    slices: list[str],
) -> list[Chosen[int]]:
    chance = review_choice.drawn(range(len(decision)), secret)
    orders: dict[Preference, Callable[[], Any]] = {
        "random": lambda: chance,
        "slices": lambda: chance,
        "uncertain": lambda: np.abs(confidence(decision)),
        "conflicting": lambda: (
            -review_choice.conflict(row_contributions(model, inputs, decision)[1])
        ),
    }
    order = orders[policy]()
    choice: Choice[int] = Choice(policy, at_most)
    for place in choice.places(order, chance, slices):
        choice.add(float(order[place]), float(chance[place]), str(place), slices[place], place)
    return sorted(choice.chosen(), key=lambda one: one.row)


def _spec(stream: Stream) -> ModelSpec:
    return ModelSpec.model_validate(
        {
            "model": stream.name,
            "owner": {"name": "benchmark", "approvers": ["nobody"]},
            "source": {"path": "unused", "time": "timestamp", "key": "timestamp"},
            "window": {"every": "7d", "start": "2020-01-01"},
            "features": stream.features,
            "label": {"column": stream.label, "classes": [0, 1]},
            "training": {"window": "56d"},
        }
    )


def _line(
    stream: Stream, windows: int, labelled: float, policy: str, accuracy: float, all_: float
) -> None:
    print(
        f"| {stream.name} | {windows} | {labelled:.0%} | {policy} | {accuracy:.4f} "
        f"| {accuracy / all_:.4f} |",
        flush=True,
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # liblinear's, where rows contradict each other
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, help="of each data set; left out: all")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    main(given.windows, given.seed)
