"""What runs a server and ends it when it hangs."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ops.watched import answers

QUICK = ("--silent", "2", "--every", "0.2")


@pytest.fixture
def url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"http://127.0.0.1:{probe.getsockname()[1]}/none"  # answered with an error


@pytest.fixture
def watched(url: str, tmp_path: Path) -> Iterator[psutil.Popen]:
    port = url.split(":")[2].split("/")[0]
    server = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", port]
    with (tmp_path / "log").open("wb") as log:
        one = psutil.Popen(
            [sys.executable, "-m", "ops.watched", url, *QUICK, "--", *server],
            cwd=Path(__file__).parents[2],
            stdout=log,
            stderr=log,
        )
    deadline = time.monotonic() + 60
    while not answers(url, 1):
        assert time.monotonic() < deadline, (tmp_path / "log").read_text()
        time.sleep(0.1)
    yield one
    for process in [*one.children(), one] if one.is_running() else []:
        process.kill()
    one.wait()


def test_a_server_that_hangs_is_ended_and_the_reason_said(
    watched: psutil.Popen, url: str, tmp_path: Path
) -> None:
    time.sleep(3)  # an answer that is an error keeps it alive, for longer than it may be silent
    assert watched.is_running()
    (server,) = watched.children()
    server.suspend()
    assert watched.wait(30) == 128 + signal.SIGKILL
    assert not server.is_running()
    assert f"{url} gave no answer for 2 s" in (tmp_path / "log").read_text()


def test_a_server_is_told_to_stop_as_its_watcher_is(watched: psutil.Popen) -> None:
    (server,) = watched.children()
    watched.terminate()
    assert watched.wait(30) == 128 + signal.SIGTERM
    assert not server.is_running()


def test_a_server_that_ends_hands_on_how(url: str) -> None:
    words = [sys.executable, "-m", "ops.watched", url, *QUICK]
    done = subprocess.run([*words, "--", sys.executable, "-c", "raise SystemExit(3)"], check=False)
    assert done.returncode == 3


def test_a_server_that_never_answers_is_ended(url: str) -> None:
    words = [sys.executable, "-m", "ops.watched", url, *QUICK, "--start", "1"]
    sleeps = [sys.executable, "-c", "import time; time.sleep(60)"]
    done = subprocess.run([*words, "--", *sleeps], check=False, capture_output=True, text=True)
    assert done.returncode == 128 + signal.SIGKILL
    assert "gave no answer for 1 s" in done.stderr
