"""Services of a compose file, run as `python -m ops.native` runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops.native import __main__ as native
from ops.native.compose_file import Project
from ops.native.images import ROOT, NotHere, image_of


def need_native() -> None:
    """Skip the test where the machine cannot run services in bubblewrap."""
    if lacking := native.missing_tools():
        pytest.skip(f"not on this machine: {', '.join(lacking)}")
    own = ["--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "true"]
    done = subprocess.run(["unshare", *own], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no namespaces of a user's own: {done.stderr.strip()}")


def need_images(project: Project, but: Collection[str]) -> None:
    """Skip the test where the machine lacks the programs of a service that is not in `but`."""
    for service in project.services.values():
        if service.name not in but:
            try:
                image_of(service.image, service.ours)
            except NotHere as error:
                pytest.skip(str(error))


@contextmanager
def up(
    home: Path, settings: Mapping[str, str], file: Path = native.FILE
) -> Iterator[subprocess.Popen[bytes]]:
    """Have the services run for a while; all of them are gone afterwards."""
    need_native()
    command = [sys.executable, "-m", "ops.native", "up"]
    home.mkdir(parents=True, exist_ok=True)
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--home", str(home), "--file", str(file)],
            cwd=ROOT,
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()  # and the kernel ends all that is in its namespaces
        process.wait()


def says(home: Path, container: str, *words: str, code: int = 0) -> str:
    """Return what a program prints beside a container, which ends with that code."""
    done = subprocess.run(
        native.beside(home, container, list(words)), capture_output=True, text=True
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout
