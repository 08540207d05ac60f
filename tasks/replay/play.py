"""A policy on trial: a spec played over history by the functions that the DAGs call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

from tasks.replay.history import History
from tasks.replay.played import Played
from tasks.replay.playing import Playing
from tasks.replay.trained_model import Trained
from tasks.spec.model import ModelSpec


def play(
    spec: ModelSpec,
    history: History,
    first: int,
    span: timedelta,
    advance: Callable[[], None] = lambda: None,
) -> Played:
    """Play a spec over the windows of a history from `first` on.

    Parameters
    ----------
    span
        Event time before the window `first`, on which the first champion is trained.
    advance
        Called after each window.

    Raises
    ------
    TrainingError
        If the first champion cannot be trained. Where a later one cannot, it is asked for again.
    """
    run = Playing(spec, history, first, span)
    for _ in windows_of(run):
        advance()
    return run.played()


def windows_of(run: Playing, by_hand: Mapping[int, Trained] | None = None) -> Iterator[int]:
    """Play window after window, and yield the index of each once it is over.

    Parameters
    ----------
    by_hand
        Candidates that somebody promotes before a window, whatever their gates say.
    """
    by_hand = by_hand or {}
    for index in range(run.first, len(run.history.windows)):
        if index in by_hand:
            run.promote(by_hand[index], index)
        latch = run.observe(index)
        if not run.go_back(index) and latch.state == "open" and run.asks(index):
            run.retrain(index)
        yield index
