"""`docker-compose.yaml`, `Dockerfile` and `.env.example`, read for the tests about them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ops.native.compose_file import filled

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yaml").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
HOME = "/opt/gatelatch/"

# ${NAME}, ${NAME:-default} or ${NAME:?reason}, innermost first
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<how>:?[-?+])?(?P<rest>[^${}]*)\}")


def variables() -> dict[str, set[tuple[str, str]]]:
    """Return each variable of the compose file with the ways in which it is used."""
    found: dict[str, set[tuple[str, str]]] = {}
    text = TEXT
    while match := _VARIABLE.search(text):
        found.setdefault(match["name"], set()).add((match["how"] or "", match["rest"]))
        text = text.replace(match[0], "")
    return found


RAW = yaml.safe_load(TEXT)
PROJECT = filled(RAW, {})
SERVICES: dict[str, dict[str, Any]] = PROJECT["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
ENVIRONMENT = [
    (name, key, str(value))
    for name, service in SERVICES.items()
    for key, value in service.get("environment", {}).items()
]


def instructions(word: str) -> list[list[str]]:
    """Return the arguments of each Dockerfile instruction of that name."""
    return [shlex.split(line)[1:] for line in DOCKERFILE if line.startswith(f"{word} ")]


COPIED = [source for copy in instructions("COPY") for source in copy[:-1]]


def mounts(name: str) -> Iterator[tuple[str, str, bool]]:
    """Yield source and target of a service's volumes, and whether they are read only."""
    for volume in SERVICES[name].get("volumes", []):
        source, target, *options = volume.split(":")
        yield source, target, "ro" in options


def programs(service: dict[str, Any]) -> Iterator[list[str]]:
    """Yield the arguments of every program that a service starts, its health check included."""
    test = service.get("healthcheck", {}).get("test", ["CMD"])
    for arguments in (
        service["command"],
        test[1:] if test[0] == "CMD" else ["sh", "-c", *test[1:]],
    ):
        if arguments[:1] == ["sh"]:
            lines = [shlex.split(line.removeprefix("exec ")) for line in arguments[-1].splitlines()]
            # An assignment of the shell, or a program of the system, is no program of ours.
            yield from (line for line in lines if "=" not in line[0] and line[0] not in _SHELL)
        elif arguments:
            yield arguments


_SHELL = ("cp", "export")
PROGRAMS = [(name, program) for name, service in OURS.items() for program in programs(service)]


def seeing(file: str) -> set[str]:
    """Return the services that see the folder of a file."""
    return {
        name
        for name in SERVICES
        for _, target, _ in mounts(name)
        if Path(file).parent.is_relative_to(target)
    }
