"""Services without a Docker engine: what a small compose file gets, on this machine, in earnest."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from ops.faults import containers
from ops.native import __main__ as native
from ops.native import network, sandbox
from ops.native.compose_file import Service, read
from ops.native.images import ROOT, NotHere, image_of
from ops.native.network import address_of
from ops.native.sandbox import Container
from ops.team import make_secrets
from tests.support.native import need_native, says, up

FILE = """
services:
  first:
    build: .
    restart: "no"
    command: [sh, -euc, "echo made > /var/lib/gatelatch/store/first"]
    volumes: ["shared:/var/lib/gatelatch/store"]
  server:
    build: .
    restart: unless-stopped
    read_only: true
    command: [python, -m, http.server, "8000", --directory, /var/lib/gatelatch/store]
    environment: {WORD: "$${HOME} is not $HOME"}
    secrets: [word]
    tmpfs: [/tmp]
    ports: ["127.0.0.1:${PORT}:8000"]
    volumes: ["shared:/var/lib/gatelatch/store:ro"]
    healthcheck: &health
      test: [CMD, python, -c, "from urllib.request import urlopen; urlopen('http://localhost:8000/first')"]
      interval: 1s
      timeout: 5s
      retries: 3
      start_period: 60s
      start_interval: 200ms
    depends_on: {first: {condition: service_completed_successfully}}
  hangs:
    build: .
    restart: unless-stopped
    command:
      [python, -m, ops.watched, --silent, "2", --every, "0.5", "http://localhost:8001",
       --, python, -m, http.server, "8001"]
    healthcheck:
      test: [CMD, python, -c, "from urllib.request import urlopen; urlopen('http://localhost:8001')"]
      <<: *health
  asks:
    build: .
    restart: unless-stopped
    command:
      - sh
      - -euc
      - |
        python -c "from urllib.request import urlopen; print(urlopen('http://server:8000/first').read())"
        sleep 1000
    deploy: {replicas: 2}
    depends_on: {server: {condition: service_healthy}}
  nowhere:
    image: grafana/grafana:12.1.1
    restart: unless-stopped
  behind:
    build: .
    restart: unless-stopped
    command: [sleep, "1000"]
    depends_on: {nowhere: {condition: service_started}}
  wanted:
    build: .
    profiles: [few, most]
    restart: unless-stopped
    entrypoint: [sleep]
    command: ["1000"]
  resting:
    build: .
    profiles: [others]
    restart: unless-stopped
    command: [sleep, "1000"]
volumes: {shared: }
secrets: {word: {file: "${SECRETS}/word"}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Path]:
    """Return the folder of a small project that runs."""
    home = tmp_path_factory.mktemp("native")
    (home / "compose.yaml").write_text(FILE)
    (home / "word").write_text("s3cret")
    settings = {"PORT": str(port), "SECRETS": str(home), "COMPOSE_PROFILES": "most"}
    with up(home / "run", settings, home / "compose.yaml"):
        native.wait_until_up(home / "run", 120)
        yield home / "run"


