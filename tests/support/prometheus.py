"""The tools of Prometheus and Alertmanager, which say whether what they are given is right."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import yaml

Seen = TypeVar("Seen")

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "ops" / "monitoring"

PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "amtool": "prometheus-alertmanager",
    "prometheus-alertmanager": "prometheus-alertmanager",
}
_TEMPLATES = Path("/usr/share/prometheus/alertmanager")  # Debian's Alertmanager looks nowhere else


def found(tool: str) -> str:
    """Return where a tool is; the test is skipped where it is not on PATH."""
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"{tool} is not on PATH: it is in Debian's package {PACKAGES[tool]}")
    return path


def tool_says(tool: str, *arguments: str, given: str | None = None) -> tuple[int, str]:
    """Return with what code a tool ends, and all that it says."""
    command = [found(tool), *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def promtool_says(page: str) -> str:
    """Return what `promtool check metrics` finds wrong with a page; empty if nothing."""
    code, said = tool_says("promtool", "check", "metrics", given=page)
    return said + (f"ended with {code}" * bool(code))


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus that runs, at this address."""

    url: str

    def asked(self, path: str, **parameters: str) -> Any:
        """Return the `data` of an answer of its API."""
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=30)
        return answer.raise_for_status().json()["data"]

    def alerts(self, name: str) -> list[dict[str, Any]]:
        """Return the alerts of that name that fire."""
        found: list[dict[str, Any]] = self.asked("alerts")["alerts"]
        firing = (one for one in found if one["state"] == "firing")
        return [one for one in firing if one["labels"]["alertname"] == name]


def awaited(look: Callable[[], Seen], wanted: str, seconds: float = 60) -> Seen:
    """Return what is seen as soon as there is something to see."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {wanted}"
        time.sleep(0.2)
    return seen


@contextmanager
def prometheus(folder: Path, config: dict[str, Any]) -> Iterator[Prometheus]:
    """Start a Prometheus on the loopback with this configuration, and stop it in the end."""
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        found("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
    ]
    with _serving(command, folder / "prometheus.log") as url:
        yield Prometheus(url)


@contextmanager
def alertmanager(folder: Path, config: Path) -> Iterator[str]:
    """Start an Alertmanager on the loopback, yield its address, and stop it in the end."""
    command = [
        found("prometheus-alertmanager"),
        f"--config.file={config}",
        f"--storage.path={folder / 'alertmanager'}",
        "--cluster.listen-address=",
    ]
    for needed in ("default.tmpl", "email.tmpl"):
        if not (_TEMPLATES / needed).exists():
            pytest.skip(f"{_TEMPLATES / needed} is missing: install prometheus-alertmanager")
    with _serving(command, folder / "alertmanager.log") as url:
        yield url


@contextmanager
def _serving(command: list[str], log: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [*command, f"--web.listen-address={address}"]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:

        def ready() -> bool:
            assert process.poll() is None, log.read_text()
            with suppress(httpx.TransportError):
                return httpx.get(f"http://{address}/-/ready", timeout=5).is_success
            return False

        try:
            awaited(ready, command[0])
            yield f"http://{address}"
        finally:
            process.terminate()


@contextmanager
def watching(folder: Path, *options: str) -> Iterator[Prometheus]:
    """Start a Prometheus with the example's configuration, and what it scrapes, every second."""
    config: dict[str, Any] = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    config["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(MONITORING / "rules.yml")]
    del config["alerting"]
    with metrics_process(*options) as address:
        (scrape,) = config["scrape_configs"]
        scrape |= {"scrape_timeout": "1s", "static_configs": [{"targets": [address]}]}
        with prometheus(folder, config) as one:
            yield one


@contextmanager
def metrics_process(*options: str) -> Iterator[str]:
    """Start `python -m tasks metrics` in this environment, and yield its host and port."""
    command = [sys.executable, "-m", "tasks", "metrics", "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        address = re.search(r"http://(127\.0\.0\.1:\d+)/metrics", said)
        try:
            assert address is not None, said
            yield address[1]
        finally:
            process.terminate()
