"""How feature columns become numbers: alike in training, in the monitor and where MLflow serves.

All of it is scikit-learn's and NumPy's own, so that a model's file needs nothing of ours to be
loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.spec.model import ModelSpec

if TYPE_CHECKING:
    import pandas as pd

    from tasks.data.frame import Rows

# A category's one token is its whole text, but for what types make of the same value: numbers with
# a gap are floats in pandas, so 7.0 is 7; and a boolean is True in Python, true in Arrow and most
# files, so that its token is what both have after the first letter.
_CATEGORY = r"(?s)\A(?:[Tt](?=rue\Z)|[Ff](?=alse\Z))?(.*?)(?:\.0+)?\Z"
_MOST_WORDS = 50_000


def encoder(spec: ModelSpec) -> Any:
    """Return the unfitted transformation of the spec's features.

    A category is a text of one token: unlike scikit-learn's one-hot encoder, a vectoriser takes
    values of any type by their text, and keeps nothing of those that are rare.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

    least = spec.training.rare_below
    steps: list[tuple[str, Any, Any]] = []
    if spec.features.numeric:
        steps.append(("numeric", _scaled(spec.training.cap), list(spec.features.numeric)))
    for number, name in enumerate(spec.features.categorical):
        categories = CountVectorizer(
            preprocessor=str, token_pattern=_CATEGORY, binary=True, min_df=least, dtype=np.float64
        )
        steps.append((f"categorical_{number}", categories, name))
    for number, name in enumerate(spec.features.text):
        words = TfidfVectorizer(sublinear_tf=True, max_features=_MOST_WORDS, min_df=least)
        steps.append((f"text_{number}", words, name))
    return ColumnTransformer(steps)


def _scaled(cap: float | None) -> Any:
    """Return a step that scales numbers to unit variance and caps them at `cap` deviations."""
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    if cap is None:
        return StandardScaler()
    ends = {"a_min": -cap, "a_max": cap}
    capped = FunctionTransformer(np.clip, kw_args=ends, feature_names_out="one-to-one")
    return Pipeline([("scale", StandardScaler()), ("cap", capped)])


def scaler_of(numeric: Any) -> tuple[Any, float | None]:
    """Return the StandardScaler of an encoder's numeric step, and its cap, if there is one."""
    if not hasattr(numeric, "steps"):  # nothing is capped, as in models from before there was a cap
        return numeric, None
    return numeric[0], float(numeric[1].kw_args["a_max"])


def mute(spec: ModelSpec, frame: pd.DataFrame) -> str | None:
    """Return a sentence on the first column from which nothing can be learnt, or None.

    That is a text without words, or a category or text of rare values only.
    """
    for kind, step, name in encoder(spec).transformers:
        if kind == "numeric":
            continue
        try:
            step.fit(frame[name])
        except (ValueError, AttributeError):  # scikit-learn's sentences name no column
            what = "category" if kind.startswith("categorical") else "word of two letters or more"
            rather = "" if what == "category" else "name it under features.categorical, "
            return (
                f"column {name!r}: no {what} stands in {spec.training.rare_below} rows or more of "
                f"the {len(frame)} that are fit, so there is nothing to learn from it; {rather}"
                "take it out of `features`, widen training.window, or lower training.rare_below"
            )
    return None


def encode(fitted: Any, rows: Rows) -> Any:
    """Return what the fitted transformation makes of rows, shape (n, d).

    As its own `transform` does, but each distinct text is read once: ten times faster.
    """
    import pandas as pd
    from scipy import sparse

    frame = pd.DataFrame(rows, copy=False)
    parts: list[Any] = []
    for kind, step, columns in fitted.transformers_:
        if isinstance(columns, str):
            # A missing text stays one, for scikit-learn to refuse.
            places, texts = pd.factorize(frame[columns], use_na_sentinel=False)
            parts.append(step.transform(texts)[places])
        elif kind != "remainder":
            parts.append(step.transform(frame[list(columns)]))
    if fitted.sparse_output_:
        return sparse.hstack(parts).tocsr()
    return np.hstack([p.toarray() if sparse.issparse(p) else p for p in parts])
