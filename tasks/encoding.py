"""How feature columns become numbers: alike in training, in the monitor and where MLflow serves.

All of it is scikit-learn's own, so that a model's file needs nothing of ours to be loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.spec import ModelSpec

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from tasks.linear import Rows

# One token, the whole text. Numbers with a gap are floats in pandas: 7.0 is the category 7.
_WHOLE = r"(?s)\A(.*?)(?:\.0)?\Z"
_MOST_WORDS = 50_000


def as_text(column: pa.Array) -> pa.Array:
    """Return categories or texts of any type as the texts that Python makes of the values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_boolean(column.type):  # Arrow would write true, and a served True is "True"
        return pc.if_else(column, "True", "False")
    return column if column.type == pa.string() else column.cast(pa.string(), safe=False)


def encoder(spec: ModelSpec) -> Any:
    """Return the unfitted transformation of the spec's features.

    A category is a text of one token: unlike scikit-learn's one-hot encoder, a vectoriser takes
    values of any type by their text, and keeps nothing of those that are rare.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.preprocessing import StandardScaler

    least = spec.training.rare_below
    steps: list[tuple[str, Any, Any]] = []
    if spec.features.numeric:
        steps.append(("numeric", StandardScaler(), list(spec.features.numeric)))
    for number, name in enumerate(spec.features.categorical):
        categories = CountVectorizer(
            preprocessor=str, token_pattern=_WHOLE, binary=True, min_df=least, dtype=np.float64
        )
        steps.append((f"categorical_{number}", categories, name))
    for number, name in enumerate(spec.features.text):
        words = TfidfVectorizer(sublinear_tf=True, max_features=_MOST_WORDS, min_df=least)
        steps.append((f"text_{number}", words, name))
    return ColumnTransformer(steps)


def mute(spec: ModelSpec, frame: pd.DataFrame) -> str | None:
    """Return a sentence on the first column that nothing can be learnt of, None if there is none.

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
        elif kind == "categorical":
            parts.append(step.transform(_as_then(step, frame[list(columns)])))
        elif kind != "remainder":
            parts.append(step.transform(frame[list(columns)]))
    if fitted.sparse_output_:
        return sparse.hstack(parts).tocsr()
    return np.hstack([p.toarray() if sparse.issparse(p) else p for p in parts])


def _as_then(step: Any, frame: pd.DataFrame) -> pd.DataFrame:
    """Return categories as models of before 0.2 were trained on them: booleans in small letters."""
    small = {"True": "true", "False": "false"}
    for name, known in zip(frame.columns, step.categories_, strict=True):
        if not set(small) & set(known):
            frame = frame.assign(**{name: frame[name].replace(small)})
    return frame
