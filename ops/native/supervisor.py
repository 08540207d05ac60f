"""Starts containers in the order of the file, asks after their health, starts again what died."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from ops.native.sandbox import Container, program

_TICK = 0.2
_REAP_EVERY = 25  # ticks
_LONGEST_BACKOFF = 30.0


@dataclass
class Supervised:
    """A container and what is known of it."""

    container: Container
    inside: list[str]
    log: Path
    state: str = "waiting"
    restarts: int = 0
    process: subprocess.Popen[bytes] | None = None
    check: subprocess.Popen[bytes] | None = None
    started: float = 0
    asked: float = 0
    failures: int = 0
    not_before: float = field(default=0)

    def start(self, now: float) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.inside, *program(self.container)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us: we end them in order
            )
        service = self.container.service
        lasting = "running" if service.restarts else "working"
        self.state = lasting if service.health is None else "starting"
        self.started, self.asked, self.failures = now, now, 0

    def look(self, now: float) -> None:
        """Take in what became of the process, and ask after its health when it is time."""
        if self.process is None:
            return
        if (code := self.process.poll()) is not None:
            self._ended(code, now)
        elif self.container.service.health is not None:
            self._ask(now)

    def _ended(self, code: int, now: float) -> None:
        self.process = None
        self._end_check()
        if not self.container.service.restarts:
            self.state = "done" if code == 0 else f"failed with code {code}"
            return
        # A container that ran for a while starts again at once, as with Docker.
        self.restarts = self.restarts + 1
        lived = now - self.started
        wait = 0.5 if lived > 10 else min(_LONGEST_BACKOFF, 0.5 * 2 ** min(self.restarts, 6))
        self.state, self.not_before = "waiting", now + wait

    def _ask(self, now: float) -> None:
        health = self.container.service.health
        assert health is not None
        if self.check is None:
            young = self.state == "starting" and now - self.started < health.start_period
            if now - self.asked >= (health.start_interval if young else health.interval):
                self.asked = now
                with self.log.with_suffix(".health.log").open("wb") as log:
                    self.check = subprocess.Popen(
                        [*self.inside, *health.command],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
            return
        code = self.check.poll()
        if code is None and now - self.asked < health.timeout:
            return
        self._end_check()
        self.asked = now
        if code == 0:
            self.state, self.failures = "healthy", 0
        elif now - self.started > health.start_period or self.state == "healthy":
            self.failures += 1
            if self.failures >= health.retries:
                self.state = "unhealthy"

    def _end_check(self) -> None:
        if self.check is not None:
            self.check.kill()
            self.check.wait()
            self.check = None

    def ask_to_end(self, now: float) -> None:
        """Send what Docker sends first, to the program alone."""
        self._end_check()
        self.asked, self.state = now, "stopping"
        if self.process is None:
            return
        with suppress(psutil.Error, IndexError):
            # bubblewrap, then the first process of the container, then the program.
            first = psutil.Process(self.process.pid).children()[0]
            first.children()[0].send_signal(signal.SIGTERM)

    def has_ended(self, now: float) -> bool:
        """Return whether it is over; kill what has not ended in its time of grace."""
        if self.process is None:
            return True
        if self.process.poll() is None:
            if now - self.asked < self.container.service.grace:
                return False
            self.process.kill()
            self.process.wait()
        self.process, self.state = None, "stopped"
        return True


class Supervisor:
    """Keeps all containers of a project as the file wants them."""

    def __init__(self, all_of_them: list[Supervised], skipped: dict[str, str], home: Path) -> None:
        self._all = all_of_them
        self._skipped = skipped
        self._file = home / "status.json"
        self._known: dict[str, dict[str, str | int]] = {}
        self.stopping = False

    def run(self) -> int:
        """Return 0 when told to stop, 1 if something that runs once failed."""
        ticks = 0
        while not self.stopping:
            now = time.monotonic()
            ticks += 1
            if ticks % _REAP_EVERY == 0:
                self._reap()
            for one in self._all:
                if one.state == "waiting" and now >= one.not_before and self._may_start(one):
                    one.start(now)
                one.look(now)
            self._write()
            if any(one.state.startswith("failed") for one in self._all):
                break
            time.sleep(_TICK)
        failed = any(one.state.startswith("failed") for one in self._all)
        self._stop()
        return int(failed)

    def _stop(self) -> None:
        """End all containers, each when nothing that waits for it at a start runs any more."""
        # What runs no more keeps the state that says how it ended.
        left = [one for one in self._all if one.process is not None]
        while left:
            now = time.monotonic()
            needed = {name for one in left for name in one.container.service.waits_for}
            for one in left:
                if one.container.service.name not in needed and one.state != "stopping":
                    one.ask_to_end(now)
            left = [one for one in left if one.state != "stopping" or not one.has_ended(now)]
            self._write()
            time.sleep(_TICK / 4)

    def _reap(self) -> None:
        """Take leave of what lost its parent: it is ours, since this is the first process."""
        known = {p.pid for one in self._all for p in (one.process, one.check) if p is not None}
        for child in psutil.Process().children():
            with suppress(psutil.Error, OSError):
                if child.pid not in known and child.status() == psutil.STATUS_ZOMBIE:
                    os.waitpid(child.pid, os.WNOHANG)

    def _may_start(self, one: Supervised) -> bool:
        if one.restarts:
            return True
        wanted = {
            "service_healthy": {"healthy"},
            "service_completed_successfully": {"done"},
            "service_started": {"running", "working", "starting", "healthy", "unhealthy"},
        }
        return all(
            all(o.state in wanted[how] for o in self._all if o.container.service.name == name)
            for name, how in one.container.service.waits_for.items()
        )

    def _write(self) -> None:
        """Tell a person what is new, and keep the whole for programs."""
        states: dict[str, dict[str, str | int]] = {
            one.container.name: {"state": one.state, "restarts": one.restarts} for one in self._all
        }
        for name, why in self._skipped.items():
            states[name] = {"state": f"skipped: {why}", "restarts": 0}
        if states == self._known:
            return
        for name, one in states.items():
            if one != self._known.get(name) and one["state"] != "waiting":
                print(f"{name:<16} {one['state']}", flush=True)
        self._known = states
        partial = self._file.with_suffix(".partial")
        partial.write_text(json.dumps(states, indent=1))
        partial.replace(self._file)
