"""A look at what is due, in a process that kills itself at one of its steps to the outside.

The steps are not listed by hand: an audit hook sees what goes to the network, SQLAlchemy each
transaction that writes.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sys
from datetime import datetime
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tasks.notices import channels, sender
from tasks.spec import spec_files
from tests.support.asked import AIRFLOW

_WRITES = re.compile(r"insert into (notices|deliveries)", re.IGNORECASE)


class Looks:
    """Plays looks, each in a fork of one process that has imported everything."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__, "apprise"])
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
            forkserver.ensure_running()

    def play(self, now: datetime, kill: int | None = None) -> list[str]:
        """Return the steps of a look, the last of them the one at which it was killed."""
        here, there = self._context.Pipe(duplex=False)
        settings = {k: v for k, v in os.environ.items() if k.startswith("GATELATCH_")}
        process = self._context.Process(target=_look, args=(settings, now, kill, there))
        process.start()
        there.close()
        steps = []
        while True:
            try:
                steps.append(here.recv())
            except EOFError:
                break
        process.join()
        assert process.exitcode == (0 if kill is None else -signal.SIGKILL)
        return steps


def _look(settings: dict[str, str], now: datetime, kill: int | None, said: Connection) -> None:
    os.environ.update(settings)
    count, writes = 0, list[str]()

    def step(name: str) -> None:
        nonlocal count
        said.send(name)
        if count == kill:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    def statement(_: Any, __: Any, text: str, *___: Any) -> None:
        if found := _WRITES.match(text.lstrip()):
            writes.append(found[1])

    def commit(_: sa.Connection) -> None:
        if writes:
            step(f"commit {writes.pop()}")
            writes.clear()

    def network(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "http.client.send"):
            step(event)

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", statement)
    sa.event.listen(sa.engine.Engine, "commit", commit)
    sys.addaudithook(network)
    found = channels.channels_of_file()
    assert found is not None
    sender.send_due(spec_files.load_all()[0], found, now, AIRFLOW, say=lambda _: None)
