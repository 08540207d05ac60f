"""`docker-compose.yaml` without a Docker engine: `python -m ops.native up`.

Each service runs in bubblewrap, with the command, environment, mounts, secrets, health check and
dependencies of the file: docs/deployment.md. Needs Linux, bubblewrap and iproute2.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console

from ops.native import compose_file, images, network, sandbox
from ops.native.compose_file import ComposeError, Project, Service
from ops.native.images import ROOT, NotHere
from ops.native.sandbox import Container
from ops.native.supervisor import Supervised, Supervisor
from ops.team.make_secrets import settings_in

_TOOLS = {"bwrap": "bubblewrap", "ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux"}

out = Console(highlight=False, soft_wrap=True)
app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
Home = Annotated[Path, typer.Option(help="folder that holds volumes, logs and states")]
File = Annotated[Path, typer.Option(help="compose file")]
Profiles = Annotated[
    list[str] | None,
    typer.Option("--profile", help="profile to start, beside those of COMPOSE_PROFILES"),
]
FILE = ROOT / "docker-compose.yaml"


def missing_tools() -> list[str]:
    """Return what this needs and the machine has not, each with its Debian package."""
    return [f"{tool} ({package})" for tool, package in _TOOLS.items() if not shutil.which(tool)]


def project(file: Path, profiles: Collection[str] = ()) -> Project:
    """Return the project, with its variables from the environment and from `.env`."""
    variables = {**settings_in(ROOT / ".env"), **os.environ}
    asked = ",".join([*profiles, variables.get("COMPOSE_PROFILES", "")])
    return compose_file.read(file, {**variables, "COMPOSE_PROFILES": asked})


def require_secrets(asked: Project) -> None:
    """Raise ComposeError unless the file of each secret is there and holds something."""
    lacking = []
    for name, file in asked.secrets.items():
        path = (ROOT / file).resolve()
        if not path.is_file() or not path.stat().st_size:
            lacking.append(f"{name} ({file})")
    if lacking:
        raise ComposeError(
            f"no secret {', '.join(lacking)}: `make secrets` makes what is missing; remove a file "
            "that is empty first"
        )


@app.command()
def up(home: Home = Path(".run/team"), file: File = FILE, profile: Profiles = None) -> None:
    """Start all services and keep them running until this process is told to stop."""
    home = home.resolve()
    try:
        asked = project(file, profile or ())
        require_secrets(asked)
        if lacking := missing_tools():
            raise ComposeError(f"not on this machine: {', '.join(lacking)}")
        listening = _listen(asked)
    except ComposeError as error:
        out.print(f"[red]{error}[/]")
        raise typer.Exit(1) from None
    (home / "logs").mkdir(parents=True, exist_ok=True)
    (home / "status.json").unlink(missing_ok=True)
    (home / "pid").write_text(str(os.getpid()))
    for service in asked.services.values():
        for address, outside, _ in service.ports:
            out.print(f"{service.name:<16} will answer at [bold]http://{address}:{outside}[/]")
    for service in asked.resting.values():
        out.print(
            f"{service.name:<16} rests: COMPOSE_PROFILES={','.join(service.profiles)} starts it"
        )
    out.print(f"{'logs':<16} {home / 'logs'}")
    if password := asked.secrets.get("admin_password"):
        out.print(f"{'password':<16} of Airflow's first user: {password}")
    os.chdir(ROOT)
    own = ("--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--mount-proc")
    words = ["unshare", *own, "--kill-child", sys.executable, "-m", "ops.native", "inside"]
    kept = ["--home", str(home), "--file", str(file.resolve()), "--ports", json.dumps(listening)]
    kept += [f"--profile={name}" for name in profile or ()]
    os.execvp(words[0], [*words, *kept])


def _listen(asked: Project) -> dict[str, int]:
    """Open the published ports; return the descriptor of each, by service and inner port."""
    found = {}
    for service in asked.services.values():
        for address, outside, inner in service.ports:
            try:
                one = socket.create_server((address, outside))
            except OSError as error:
                raise ComposeError(f"{service.name}: {address}:{outside}: {error}") from None
            one.set_inheritable(True)
            found[f"{service.name}:{inner}"] = one.detach()
    return found


@app.command(hidden=True)
def inside(
    home: Home, file: File, ports: Annotated[str, typer.Option()], profile: Profiles = None
) -> None:
    """Run all services; called by `up` in namespaces of its own."""
    asked, listening = project(file, profile or ()), json.loads(ports)
    network.create()
    services, skipped = _to_be_had(asked)
    containers = _containers(services)
    hosts = home / "hosts"
    network.hosts(hosts, {c.address: [c.name, c.service.name] for c in containers})
    supervised, entries = [], {}
    for number, one in enumerate(containers):
        entry = network.connect(one.name, one.address, number)
        entries[one.name] = [*entry, *sandbox.command(one, asked, home, hosts)]
        supervised.append(Supervised(one, entries[one.name], home / "logs" / f"{one.name}.log"))
    (home / "entries.json").write_text(json.dumps(entries))
    first = {c.service.name: c.address for c in reversed(containers)}
    network.publish(
        {
            number: (first[name], int(port))
            for published, number in listening.items()
            for name, port in [published.split(":")]
            if name in first
        }
    )
    keeper = Supervisor(supervised, skipped, home)

    def stop(*_: object) -> None:
        keeper.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    raise typer.Exit(keeper.run())


def _to_be_had(asked: Project) -> tuple[dict[str, tuple[Service, images.Image]], dict[str, str]]:
    """Return the services that can run here, and why the others cannot."""
    here: dict[str, tuple[Service, images.Image]] = {}
    skipped: dict[str, str] = {}
    for service in asked.in_order():
        absent = [name for name in service.waits_for if name in skipped]
        try:
            if absent:
                raise NotHere(f"it waits for {', '.join(absent)}")
            here[service.name] = service, images.image_of(service.image, service.ours)
        except NotHere as error:
            skipped[service.name] = str(error)
    return here, skipped


def _containers(services: dict[str, tuple[Service, images.Image]]) -> list[Container]:
    found: list[Container] = []
    for service, image in services.values():
        for number in range(1, service.replicas + 1):
            name = service.name if service.replicas == 1 else f"{service.name}-{number}"
            found.append(Container(name, service, image, network.address_of(len(found))))
    return found


@app.command()
def down(home: Home = Path(".run/team")) -> None:
    """Stop all services; what is in their volumes stays."""
    first = _first(home)
    if first is None:
        out.print("nothing was running")
        return
    first.send_signal(signal.SIGTERM)
    first.wait()
    out.print("stopped")


@app.command()
def ps(home: Home = Path(".run/team")) -> None:
    """Show the state of each container."""
    for name, one in states(home.resolve()).items():
        again = f", started again {one['restarts']} times" if one["restarts"] else ""
        out.print(f"{name:<16} {one['state']}{again}")


def states(home: Path) -> dict[str, dict[str, object]]:
    """Return the state of each container, by name."""
    file = home / "status.json"
    found: dict[str, dict[str, object]] = json.loads(file.read_text()) if file.exists() else {}
    return found


@app.command(context_settings={"ignore_unknown_options": True})
def run(name: str, words: list[str], home: Home = Path(".run/team")) -> None:
    """Run a program beside a container, in an equal one: `run worker-1 python -m tasks status`."""
    raise typer.Exit(subprocess.run(beside(home.resolve(), name, words), check=False).returncode)


def beside(home: Path, name: str, words: list[str]) -> list[str]:
    """Return what runs a program in a container equal to the one of that name."""
    first = _first(home)
    if first is None:
        raise ComposeError("nothing is running")
    entry = json.loads((home / "entries.json").read_text())[name]
    into = ("--user", "--net", "--mount", "--pid", "--preserve-credentials")
    return ["nsenter", "--target", str(first.pid), *into, *entry, *words]


def _first(home: Path) -> psutil.Process | None:
    """Return the process that keeps all services; None if it does not run."""
    try:
        outer = psutil.Process(int((home / "pid").read_text()))
        if "ops.native" not in " ".join(outer.cmdline()):
            return None
        return outer.children()[0]
    except (OSError, psutil.Error, IndexError):
        return None


def wait_until_up(home: Path, seconds: float) -> None:
    """Return when each container is healthy or done. Raises TimeoutError, RuntimeError."""
    deadline = time.monotonic() + seconds
    well = ("healthy", "done", "running", "skipped")
    while time.monotonic() < deadline:
        found = states(home)
        said = {name: str(one["state"]) for name, one in found.items()}
        if said and all(state.startswith(well) for state in said.values()):
            return
        if broken := {n: s for n, s in said.items() if s.startswith(("failed", "unhealthy"))}:
            raise RuntimeError(f"{broken}: see {home / 'logs'}")
        time.sleep(0.5)
    raise TimeoutError(f"not up after {seconds:.0f} s: {states(home)}; see {home / 'logs'}")


if __name__ == "__main__":
    app()
