"""What a model was made by: digests of how it prepares its features. Pure."""

from __future__ import annotations

from typing import Any

from tasks.evidence import digest


def preprocessing_structure(model: Any) -> str:
    """Return the digest of the transformations' kinds, features and their order.

    Parameters
    ----------
    model
        A fitted pipeline, or a calibrated one.
    """
    return digest(_steps(model))


def preprocessing_digest(model: Any) -> str:
    """Return the digest of the transformations, features, their order, and what was fitted."""
    fitted = [_fitted(step) for _, step, _ in _transform(model).transformers_]
    return digest([_steps(model), fitted])


def _transform(model: Any) -> Any:
    return getattr(model, "estimator", model)[0]


def _steps(model: Any) -> list[Any]:
    return [
        [name, type(step).__name__, [columns] if isinstance(columns, str) else list(columns)]
        for name, step, columns in _transform(model).transformers_
    ]


def _fitted(step: Any) -> Any:
    """Return what a transformation learnt, ready for JSON; floats to the last bit."""
    if hasattr(step, "mean_"):
        return [step.mean_.tolist(), step.scale_.tolist()]
    if hasattr(step, "categories_"):
        return [[str(value) for value in values] for values in step.categories_]
    if hasattr(step, "vocabulary_"):
        places = {word: int(place) for word, place in step.vocabulary_.items()}
        return [places, step.idf_.tolist()]
    return str(step)
