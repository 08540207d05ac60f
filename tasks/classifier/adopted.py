"""A pipeline that was fit elsewhere: what it must be to take a candidate's place, and its scores.

It is kept as the one step `adopted` of a pipeline, which tells it from those that we fit. Of a
model that is never here it is a pipeline that returns the logged margin.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np

from tasks.arrays import Floats
from tasks.data.frame import Rows
from tasks.errors import Final
from tasks.spec.model import ModelSpec

STEP = "adopted"
_LOGGED = "logged"  # the last step of one that returns what production logged
NO_MODEL = (
    "not available: margins only. Production logs the margins, and the model itself is not here"
)


class NotAdoptable(Final):
    """A model that cannot take a candidate's place: says why, and the way out."""


class CannotScore(Final, ValueError):
    """Rows that an adopted pipeline refuses; its own words may hold a value, and are not quoted."""


def adopted_pipeline(model: Any) -> Any | None:
    """Return the pipeline inside of an adopted model, fitted or calibrated; None if it is ours."""
    name, step = getattr(model, "estimator", model).steps[0]
    return step if name == STEP else None


def logged_pipeline(column: str) -> Any:
    """Return a pipeline whose decision value is a column of the rows: the margin that is logged.

    So a version without a model is kept, signed, calibrated and verified like any other.
    """
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline
    from sklearn.svm import LinearSVC

    picked = ColumnTransformer([("margin", "passthrough", [column])])
    picked.fit(pd.DataFrame({column: [0.0]}))
    same = LinearSVC()
    same.coef_, same.intercept_ = np.ones((1, 1)), np.zeros(1)
    same.classes_, same.n_features_in_ = np.arange(2), 1
    return Pipeline([(STEP, Pipeline([("margin", picked), (_LOGGED, same)]))])


def is_logged(model: Any) -> bool:
    """Return whether a fitted or calibrated model is what `logged_pipeline` returns."""
    pipeline = adopted_pipeline(model)
    return pipeline is not None and pipeline.steps[-1][0] == _LOGGED


def as_candidate(spec: ModelSpec, handed_in: Any) -> Any:
    """Return a fitted model as a pipeline that takes a candidate's place; it is not changed itself.

    Its decision values stay as they are. Its classes become their indices, as ours are.

    Raises
    ------
    NotAdoptable
        If it gives no decision values, or was fit on other features or classes than the spec's, or
        on features in another order.
    """
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline

    if not isinstance(handed_in, BaseEstimator):
        raise NotAdoptable(
            f"it holds a {type(handed_in).__name__}, which is no scikit-learn estimator; save the "
            "fitted pipeline itself"
        )
    found = deepcopy(handed_in)
    pipeline = found if isinstance(found, Pipeline) else Pipeline([("model", found)])
    _require_decision(pipeline)
    _require_features(spec, pipeline)
    _require_classes(spec, pipeline)
    try:
        pipeline[-1].classes_ = np.arange(len(spec.label.classes))
    except AttributeError:
        raise NotAdoptable(
            f"its last step is a {type(pipeline[-1]).__name__}, whose classes are those of a model "
            "within; save that model, such as best_estimator_, as the last step"
        ) from None
    return Pipeline([(STEP, pipeline)])


def require_adopted(spec: ModelSpec, kept: Any) -> Any:
    """Return what `as_candidate` made, if it is for this spec. Raises NotAdoptable."""
    pipeline = adopted_pipeline(kept)
    if pipeline is None:
        raise NotAdoptable("it was not kept by `python -m tasks adopt`; hand it in there")
    _require_decision(pipeline)
    _require_features(spec, pipeline)
    if len(pipeline[-1].classes_) != len(spec.label.classes):
        raise NotAdoptable("the spec's label.classes have changed since; hand it in again")
    return kept


def _require_decision(pipeline: Any) -> None:
    if not hasattr(pipeline, "decision_function"):
        raise NotAdoptable(
            f"its last step, {type(pipeline[-1]).__name__}, has no decision_function, so it gives "
            "no margins; hand in a classifier that has one, such as LinearSVC, SVC, SGDClassifier "
            "or LogisticRegression"
        )


def _require_features(spec: ModelSpec, pipeline: Any) -> None:
    names = getattr(pipeline, "feature_names_in_", None)
    wanted = list(spec.features.columns)
    if names is None:
        raise NotAdoptable(
            "it does not know the names of its features, so nobody can tell their order: it is not "
            f"fitted, or was fit on an array; fit it on a frame with the columns {wanted}"
        )
    found = [str(name) for name in names]
    if missing := [name for name in found if name not in wanted]:
        raise NotAdoptable(
            f"it was fit on {', '.join(missing)}, which `features` of the spec does not name; name "
            "it there, or fit without it"
        )
    if extra := [name for name in wanted if name not in found]:
        raise NotAdoptable(
            f"it was not fit on {', '.join(extra)}, which `features` of the spec names; take it "
            "out there, or fit with it"
        )
    if found != wanted and not _takes_names(pipeline[0]):
        raise NotAdoptable(
            f"it was fit on the features in the order {found}, and the spec has {wanted}; write "
            "`features` in that order, or fit it on a frame with the spec's"
        )


