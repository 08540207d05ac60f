"""The histories on which it is tried when to retrain: two real ones, two made, two controls.

Each is cut into windows of equal time; the first champion is trained on the windows before `first`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.detection.specs import spec_of
from benchmarks.detection.streams import RULE, Floats, Ints, Rows, linear, rotated
from tasks.replay.history import History
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window, windows_between

if TYPE_CHECKING:
    import pandas as pd

_DATA = Path(__file__).resolve().parents[2] / "data"
_PRICES = ["period", "nsw_price", "nsw_demand", "vic_price", "vic_demand", "transfer"]
_NUMBERS = ["age", "schooling"]  # of the census; its other columns are codes
_MAILS = 250  # to a window: the calendar has weeks of one mail and weeks of a thousand
_ROWS, _WEEKS = 500, 72  # of a made stream
_COMPONENTS = 20  # of a text, for detectors that read features


@dataclass(frozen=True)
class Scenario:
    """A history, its spec, and the first window that is monitored.

    `columns` are the numeric columns that peers get as features, shape (n, d).
    """

    name: str
    spec: ModelSpec
    history: History
    first: int
    columns: Floats

    @property
    def span(self) -> timedelta:
        """Return the time before `first`, on which the first champion is trained."""
        return self.history.windows[self.first].start - self.history.windows[0].start

    @property
    def years(self) -> float:
        """Return the monitored time."""
        windows = self.history.windows
        return (windows[-1].end - windows[self.first].start) / timedelta(days=365.25)


@lru_cache(maxsize=2)
def scenario(name: str) -> Scenario:
    """Return a scenario of NAMES, read or made anew: the same every time."""
    kind, _, seed = name.partition(" ")
    return _MAKERS[kind](name, int(seed or 0))


def _electricity(name: str, seed: int) -> Scenario:
    import pandas as pd

    table = pd.read_parquet(_DATA / "electricity.parquet")
    if name.startswith("shuffled"):
        order = np.random.default_rng(seed).permutation(len(table))
        table[[*_PRICES, "price_up"]] = table[[*_PRICES, "price_up"]].to_numpy()[order]
    spec = spec_of("electricity", {"numeric": _PRICES}, "price_up", start="1996-05-07")
    # Three columns stand still in the first year; by default their waking stops every window.
    measured = spec.validation.model_copy(update={"constant_feature": "measure"})
    spec = spec.model_copy(update={"validation": measured})
    return cut(name, spec, table, first=20)


def _employment(name: str, seed: int) -> Scenario:
    import pandas as pd

    table = pd.read_parquet(_DATA / "employment.parquet")
    # Rows come in the order of the yearly files, of which that of 2018 begins with the residents
    # of institutions; within a year they are shuffled.
    order = np.random.default_rng(seed).permutation(len(table))
    order = order[np.argsort(table["timestamp"].dt.year.to_numpy()[order], kind="stable")]
    table = table.iloc[order].assign(timestamp=table["timestamp"].array)
    codes = [c for c in table.columns if c not in (*_NUMBERS, "timestamp", "employed")]
    features = {"numeric": _NUMBERS, "categorical": codes}
    spec = spec_of("employment", features, "employed", every="10d", start="2015-01-01", train="80d")
    return cut(name, spec, table, first=20)


def _email(name: str, seed: int) -> Scenario:
    import pandas as pd
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    # A mail without a subject would be quarantined.
    table = pd.read_parquet(_DATA / "email.parquet").dropna().reset_index(drop=True)
    first = 6
    spec = spec_of("email", {"text": ["subject", "body"]}, "spam", train=f"{7 * first}d")
    table["timestamp"] = evenly(spec, len(table), _MAILS)
    text = table["subject"] + "\n" + table["body"]
    tfidf = TfidfVectorizer(sublinear_tf=True, max_features=50_000).fit(text[: first * _MAILS])
    svd = TruncatedSVD(_COMPONENTS, random_state=0)
    svd.fit(tfidf.transform(text[: first * _MAILS]))
    return cut(name, spec, table, first, svd.transform(tfidf.transform(text)))


def _abrupt(name: str, seed: int) -> Scenario:
    rng = np.random.default_rng(seed)
    weeks = []
    for week in range(_WEEKS):
        rows = linear(rng, _ROWS, rotated(60 if week >= 54 else 0))
        weeks.append(Rows(rows.features + (RULE if week >= 36 else 0), rows.label))
    return made(name, weeks)


def _slow(name: str, seed: int) -> Scenario:
    rng = np.random.default_rng(seed)
    degrees = [3.0 * max(0, week - 30) for week in range(_WEEKS)]
    return made(name, [linear(rng, _ROWS, rotated(d)) for d in degrees])


def made(name: str, weeks: list[Rows], first: int = 20) -> Scenario:
    """Return a scenario of made rows, a window each; all must have as many."""
    import pandas as pd

    features = np.concatenate([rows.features for rows in weeks])
    columns = [f"x{i}" for i in range(features.shape[1])]
    spec = spec_of("made", {"numeric": columns}, "y")
    table = pd.DataFrame(features, columns=columns)
    table["y"] = np.concatenate([rows.label for rows in weeks])
    table["timestamp"] = evenly(spec, len(table), len(weeks[0].label))
    return cut(name, spec, table, first)


_MAKERS: dict[str, Callable[[str, int], Scenario]] = {
    "electricity": _electricity,
    "email": _email,
    "abrupt": _abrupt,
    "slow": _slow,
    "employment": _employment,
    "shuffled": _electricity,
}


def evenly(spec: ModelSpec, rows: int, a_window: int) -> pd.DatetimeIndex:
    """Return times of rows, so many to a window, from the first window's start on."""
    import pandas as pd

    start, every = pd.Timestamp(spec.window.start), pd.Timedelta(spec.window.every)
    return pd.DatetimeIndex(start + (every / a_window) * np.arange(rows))


def cut(
    name: str, spec: ModelSpec, table: pd.DataFrame, first: int, columns: Floats | None = None
) -> Scenario:
    """Return a table, ordered by its column `timestamp`, cut into the windows of its spec."""
    import pyarrow as pa

    from tasks.data.frame import class_indices, feature_frame

    times = table["timestamp"].dt.tz_convert(None).to_numpy("datetime64[us]").astype(np.int64)
    end = table["timestamp"].iloc[-1].to_pydatetime() + spec.window.every / 10
    windows = tuple(windows_between(spec.window, spec.window.start, end))
    edges = np.searchsorted(times, _boundaries(windows))
    rows = table.iloc[: edges[-1]].drop(columns="timestamp")
    batch = pa.RecordBatch.from_pandas(rows, preserve_index=False)
    history = History(
        windows,
        (None,) * len(windows),
        edges,
        times[: edges[-1]],
        feature_frame(spec, batch),
        class_indices(spec, batch),
    )
    if columns is None:
        columns = table[list(spec.features.columns)].to_numpy(np.float64)
    return Scenario(name, spec, history, first, columns[: edges[-1]])


def _boundaries(windows: tuple[Window, ...]) -> Ints:
    moments = [*(w.start for w in windows), windows[-1].end]
    return np.array([round(moment.timestamp() * 1e6) for moment in moments])
