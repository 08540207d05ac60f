"""How the demo tells what it does: steps, bars, and the memory that the stack took."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from ops import stack_processes

out = Console(highlight=False, soft_wrap=True)


@contextmanager
def timed(text: str) -> Iterator[None]:
    """Say what is done, and afterwards how long it took."""
    begun = time.monotonic()
    with out.status(text):
        yield
    out.print(f"[green]✓[/] {text} [dim]{time.monotonic() - begun:.0f} s[/]")


@contextmanager
def bar(text: str, total: int) -> Iterator[Any]:
    """Yield what is told how many windows are done; on a terminal a bar grows."""
    begun = time.monotonic()
    columns = (SpinnerColumn(), TextColumn(text), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as progress:
        task = progress.add_task(text, total=total)
        yield lambda done: progress.update(task, completed=done)
    out.print(f"[green]✓[/] {text}: {total} windows [dim]{time.monotonic() - begun:.0f} s[/]")


@contextmanager
def peak_memory(home: Path) -> Iterator[dict[str, int]]:
    """Yield the most memory that a stack took so far, in `bytes`."""
    peak = {"bytes": 0}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(2):
            peak["bytes"] = max(peak["bytes"], stack_processes.memory(home))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()
