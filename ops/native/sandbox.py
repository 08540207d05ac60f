"""How a container is started without a Docker engine: by bubblewrap, with what the file gives it.

It sees its own image, volumes, secrets and network under the paths and names of the compose file,
and nothing else of this machine. It has no capability, and another user's number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ops.native.compose_file import Project, Service
from ops.native.images import ROOT, Image

_UID = "1000"
# What programs of this machine need of it; the rest of /etc stays outside.
_ETC = (
    *("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types"),
    *("nsswitch.conf", "protocols", "services", "ssl", "host.conf", "gai.conf"),
)


@dataclass(frozen=True)
class Container:
    """One instance of a service."""

    name: str
    service: Service
    image: Image
    address: str


def command(container: Container, project: Project, home: Path, hosts: Path) -> list[str]:
    """Return what starts a program in a container, in front of the program's own words."""
    service, image = container.service, container.image
    made = ["bwrap", *_alone(container.name), *_system(), "--ro-bind", str(hosts), "/etc/hosts"]
    for name, text in _accounts(home).items():
        made += ["--ro-bind", str(text), f"/etc/{name}"]
    for folder in ("/tmp", "/run", "/var/tmp", *image.folders):
        made += ["--dir", folder]
    of_image = [(inside, ["--ro-bind", str(source)]) for source, inside in image.binds]
    # What lies in another one comes after it; at one place, what the file says covers the image.
    for target, words in sorted([*of_image, *_mounts(service, home)], key=lambda m: m[0]):
        made += [*words, target]
    for name in service.secrets:
        made += ["--ro-bind", str(_host_path(project.secrets[name])), f"/run/secrets/{name}"]
    if service.read_only:
        made += ["--remount-ro", "/"]
    settings = {"LANG": "C.UTF-8", **image.environment, **service.environment}
    for key, value in {**settings, "HOSTNAME": container.name}.items():
        made += ["--setenv", key, value]
    return [*made, "--chdir", image.workdir, "--"]


def program(container: Container) -> list[str]:
    """Return what a container runs."""
    service, image = container.service, container.image
    if service.entrypoint:  # then nothing of the image's own is left
        return [*service.entrypoint, *service.command]
    return [*image.entrypoint, *(service.command or image.command)]


def _alone(name: str) -> list[str]:
    return [
        *("--unshare-user", "--unshare-pid", "--unshare-uts", "--unshare-ipc"),
        *("--uid", _UID, "--gid", _UID, "--hostname", name),
        *("--cap-drop", "ALL", "--die-with-parent", "--new-session", "--clearenv"),
    ]


def _system() -> Iterator[str]:
    yield from ("--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev")
    for name in ("bin", "sbin", "lib", "lib64"):
        path = Path("/") / name
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), str(path))
        elif path.exists():
            yield from ("--ro-bind", str(path), str(path))
    for name in _ETC:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")


def _accounts(home: Path) -> dict[str, Path]:
    """Return the files of users and groups, which know the user of a container."""
    lines = {
        "passwd": f"gatelatch:x:{_UID}:{_UID}::/tmp:/bin/sh\n",
        "group": f"gatelatch:x:{_UID}:\n",
    }
    for name, line in lines.items():
        (home / name).write_text(line)
    return {name: home / name for name in lines}


def _mounts(service: Service, home: Path) -> Iterator[tuple[str, list[str]]]:
    for target in service.tmpfs:
        yield target, ["--tmpfs"]
    for source, target, read_only in service.mounts:
        bind = "--ro-bind" if read_only else "--bind"
        if source.startswith((".", "/", "~")):
            yield target, [bind, str(_host_path(source))]
        else:
            volume = home / "volumes" / source
            volume.mkdir(parents=True, exist_ok=True)
            yield target, [bind, str(volume)]


def _host_path(text: str) -> Path:
    """Return a path of the compose file on this machine."""
    return (ROOT / Path(text).expanduser()).resolve()
