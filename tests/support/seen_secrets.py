"""Which secrets a machine's processes show, looked for while they come and go."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

_EVERY = 0.05  # seconds: a program of Airflow or PostgreSQL needs longer than this to start


_OF_AWS = re.compile(r"^aws_secret_access_key = (\S+)$", re.MULTILINE)


def secrets_of_team(folder: Path) -> SeenSecrets:
    """Return what looks for all that `make secrets` made; of AWS's credentials, for their key."""
    texts = {file.name: file.read_text() for file in folder.iterdir() if file.is_file()}
    parts = {name: _OF_AWS.search(text) for name, text in texts.items()}
    return SeenSecrets({n: part[1] if (part := parts[n]) else text for n, text in texts.items()})


class SeenSecrets:
    """Looks at the command line and the environment of every process, again and again.

    `on_command_lines` and `in_environments` say which secret was seen, and in which program.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = {name: text.strip().encode() for name, text in secrets.items()}
        assert all(self._secrets.values()), "an empty secret is everywhere"
        self._known: set[tuple[str, bytes]] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.on_command_lines: set[tuple[str, str]] = set()
        self.in_environments: set[tuple[str, str]] = set()
        self.looks = 0
        self.programs: set[str] = set()

    def __enter__(self) -> SeenSecrets:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.is_set():
            self.look()
            self._over.wait(_EVERY)

    def look(self) -> None:
        """Look once at all that runs."""
        alive = set()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended, or is another user's
                words = (process / "cmdline").read_bytes()
                alive.add(one := (process.name, words))
                # An environment changes with its program alone, so it is read once for each.
                if one not in self._known:
                    self._read(process, words)
        self._known = alive
        self.looks += 1

    def _read(self, process: Path, words: bytes) -> None:
        program = words.split(b"\0")[0].decode(errors="replace").rpartition("/")[2]
        self.programs.add(program)
        self.on_command_lines |= {(name, program) for name in self._held(words)}
        settings = (process / "environ").read_bytes()
        self.in_environments |= {(name, program) for name in self._held(settings)}

    def _held(self, content: bytes) -> Iterator[str]:
        yield from (name for name, text in self._secrets.items() if text in content)
