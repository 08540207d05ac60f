"""A webhook on the loopback that keeps the messages it gets, and can be out of order."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, Literal

SECRET = "sekret-token-in-the-path"  # of each address: it may be shown nowhere


@dataclass
class Sink:
    """What it got, and how it answers now: `hangs` keeps the message and never says so."""

    port: int
    answer: int | Literal["hangs", "drips"] = 200
    got: list[dict[str, Any]] = field(default_factory=list)
    over: Event = field(default_factory=Event)
    lock: Any = field(default_factory=Lock)

    @property
    def url(self) -> str:
        """Return its address as Apprise writes it."""
        return f"json://127.0.0.1:{self.port}/{SECRET}"

    @property
    def titles(self) -> list[str]:
        return [one["title"] for one in self.got]


@contextmanager
def sink() -> Iterator[Sink]:
    """Serve until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            with here.lock:
                answer = here.answer
                if answer in (200, "hangs", "drips"):
                    here.got.append(json.loads(content))
            if answer == "hangs":
                here.over.wait()
            elif answer == "drips":
                self._drip()
            else:
                self.send_response(int(answer))
                self.end_headers()

        def _drip(self) -> None:
            """Send a byte now and then, so that no wait for the next one is long."""
            try:
                while not here.over.is_set():
                    self.wfile.write(b"H")
                    self.wfile.flush()
                    time.sleep(0.05)
            except OSError:
                pass

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        here = Sink(server.server_port)
        worker = Thread(target=server.serve_forever, daemon=True)
        worker.start()
        try:
            yield here
        finally:
            here.over.set()
            server.shutdown()
            worker.join()