def awaited(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_each_service_starts_when_those_before_it_are_done_or_healthy(home: Path) -> None:
    states = {name: one["state"] for name, one in native.states(home).items()}
    assert states["first"] == "done"
    assert states["server"] == "healthy"
    assert states["asks-1"] == states["asks-2"] == "running"


def test_a_service_without_a_program_here_is_skipped_by_name_and_so_is_who_waits_for_it(
    home: Path,
) -> None:
    states = {name: one["state"] for name, one in native.states(home).items()}
    assert states["nowhere"] == "skipped: grafana/grafana is in no package of Debian"
    assert states["behind"] == "skipped: it waits for nowhere"


def test_a_service_of_a_profile_runs_where_that_is_asked_for_and_else_rests_by_name(
    home: Path,
) -> None:
    states = native.states(home)
    assert states["wanted"]["state"] == "running"
    assert "resting" not in states
    assert (
        "resting          rests: COMPOSE_PROFILES=others starts it" in (home / "up.log").read_text()
    )


def test_services_reach_each_other_by_name_and_a_volume_is_shared(home: Path) -> None:
    for name in ("asks-1", "asks-2"):
        awaited(lambda name=name: "b'made\\n'" in (home / "logs" / f"{name}.log").read_text())


def test_a_published_port_answers_on_the_loopback(home: Path, port: int) -> None:
    assert urlopen(f"http://127.0.0.1:{port}/first").read() == b"made\n"


def test_a_container_has_the_environment_of_the_file_and_none_of_this_machine(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = json.loads(
        says(home, "server", "python", "-c", "import json, os; print(json.dumps(dict(os.environ)))")
    )
    assert seen["WORD"] == "${HOME} is not $HOME"
    assert seen["HOSTNAME"] == "server"
    assert seen["AIRFLOW_HOME"] == "/opt/airflow"  # of the image
    assert not seen.keys() & {"SECRETS", "PYTEST_CURRENT_TEST"}


def test_a_container_sees_its_secrets_and_no_folder_of_this_machine(home: Path) -> None:
    assert says(home, "server", "cat", "/run/secrets/word") == "s3cret"
    assert "absent" in says(home, "asks-1", "sh", "-c", "cat /run/secrets/word || echo absent")
    here = Path(__file__).resolve()
    assert "absent" in says(home, "server", "sh", "-c", f"ls {here} || echo absent")


def test_a_container_runs_without_root_and_rights_and_cannot_write_where_it_must_not(
    home: Path,
) -> None:
    status = says(home, "server", "cat", "/proc/self/status")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert says(home, "server", "id", "-u") == "1000\n"
    for place in ("/", "/usr", "/opt/gatelatch", "/var/lib/gatelatch/store", "/run/secrets"):
        said = says(home, "server", "sh", "-c", f"touch {place}/x 2>&1 || echo refused")
        assert "refused" in said, place
    assert says(home, "server", "sh", "-c", "touch /tmp/x && echo written") == "written\n"


def test_what_dies_is_started_again(home: Path) -> None:
    before = native.states(home)["asks-1"]["restarts"]
    (victim,) = (
        process
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"] == ["sleep", "1000"]
        and process.environ().get("HOSTNAME") == "asks-1"
    )
    victim.send_signal(signal.SIGKILL)
    awaited(lambda: native.states(home)["asks-1"]["restarts"] == int(str(before)) + 1)
    awaited(lambda: native.states(home)["asks-1"]["state"] == "running")


def test_a_server_that_hangs_starts_again_and_is_healthy(home: Path) -> None:
    assert native.states(home)["hangs"]["restarts"] == 0
    (server,) = (
        process for program in containers.programs(home, "hangs") for process in program.children()
    )
    server.suspend()
    awaited(lambda: native.states(home)["hangs"]["restarts"] == 1)
    awaited(lambda: native.states(home)["hangs"]["state"] == "healthy")


def test_what_runs_once_and_fails_ends_all_and_names_itself(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services: {first: {build: ., restart: 'no', command: [sh, -c, 'exit 3']}}"
    )
    with up(tmp_path / "run", {}, tmp_path / "compose.yaml") as process:
        with pytest.raises(RuntimeError, match=r"first.*failed with code 3"):
            native.wait_until_up(tmp_path / "run", 60)
        assert process.wait(60) == 1


def test_ctrl_c_ends_programs_in_their_time_of_grace(tmp_path: Path) -> None:
    saying = "trap 'echo goodbye; exit 0' TERM; echo ready; while :; do sleep 0.1; done"
    one = {"build": ".", "restart": "unless-stopped", "command": ["sh", "-c", saying]}
    (tmp_path / "compose.yaml").write_text(json.dumps({"services": {"one": one}}))
    log = tmp_path / "run" / "logs" / "one.log"
    with up(tmp_path / "run", {}, tmp_path / "compose.yaml") as process:
        awaited(lambda: log.exists() and "ready" in log.read_text())
        for each in (process.pid, psutil.Process(process.pid).children()[0].pid):
            os.kill(each, signal.SIGINT)  # as a terminal does to all of its group
        assert process.wait(60) == 0
    assert "goodbye" in log.read_text()
    assert native.states(tmp_path / "run")["one"]["state"] == "stopped"


def test_a_start_without_a_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(FILE)
    settings = {**os.environ, "PORT": str(free_port()), "SECRETS": str(tmp_path)}
    command = [sys.executable, "-m", "ops.native", "up", "--home", str(tmp_path / "run")]
    done = subprocess.run(
        [*command, "--file", str(tmp_path / "compose.yaml")],
        env=settings,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "no secret word" in done.stdout
    assert "make secrets" in done.stdout


# --- without a process


def server(tmp_path: Path) -> tuple[Service, list[str]]:
    (tmp_path / "compose.yaml").write_text(FILE)
    project = read(tmp_path / "compose.yaml", {"PORT": "1", "SECRETS": str(tmp_path)})
    one = project.services["server"]
    container = Container("server", one, image_of("", ours=True), address_of(0))
    return one, sandbox.command(container, project, tmp_path, tmp_path / "hosts")


def test_no_word_of_a_secret_is_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "word").write_text("s3cret")
    _, words = server(tmp_path)
    assert str(tmp_path / "word") in words
    assert "s3cret" not in " ".join(words)


def test_a_volume_of_the_file_covers_what_the_image_has_at_its_place(tmp_path: Path) -> None:
    project = read(ROOT / "docker-compose.yaml", {"GATELATCH_MODELS_DIR": str(tmp_path)})
    one = project.services["worker"]
    container = Container("worker-1", one, image_of("", ours=True), address_of(0))
    words = sandbox.command(container, project, tmp_path, tmp_path / "hosts")
    places = [k for k, word in enumerate(words) if word == "/opt/gatelatch/models"]
    assert [words[k - 1] for k in places if words[k - 2] == "--ro-bind"] == [
        str(ROOT / "models"),
        str(tmp_path),
    ]


SPILL = """
from pathlib import Path
from tasks.data import duck
with duck.connection("x") as link:
    link.execute("set memory_limit='20MB'; set threads=1")
    link.execute("create table t as select random()::varchar as x from range(1_500_000)")
    (folder,) = link.execute("select current_setting('temp_directory')").fetchone()
    spilled = sum(file.stat().st_size for file in Path(folder).iterdir())
# Beside it, where nobody cleans up.
(Path(folder).parents[1] / "spilled").write_text(str(spilled))
"""


def test_what_a_worker_spills_lands_in_its_volume(tmp_path: Path) -> None:
    need_native()
    make_secrets.make(tmp_path / "secrets")
    project = read(ROOT / "docker-compose.yaml", {"GATELATCH_SECRETS_DIR": f"{tmp_path}/secrets"})
    service = project.services["worker"]
    container = Container("worker-1", service, image_of("", ours=True), address_of(0))
    network.hosts(tmp_path / "hosts", {})
    inside = sandbox.command(container, project, tmp_path, tmp_path / "hosts")
    done = subprocess.run([*inside, "python", "-c", SPILL], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int((tmp_path / "volumes" / "scratch" / "spilled").read_text()) > 10_000_000


def test_an_entrypoint_of_the_file_leaves_nothing_of_the_images_own(tmp_path: Path) -> None:
    one, _ = server(tmp_path)
    image = replace(image_of("", ours=True), entrypoint=["own"], command=["words"])
    for given, ran in (
        ({"entrypoint": ["sh", "-c"], "command": ["true"]}, ["sh", "-c", "true"]),
        ({"entrypoint": ["sh"], "command": []}, ["sh"]),
        ({"command": ["true"]}, ["own", "true"]),
        ({"command": []}, ["own", "words"]),
    ):
        container = Container("one", replace(one, **given), image, address_of(0))
        assert sandbox.program(container) == ran


def test_what_stands_in_for_the_store_on_s3_is_its_real_program() -> None:
    image = image_of("chrislusf/seaweedfs:4.48@sha256:0", ours=False)
    said = subprocess.run([*image.entrypoint, "version"], capture_output=True, text=True)
    pinned = read(ROOT / "docker-compose.yaml", {"COMPOSE_PROFILES": "s3"}).services["s3"].image
    assert f" {pinned.split(':')[1].split('@')[0]} " in said.stdout


@pytest.mark.parametrize("name", ["grafana/grafana:12@sha256:0", "minio/minio:3"])
def test_an_image_that_nothing_stands_in_for_is_named(name: str) -> None:
    with pytest.raises(NotHere, match=name.split(":")[0]):
        image_of(name, ours=False)
