"""What scores a window: the champion's model and, in a canary, that of the version before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.classifier import calibration
from tasks.classifier.finite import need_finite
from tasks.classifier.margins import confidence
from tasks.classifier.scoring import decision_values
from tasks.scoring.sides import Sides
from tasks.spec.model import ModelSpec

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """The version that scores the keys which are not the champion's yet; `sides` says which."""

    model: Any
    version: int
    artifact_digest: str
    sides: Sides


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """A version's model, the promotion by which it is champion, and in a canary the `earlier` one.

    Without `earlier` the champion scores all rows.
    """

    model: Any
    version: int
    promotion: int
    artifact_digest: str
    earlier: Earlier | None = None


class Answers(NamedTuple):
    """What was said of rows, each of shape (n,); `decided` is the index of the class."""

    confidence: NDArray[Any]
    probability: NDArray[Any]
    decided: NDArray[Any]
    version: NDArray[Any]


def answered(
    spec: ModelSpec, scorer: Scorer, keys: pa.Array, columns: Mapping[str, NDArray[Any]]
) -> Answers:
    """Return what the version on whose side a row's key is says of the row.

    Parameters
    ----------
    columns
        The features of the rows of these keys, each of shape (n,).

    Raises
    ------
    tasks.classifier.finite.NotFinite
        If a score is no number.
    """
    earlier = scorer.earlier
    if earlier is None:
        return _said(spec, scorer, len(keys), columns)
    mine = earlier.sides.of_champion(keys)
    found = Answers(
        np.empty(len(keys)),
        np.empty(len(keys)),
        np.empty(len(keys), np.int64),
        np.empty(len(keys), np.int32),
    )
    for version, rows in ((scorer, mine), (earlier, ~mine)):
        theirs = {name: column[rows] for name, column in columns.items()}
        for whole, part in zip(found, _said(spec, version, int(rows.sum()), theirs), strict=True):
            whole[rows] = part
    return found


def _said(
    spec: ModelSpec, by: Scorer | Earlier, rows: int, columns: Mapping[str, NDArray[Any]]
) -> Answers:
    classes = len(spec.label.classes)
    with np.errstate(over="ignore", invalid="ignore"):  # named by need_finite
        decision = (
            decision_values(by.model, columns)
            if rows
            else np.empty(0 if classes == 2 else (0, classes))
        )
    need_finite(decision)
    chance = calibration.probabilities(by.model, decision)
    if decision.ndim == 1:
        index, likely = (decision > 0).astype(np.int64), chance[:, 1]
    else:
        index = decision.argmax(axis=1)
        likely = chance[np.arange(rows), index]
    return Answers(confidence(decision), likely, index, np.full(rows, by.version, np.int32))
