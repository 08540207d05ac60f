"""The unseen streams: what changes in each, when, and whether there is something to gain."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.detection import environments
from benchmarks.detection.scenarios import Scenario, cut, evenly, scenario
from benchmarks.detection.specs import spec_of
from benchmarks.detection.streams import Rows
from benchmarks.detection.unseen import made
from benchmarks.detection.unseen.made import CHANGE, FIRST, ROWS

# Something to gain by another model; nothing, whatever moves; a fault that passes by itself.
Kind = Literal["gain", "quiet", "outage", "real"]

_RIVER = Path(environments.REQUIREMENTS) / "river_rows.py"


@dataclass(frozen=True)
class Stream:
    """A stream's truth, and how it is made of a seed.

    `change` is the window in which the first change begins, None where nothing changes or nobody
    knows; `what` says it to people; `measure` names the figure in which there is something to gain.
    """

    name: str
    kind: Kind
    change: int | None
    what: str
    make: Callable[[int], Scenario]
    measure: Literal["accuracy", "balanced"] = "accuracy"
    seeded: bool = True


class NotMade(Exception):
    """A published stream cannot be made: names what is missing."""


def _made(
    name: str,
    kind: Kind,
    change: int | None,
    what: str,
    rows: Callable[[int], Rows],
    classes: int = 2,
) -> Stream:
    return Stream(name, kind, change, what, partial(_of_rows, name, rows, classes))


def _of_rows(name: str, rows: Callable[[int], Rows], classes: int, seed: int) -> Scenario:
    some = rows(seed)
    names = [f"x{i}" for i in range(some.features.shape[1])]
    return _scenario(f"{name} {seed}", some, names, (), classes)


def _published(
    name: str, change: int, what: str, categorical: tuple[str, ...] = (), classes: int = 2
) -> Stream:
    return Stream(name, "gain", change, what, partial(_of_river, name, categorical, classes))


def _of_river(name: str, categorical: tuple[str, ...], classes: int, seed: int) -> Scenario:
    python = environments.HOME / "river" / "bin" / "python"
    if not python.exists():
        raise NotMade(f"{name} needs river: run python -m benchmarks.detection.environments")
    with tempfile.TemporaryDirectory(prefix="river-") as folder:
        file = Path(folder, "rows.npz")
        subprocess.run([python, "-I", _RIVER, name, str(seed), file], check=True)
        with np.load(file) as arrays:
            rows, names = Rows(arrays["X"], arrays["label"]), arrays["names"].tolist()
    return _scenario(f"{name} {seed}", rows, [_column(n) for n in names], categorical, classes)


def _column(name: str) -> str:
    return f"x{name}" if name.isdigit() else name


def _scenario(
    name: str, rows: Rows, columns: list[str], categorical: tuple[str, ...], classes: int
) -> Scenario:
    import pandas as pd

    numeric = [c for c in columns if c not in categorical]
    features = {"numeric": numeric, "categorical": list(categorical)}
    spec = spec_of("unseen", features, "y", classes=range(classes))
    table = pd.DataFrame(rows.features, columns=columns).astype(dict.fromkeys(categorical, int))
    table["y"] = rows.label
    table["timestamp"] = evenly(spec, len(table), ROWS)
    return cut(name, spec, table, FIRST)


def _shipped(name: str, what: str) -> Stream:
    return Stream(name, "real", None, what, lambda seed: scenario(name), seeded=False)


_STREAMS = (
    _made(
        "abrupt",
        "gain",
        CHANGE,
        "the rule turns by 120° at 40",
        partial(made.abrupt, degrees=120, at=40),
    ),
    _made(
        "abrupt-mid",
        "gain",
        CHANGE,
        "the same in mid-window, at 40.5",
        partial(made.abrupt, degrees=120, at=40.5),
    ),
    _made(
        "weak",
        "gain",
        CHANGE,
        "the rule turns by 35° at 40",
        partial(made.abrupt, degrees=35, at=40),
    ),
    _made(
        "weak-mid",
        "gain",
        CHANGE,
        "the same in mid-window, at 40.5",
        partial(made.abrupt, degrees=35, at=40.5),
    ),
    _made(
        "recurring",
        "gain",
        35,
        "the rule turns by 120° at 35, back at 50, again at 65",
        made.recurring,
    ),
    _made("rotating", "gain", 25, "the rule turns by 3° a window from 25 on", made.rotating),
    _made(
        "gradual", "gain", 35, "rows of a rule at 120°: from none at 35 to all at 50", made.gradual
    ),
    _made(
        "minority", "gain", CHANGE, "the rule of a class of 3 % turns by 60° at 40", made.minority
    ),
    _made("late-class", "gain", 30, "the third of three classes appears at 30", made.late_class, 3),
    _made(
        "leaving-class",
        "gain",
        CHANGE,
        "the third of three classes leaves at 40: rows near its place are others'",
        made.leaving_class,
        3,
    ),
    _made(
        "forty-classes",
        "gain",
        CHANGE,
        "twenty of forty classes change places at 40",
        made.forty_classes,
        40,
    ),
    _published("sea", CHANGE, "the threshold of a sum of two features goes from 9.5 to 7 at 40"),
    _published("hyperplane", FIRST, "five of ten weights wander all the time"),
    _published(
        "agrawal",
        CHANGE,
        "function 7 (income) becomes function 3 (age and education) at 40",
        ("elevel", "car", "zipcode"),
    ),
    _published("led", CHANGE, "five of seven segments change places with noise at 40", classes=10),
    _published(
        "stagger", CHANGE, "the second concept at 40, the third at 60", ("size", "color", "shape")
    ),
    _made(
        "label-noise",
        "quiet",
        CHANGE,
        "a fifth of the labels flips from 40 on",
        partial(made.label_noise, share=0.2),
    ),
    _made("prior", "quiet", CHANGE, "positives go from 50 to 80 % at 40", made.prior),
    _made(
        "virtual-along",
        "quiet",
        CHANGE,
        "features move by 1.5 sd along the rule at 40",
        made.virtual_along,
    ),
    _made(
        "virtual-across",
        "quiet",
        CHANGE,
        "features move by 1.5 sd across the rule at 40",
        made.virtual_across,
    ),
    _made("weekly", "quiet", None, "features follow the day of the week by ± 1 sd", made.weekly),
    _made("yearly", "quiet", None, "features follow the day of the year by ± 1 sd", made.yearly),
    *(
        _made(
            f"ar-{rho:g}",
            "quiet",
            None,
            f"features and noise AR(1) with ρ {rho:g}",
            partial(made.autoregressive, rho=rho),
        )
        for rho in (0.5, 0.9, 0.99)
    ),
    _made(
        "scaling-fault",
        "outage",
        CHANGE,
        "one of five features × 100 from 40 to 46",
        partial(made.fault, factor=100, since=40, until=46, columns=1),
    ),
    _made(
        "outage-1",
        "outage",
        CHANGE,
        "all features are 0 in window 40",
        partial(made.fault, factor=0, since=40, until=41, columns=5),
    ),
    _made(
        "outage-2",
        "outage",
        CHANGE,
        "all features are 0 in windows 40 and 41",
        partial(made.fault, factor=0, since=40, until=42, columns=5),
    ),
    _shipped("electricity", "prices, weekly windows"),
    _shipped("email", "mails, windows of 250"),
    _shipped("employment", "a survey, shuffled within its years"),
)

STREAMS = {stream.name: stream for stream in _STREAMS}
# A class of 3 % that fails hardly moves the accuracy.
STREAMS["minority"] = replace(STREAMS["minority"], measure="balanced")
