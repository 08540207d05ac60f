"""The cut of time-ordered rows into those that fit, calibrate and judge."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.classifier.training import TrainingError


@dataclass(frozen=True)
class Cut:
    """Three disjoint slices of time-ordered rows: the oldest fit, the newest judge.

    `since` is the first row after what made the retrain necessary began, 0 if all rows are.
    """

    fit: slice
    calibrate: slice
    judge: slice
    since: int = 0


def cut_rows(rows: int, *, calibrate: float, judge: float, since: int = 0) -> Cut:
    """Return the slices of `rows` time-ordered rows.

    `calibrate` and `judge` are shares of the rows from `since` on: what calibrates and judges is
    from after the change for which the model is retrained. Where these are too few for a row in
    each, they are shares of all rows.

    Raises
    ------
    TrainingError
        If a slice would be empty.
    """
    fresh = rows - since
    if not (round(fresh * judge) and round(fresh * calibrate)):
        since, fresh = 0, rows
    last = rows - round(fresh * judge)
    middle = last - round(fresh * calibrate)
    if not 0 < middle < last < rows:
        raise TrainingError(
            f"{rows} labelled rows cannot be cut into fit, calibrate ({calibrate:.0%}) and judge "
            f"({judge:.0%}); widen training.window, wait for more labels, or change the shares"
        )
    return Cut(slice(0, middle), slice(middle, last), slice(last, rows), since)


def cut_unfitted(rows: int, *, calibrate: float, judge: float) -> Cut:
    """Return the slices where nothing is fit: the same shares, of each other.

    Raises
    ------
    TrainingError
        If a slice would be empty.
    """
    last = rows - round(rows * judge / (calibrate + judge))
    if not 0 < last < rows:
        raise TrainingError(
            f"{rows} labelled rows cannot be cut into calibrate and judge; wait for more labels"
        )
    return Cut(slice(0, 0), slice(0, last), slice(last, rows))
