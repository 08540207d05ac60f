"""Whether the judged rows could have been known to the fit. Pure.

Three questions: are the slices in the order of time; does one feature alone tell all classes apart,
which hardly anything known beforehand does; and does a judged row also stand in the fitting slice?
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tasks.arrays import Ints
from tasks.gates.gate_result import GateResult, verdict

if TYPE_CHECKING:
    import pandas as pd

    from tasks.classifier.cut import Cut
    from tasks.classifier.training_rows import Facts

_ENOUGH = 20  # rows of each class: a useless feature separates 20 from 20 once in 7e10
_REPEATED = 0.01  # share of twins within the fit, from where on content names no row
_PRIME = np.uint64(0x9E3779B97F4A7C15)  # keeps the order of two hashes in their mix
_CHANCE = 0.999  # of no false alarm by content where some rows do have twins


def time_order(time: Ints, cut: Cut) -> list[GateResult]:
    """Return whether no row of a slice is older than one of the slice before; time shape (n,)."""
    parts = [time[cut.fit], time[cut.calibrate], time[cut.judge]]
    ok = all(a.max() <= b.min() for a, b in pairwise(parts))
    reason = "fit, then calibration, then judged rows"
    if not ok:
        reason = "a calibration or judged row is older than one of the slice before it"
    return [GateResult("time_order", verdict(ok), reason)]


def separating_features(
    frame: pd.DataFrame, label: Ints, classes: int, numeric: Sequence[str], allowed: Sequence[str]
) -> list[GateResult]:
    """Return whether no feature alone tells all classes of the fitting slice apart.

    Of numbers: one threshold (for k classes k - 1) is right on every row. Of words: each stands
    with one class only, and has enough rows for that to say something. Slices with fewer than 20
    rows of a class, and features in `allowed`, are not asked.
    """
    name = "separating_features"
    if np.bincount(label, minlength=classes).min() < _ENOUGH:
        reason = f"too few rows: fewer than {_ENOUGH} of a class in the fitting slice"
        return [GateResult(name, "not_judged", reason)]
    found = [c for c in _separating(frame, label, classes, numeric) if c not in allowed]
    reason = "no feature tells the classes apart alone"
    if found:
        reason = (
            f"{', '.join(found)} tells the classes apart alone, without one mistake: is it known "
            "before the label? If so, name it in gates.may_separate; if not, take it out"
        )
    return [GateResult(name, verdict(not found), reason, candidate=float(len(found)))]


def _separating(
    frame: pd.DataFrame, label: Ints, classes: int, numeric: Sequence[str]
) -> Iterator[str]:
    import pandas as pd

    for name in frame.columns:
        if name in numeric:
            values = frame[name].to_numpy()
            ends = sorted(
                (values[label == c].min(), values[label == c].max()) for c in range(classes)
            )
            if all(a[1] < b[0] for a, b in pairwise(ends)):
                yield str(name)
            continue
        codes, words = pd.factorize(frame[name], use_na_sentinel=False)
        if len(words) * _ENOUGH > len(codes):
            continue
        pairs = np.unique(codes.astype(np.int64) * classes + label)
        if len(pairs) == len(words) >= classes:
            yield str(name)


def shared_keys(facts: Facts, cut: Cut) -> list[GateResult]:
    """Return whether no judged row has the name of a fitted one.

    A key names a row where no two fitted rows have the same; else key and time do together, as a
    customer may be scored every week.
    """
    import pandas as pd

    name = "shared_keys"
    if facts.key is None:
        return [GateResult(name, "not_judged", "the keys of the rows were not given")]
    keys = pd.util.hash_array(facts.key, categorize=False)
    if len(np.unique(keys[cut.fit])) < len(keys[cut.fit]):
        keys = keys * _PRIME ^ pd.util.hash_array(facts.time)
    both = int(np.isin(keys[cut.judge], keys[cut.fit]).sum())
    reason = "no judged row has the key of a fitted one"
    if both:
        reason = f"{both} judged rows have the key of a fitted row; land each row once"
    return [GateResult(name, verdict(both == 0), reason, candidate=float(both))]


def shared_content(frame: pd.DataFrame, label: Ints, cut: Cut) -> list[GateResult]:
    """Return whether no judged row is alike to a fitted one, in its features and its label.

    Content names a row only where rows are nearly unique: if more than 1 % of the fitted rows have
    a twin among themselves, twins say nothing. Below that, judged rows may have as many twins in
    the fit as that share explains (binomial, 99.9 %); none, if no two fitted rows are alike.
    """
    import pandas as pd
    from scipy.stats import binom

    name = "shared_content"
    content = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    content = content * _PRIME ^ pd.util.hash_array(label)
    fitted, judged = content[cut.fit], content[cut.judge]
    _, place, counts = np.unique(fitted, return_inverse=True, return_counts=True)
    twins = int((counts[place] > 1).sum())
    both = int(np.isin(judged, fitted).sum())
    share = twins / len(fitted)
    if share > _REPEATED:
        reason = f"{share:.0%} of the fitted rows have a twin there: content names no row"
        return [GateResult(name, "not_judged", reason, candidate=float(both))]
    allowed = int(binom.ppf(_CHANCE, len(judged), share)) if twins else 0
    reason = f"judged rows that equal a fitted one: {both}; chance explains {allowed}"
    if both > allowed:
        reason += "; land each row once"
    return [GateResult(name, verdict(both <= allowed), reason, candidate=float(both))]
