"""Runs a server and ends it when it hangs: `python -m ops.watched URL -- COMMAND …`.

Docker starts again what ended, and leaves alone what is merely unhealthy. So a server that takes
connections and answers none of them would stay so for ever. Any answer counts as one, an error too:
whether a database behind it is there is not asked here.
"""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Annotated

import typer

_PATIENCE = 10.0  # seconds until a request is given up


def main(
    url: Annotated[str, typer.Argument(help="what the server has to answer")],
    command: Annotated[list[str], typer.Argument(help="what to run")],
    silent: Annotated[float, typer.Option(help="seconds without an answer that are borne")] = 60,
    start: Annotated[float, typer.Option(help="seconds until the first answer")] = 600,
    every: Annotated[float, typer.Option(help="seconds between two requests")] = 5,
) -> None:
    """Run the server until it ends, is told to stop, or is silent for too long."""
    server = subprocess.Popen(command)

    def hand_on(number: int, _: object) -> None:
        server.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, hand_on)
    heard, borne = time.monotonic(), start
    while (code := _ended(server, every)) is None:
        if answers(url, min(silent, _PATIENCE)):
            heard, borne = time.monotonic(), silent
        elif time.monotonic() - heard > borne:
            print(f"{url} gave no answer for {borne:.0f} s: the server is ended", file=sys.stderr)
            server.kill()
    # Of a signal, the number that a shell would give.
    raise typer.Exit(code if code >= 0 else 128 - code)


def _ended(server: subprocess.Popen[bytes], seconds: float) -> int | None:
    try:
        return server.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def answers(url: str, seconds: float) -> bool:
    """Return whether a server answers at all."""
    try:
        urllib.request.urlopen(url, timeout=seconds).close()
    except urllib.error.HTTPError:
        return True
    except (OSError, http.client.HTTPException):
        return False
    return True


if __name__ == "__main__":
    typer.run(main)
