"""The histories on which it is tried when to retrain: three real ones, two made, one control.

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
from benchmarks.detection.streams import Floats, Ints, Rows, linear, rotated
from tasks.history import History
from tasks.spec import ModelSpec
from tasks.windows import Window, windows_between

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
    return _scenario(name, spec, table, first=20)


def _employment(name: str, seed: int) -> Scenario:
    import pandas as pd

    table = pd.read_parquet(_DATA / "employment.parquet")
    codes = [c for c in table.columns if c not in (*_NUMBERS, "timestamp", "employed")]
    features = {"numeric": _NUMBERS, "categorical": codes}
    spec = spec_of(
        "employment", features, "employed", every="10d", start="2015-01-01", train="80d"
    )
    return _scenario(name, spec, table, first=20)


def _email(name: str, seed: int) -> Scenario:
    import pandas as pd
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    # A mail without a subject would be quarantined.
    table = pd.read_parquet(_DATA / "email.parquet").dropna().reset_index(drop=True)
    first = 6
    spec = spec_of("email", {"text": ["subject", "body"]}, "spam", train=f"{7 * first}d")
    table["timestamp"] = _evenly(spec, len(table), _MAILS)
    text = table["subject"] + "\n" + table["body"]
    tfidf = TfidfVectorizer(sublinear_tf=True, max_features=50_000).fit(text[: first * _MAILS])
    svd = TruncatedSVD(_COMPONENTS, random_state=0)
    svd.fit(tfidf.transform(text[: first * _MAILS]))
    return _scenario(name, spec, table, first, svd.transform(tfidf.transform(text)))


def _abrupt(name: str, seed: int) -> Scenario:
    return _made(name, seed, lambda week: 0.0 if week < 35 else 60.0 if week < 55 else 120.0)


def _slow(name: str, seed: int) -> Scenario:
    return _made(name, seed, lambda week: 3.0 * max(0, week - 28))


def _made(name: str, seed: int, degrees: Callable[[int], float]) -> Scenario:
    import pandas as pd

    rng = np.random.default_rng(seed)
    weeks = [linear(rng, _ROWS, rotated(degrees(week))) for week in range(_WEEKS)]
    rows = Rows(
        np.concatenate([w.features for w in weeks]), np.concatenate([w.label for w in weeks])
    )
    columns = [f"x{i}" for i in range(rows.features.shape[1])]
    spec = spec_of("made", {"numeric": columns}, "y")
    table = pd.DataFrame(rows.features, columns=columns)
    table["y"] = rows.label
    table["timestamp"] = _evenly(spec, len(table), _ROWS)
    return _scenario(name, spec, table, first=20)


_MAKERS: dict[str, Callable[[str, int], Scenario]] = {
    "electricity": _electricity,
    "email": _email,
    "abrupt": _abrupt,
    "slow": _slow,
    "employment": _employment,
    "shuffled": _electricity,
}


def _evenly(spec: ModelSpec, rows: int, a_window: int) -> pd.DatetimeIndex:
    import pandas as pd

    start, every = pd.Timestamp(spec.window.start), pd.Timedelta(spec.window.every)
    return start + (every / a_window) * np.arange(rows)


def _scenario(
    name: str, spec: ModelSpec, table: pd.DataFrame, first: int, columns: Floats | None = None
) -> Scenario:
    import pyarrow as pa

    from tasks.training import features, labels

    times = table["timestamp"].dt.tz_localize(None).to_numpy("datetime64[us]").astype(np.int64)
    end = table["timestamp"].iloc[-1].to_pydatetime() + spec.window.every / 10
    windows = tuple(windows_between(spec.window, spec.window.start, end))
    edges = np.searchsorted(times, _boundaries(windows))
    batch = pa.RecordBatch.from_pandas(table.iloc[: edges[-1]], preserve_index=False)
    history = History(
        windows,
        (None,) * len(windows),
        edges,
        times[: edges[-1]],
        features(spec, batch),
        labels(spec, batch),
    )
    if columns is None:
        columns = table[list(spec.features.columns)].to_numpy(np.float64)
    return Scenario(name, spec, history, first, columns[: edges[-1]])


def _boundaries(windows: tuple[Window, ...]) -> Ints:
    moments = [*(w.start for w in windows), windows[-1].end]
    return np.array([round(moment.timestamp() * 1e6) for moment in moments])
