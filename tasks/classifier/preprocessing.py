"""How a model prepares its features: its steps, and what they learnt; ready for JSON. Pure."""

from __future__ import annotations

import hashlib
from typing import Any

from tasks.classifier import adopted, skops_file
from tasks.classifier.encoding import scaler_of


def structure(model: Any) -> list[Any]:
    """Return the transformations' kinds, features and their order.

    Parameters
    ----------
    model
        A fitted pipeline, or a calibrated one.
    """
    if (foreign := adopted.adopted_pipeline(model)) is not None:
        steps = [[name, type(step).__name__] for name, step in foreign.steps[:-1]]
        return [adopted.STEP, steps, [str(name) for name in foreign.feature_names_in_]]
    return [
        [name, _kind(step), [columns] if isinstance(columns, str) else list(columns)]
        for name, step, columns in _transform(model).transformers_
    ]


def preprocessing_of(model: Any) -> list[Any]:
    """Return the structure, and what each transformation learnt."""
    if (foreign := adopted.adopted_pipeline(model)) is not None:
        files = [skops_file.dump(step) for _, step in foreign.steps[:-1]]
        return [structure(model), [hashlib.sha256(file).hexdigest() for file in files]]
    return [structure(model), [_fitted(step) for _, step, _ in _transform(model).transformers_]]


def _transform(model: Any) -> Any:
    return getattr(model, "estimator", model)[0]


def _kind(step: Any) -> str:
    if not hasattr(step, "steps"):
        return type(step).__name__
    scaler, cap = scaler_of(step)
    return f"{type(scaler).__name__}, capped at {cap!r}"


def _fitted(step: Any) -> Any:
    """Return what a transformation learnt, ready for JSON; floats to the last bit."""
    if hasattr(step, "steps"):
        step, _ = scaler_of(step)
    if hasattr(step, "mean_"):
        return [step.mean_.tolist(), step.scale_.tolist()]
    if hasattr(step, "categories_"):
        return [[str(value) for value in values] for values in step.categories_]
    if hasattr(step, "vocabulary_"):
        places = {word: int(place) for word, place in step.vocabulary_.items()}
        return [places, step.idf_.tolist()] if hasattr(step, "idf_") else [places]
    return str(step)
