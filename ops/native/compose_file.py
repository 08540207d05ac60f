"""What `docker-compose.yaml` says, with its variables filled in. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

# ${NAME}, ${NAME:-default} or ${NAME:?reason}, innermost first
_VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?:(?P<how>:[-?])(?P<rest>[^${}]*))?\}")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


class ComposeError(Exception):
    """The file, or what it needs, is not as it has to be: names the service or variable."""


@dataclass(frozen=True)
class Health:
    """How a service is asked whether it is well; times in seconds."""

    command: list[str]
    interval: float
    timeout: float
    retries: int
    start_period: float
    start_interval: float


@dataclass(frozen=True)
class Service:
    """One service, as the file has it."""

    name: str
    image: str
    ours: bool
    entrypoint: list[str]
    command: list[str]
    environment: dict[str, str]
    health: Health | None
    waits_for: dict[str, str]
    may_lack: set[str]
    mounts: list[tuple[str, str, bool]]
    secrets: list[str]
    tmpfs: list[str]
    ports: list[tuple[str, int, int]]
    read_only: bool
    restarts: bool
    replicas: int
    grace: float
    profiles: list[str]


@dataclass(frozen=True)
class Project:
    """The whole file; `resting` are the services of profiles that are not asked for."""

    services: dict[str, Service]
    resting: dict[str, Service]
    secrets: dict[str, str]
    volumes: list[str]

    def in_order(self) -> Iterator[Service]:
        """Yield the services, each behind those that it waits for."""
        done: set[str] = set()
        while len(done) < len(self.services):
            ready = [s for s in self.services.values() if s.name not in done]
            ready = [s for s in ready if s.waits_for.keys() <= done]
            if not ready:
                raise ComposeError(f"these wait for each other: {self.services.keys() - done}")
            for service in ready:
                done.add(service.name)
                yield service


def read(file: Path, variables: Mapping[str, str]) -> Project:
    """Return what a compose file says. COMPOSE_PROFILES names the profiles that are asked for.

    Raises
    ------
    ComposeError
        If a variable that must be set is not, or a service waits for one that is not asked for.
    """
    raw = filled(yaml.safe_load(file.read_text()), variables)
    asked = {name.strip() for name in variables.get("COMPOSE_PROFILES", "").split(",")}
    every = {name: _service(name, one) for name, one in raw["services"].items()}
    resting = {
        name: one
        for name, one in every.items()
        if one.profiles and not asked & {"*", *one.profiles}
    }
    return Project(
        services={
            name: _waiting(one, resting) for name, one in every.items() if name not in resting
        },
        resting=resting,
        secrets={name: one["file"] for name, one in raw.get("secrets", {}).items()},
        volumes=list(raw.get("volumes", {})),
    )


def filled(node: Any, variables: Mapping[str, str]) -> Any:
    """Return a node with its variables filled in, as compose does; an empty one counts as none."""
    if isinstance(node, dict):
        return {key: filled(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [filled(value, variables) for value in node]
    if not isinstance(node, str):
        return node

    def value(found: re.Match[str]) -> str:
        given = variables.get(found["name"]) or ""
        if not given and found["how"] == ":?":
            raise ComposeError(f"{found['name']} is not set: {found['rest']}")
        return (given or found["rest"] or "").replace("$", "$$")

    while _VARIABLE.search(node):
        node = _VARIABLE.sub(value, node)
    return node.replace("$$", "$")


def _waiting(service: Service, resting: Mapping[str, Service]) -> Service:
    """Return a service that waits for none of those that are not asked for."""
    for other in service.waits_for.keys() & resting.keys() - service.may_lack:
        profiles = ",".join(resting[other].profiles)
        raise ComposeError(
            f"{service.name} waits for {other}: COMPOSE_PROFILES={profiles} starts it"
        )
    left = {other: how for other, how in service.waits_for.items() if other not in resting}
    return replace(service, waits_for=left)


def _service(name: str, raw: dict[str, Any]) -> Service:
    waits = raw.get("depends_on", {})
    return Service(
        name=name,
        image=raw.get("image", ""),
        ours="build" in raw,
        entrypoint=_words(raw.get("entrypoint", [])),
        command=_words(raw.get("command", [])),
        environment={key: str(value) for key, value in raw.get("environment", {}).items()},
        health=_health(raw["healthcheck"]) if "healthcheck" in raw else None,
        waits_for={other: wait["condition"] for other, wait in waits.items()},
        may_lack={other for other, wait in waits.items() if not wait.get("required", True)},
        mounts=[_mount(volume) for volume in raw.get("volumes", [])],
        secrets=raw.get("secrets", []),
        tmpfs=raw.get("tmpfs", []),
        ports=[_port(port) for port in raw.get("ports", [])],
        read_only=raw.get("read_only", False),
        restarts=raw.get("restart", "no") != "no",
        replicas=int(raw.get("deploy", {}).get("replicas", 1)),
        grace=_seconds(raw.get("stop_grace_period", "10s")),
        profiles=raw.get("profiles", []),
    )


def _words(raw: str | list[str]) -> list[str]:
    return shlex.split(raw) if isinstance(raw, str) else raw


def _health(raw: dict[str, Any]) -> Health:
    kind, *test = raw["test"]
    return Health(
        command=["sh", "-c", *test] if kind == "CMD-SHELL" else test,
        interval=_seconds(raw["interval"]),
        timeout=_seconds(raw["timeout"]),
        retries=raw["retries"],
        start_period=_seconds(raw["start_period"]),
        start_interval=_seconds(raw["start_interval"]),
    )


def _seconds(text: str) -> float:
    parts = re.findall(r"([\d.]+)(ms|s|m|h)", text)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _mount(text: str) -> tuple[str, str, bool]:
    """Return source, target, and whether it is read only."""
    source, target, *options = text.split(":")
    return source, target, "ro" in options


def _port(text: str) -> tuple[str, int, int]:
    address, outside, inside = text.rsplit(":", 2)
    return address, int(outside), int(inside)