def _takes_names(step: Any) -> bool:
    """Return whether a step finds all of its columns by their names, whatever their order."""
    selected = [
        columns for _, kind, columns in getattr(step, "transformers_", ()) if kind != "drop"
    ]
    return bool(selected) and all(
        isinstance(name, str)
        for columns in selected
        for name in ([columns] if isinstance(columns, str) else columns)
    )


def _require_classes(spec: ModelSpec, pipeline: Any) -> None:
    found = [str(name) for name in pipeline[-1].classes_]
    if found != list(spec.label.names):
        raise NotAdoptable(
            f"its classes are {found}, and label.classes of the spec are "
            f"{list(spec.label.names)}; write them there in this order: of two classes the second "
            "is the one with positive decision values"
        )


def score_adopted(pipeline: Any, rows: Rows) -> tuple[Floats, Any]:
    """Return decision values, shape (n,) or (n, k), and what a linear last step weighs.

    That has the shape (n, d); (n, 0) where nobody can say which feature a margin comes from.

    Raises
    ------
    CannotScore
        If the pipeline refuses the rows, or its decision values have another shape.
    """
    import pandas as pd

    frame = pd.DataFrame(rows, copy=False)
    if pipeline.steps[-1][0] == _LOGGED and pipeline.feature_names_in_[0] not in frame:
        raise CannotScore(
            f"{NO_MODEL}; leave `margins_only` in training.estimator and its column in "
            "source.margin, or name the model that is trained here otherwise"
        )
    frame = frame[list(pipeline.feature_names_in_)]
    weighed: Any = np.empty((len(frame), 0))
    try:
        if weighed_features(pipeline) is None:
            decision = pipeline.decision_function(frame)
        else:
            weighed = pipeline[:-1].transform(frame) if len(pipeline) > 1 else frame
            decision = pipeline[-1].decision_function(weighed)
            weighed = weighed.tocsr() if hasattr(weighed, "tocsr") else np.asarray(weighed)
    except (ValueError, TypeError, KeyError) as error:
        raise CannotScore(
            f"the adopted pipeline refuses these rows ({type(error).__name__}): let it take values "
            "that its fit did not see, or bound them with an expectation"
        ) from None
    decision, classes = np.asarray(decision, dtype=np.float64), len(pipeline[-1].classes_)
    if decision.shape != ((len(frame),) if classes == 2 else (len(frame), classes)):
        raise CannotScore(
            f"the adopted pipeline gives decision values of the shape {decision.shape} for "
            f"{len(frame)} rows and {classes} classes; let it give one for each class, as "
            "decision_function_shape='ovr' does, and of two classes one for each row"
        )
    return decision, weighed


def weighed_features(pipeline: Any) -> tuple[list[str], list[int]] | None:
    """Return the features in the order of a linear last step's inputs, and the first of each.

    None where nobody can say which feature a margin comes from: the last step is not linear, a
    step before it mixes features, or the margin was logged.
    """
    from sklearn.linear_model._base import LinearClassifierMixin

    if pipeline.steps[-1][0] == _LOGGED or not isinstance(pipeline[-1], LinearClassifierMixin):
        return None
    names = [str(name) for name in pipeline.feature_names_in_]
    steps = [step for _, step in pipeline.steps[:-1]]
    sizes = [(name, 1) for name in names]
    if steps and hasattr(steps[0], "transformers_"):
        found = _sizes_of(steps.pop(0))
        if found is None:
            return None
        sizes = found
    # What follows keeps each column where it is, if it names its outputs after its inputs.
    outputs = [f"{place}" for place in range(sum(size for _, size in sizes))]
    if any(_named(step, outputs) != outputs for step in steps):
        return None
    firsts = np.cumsum([0, *(size for _, size in sizes)])[:-1]
    return [name for name, _ in sizes], [int(first) for first in firsts]


def _sizes_of(transform: Any) -> list[tuple[str, int]] | None:
    """Return of each feature how many columns a ColumnTransformer makes of it, in their order."""
    sizes: list[tuple[str, int]] = []
    for kind, step, columns in transform.transformers_:
        place = transform.output_indices_[kind]
        width = place.stop - place.start
        if not width:
            continue
        names = [columns] if isinstance(columns, str) else [str(name) for name in columns]
        if len(names) == 1:
            sizes.append((names[0], width))
        elif width == len(names) and (step == "passthrough" or _named(step, names) == names):
            sizes += [(name, 1) for name in names]
        else:
            return None
    return sizes


def _named(step: Any, names: list[str]) -> list[str] | None:
    """Return how a step names what it makes of columns; None if it does not say."""
    if step == "passthrough":
        return names
    try:
        known = getattr(step, "feature_names_in_", None)
        given = np.array(names, dtype=object) if known is None else known
        out = [str(name) for name in step.get_feature_names_out(given)]
    except (AttributeError, ValueError):
        return None
    return names if known is not None and out == [str(name) for name in known] else out
