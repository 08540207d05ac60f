"""What a long command shows while it runs, and the warnings that it keeps for the end."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from tasks.replay.trial import Stage


@contextmanager
def bars(console: Console) -> Iterator[Stage]:
    """Show bars on a terminal, and nothing elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as shown:

        def stage(name: str, total: int | None) -> Callable[..., None]:
            task = shown.add_task(name, total=total)
            return lambda steps=1: shown.advance(task, steps)

        yield stage


@contextmanager
def said_while(console: Console) -> Iterator[Callable[[str], None]]:
    """Yield what says in one line of a terminal what is being done; elsewhere nothing is said."""
    if not console.is_terminal:
        yield lambda text: None
        return
    with console.status("") as shown:
        yield lambda text: shown.update(text)


@contextmanager
def unconverged() -> Iterator[list[warnings.WarningMessage]]:
    """Collect warnings of fits that did not converge; pass all others on."""
    from sklearn.exceptions import ConvergenceWarning

    found: list[warnings.WarningMessage] = []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ConvergenceWarning)
        yield found
    for warning in said:
        if issubclass(warning.category, ConvergenceWarning):
            found.append(warning)
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
