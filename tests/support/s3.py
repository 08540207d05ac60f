"""The service `s3` of `docker-compose.yaml`, with containers that are its clients there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from ops.native import __main__ as native
from ops.native import compose_file
from ops.team import make_secrets
from tests.support.compose import RAW
from tests.support.native import need_images, says, up
from tests.support.served import free_port

STORE = "s3://gatelatch"
CLIENTS = ("worker", "api-server", "metrics")
_SETTINGS = ("GATELATCH_STORE", "GATELATCH_STORE_PROFILE", "AWS_SHARED_CREDENTIALS_FILE")


@dataclass(frozen=True)
class Running:
    """The service, where it runs, and where it answers this machine."""

    home: Path
    port: int
    secrets: Path

    def says(self, container: str, code: str, *words: str) -> str:
        """Return what Python prints in a container."""
        return says(self.home, container, "python", "-c", code, *words)

    def secret(self, role: str) -> str:
        (line,) = [x for x in self.credentials(role).splitlines() if "secret_access_key" in x]
        return line.split(" = ")[1]

    def credentials(self, role: str) -> str:
        """Return a role's file of credentials, by which this machine's processes get there."""
        return (self.secrets / role).read_text().replace("s3:8333", f"127.0.0.1:{self.port}")


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    """Have it run for a while, as the file says, but that this machine reaches it, too."""
    port = free_port()
    s3 = {**RAW["services"]["s3"], "ports": [f"127.0.0.1:{port}:8333"]}
    mine = {name: one for name, one in RAW["secrets"].items() if name.startswith("store_")}
    file = folder / "compose.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "services": {"s3": s3, **{name: _client(name) for name in CLIENTS}},
                "volumes": {"s3": None},
                "secrets": mine,
            }
        )
    )
    make_secrets.make(folder / "secrets")
    settings = {
        "COMPOSE_PROFILES": "s3",
        "GATELATCH_STORE": STORE,
        "GATELATCH_SECRETS_DIR": str(folder / "secrets"),
    }
    need_images(compose_file.read(file, settings), but=[])
    with up(folder / "run", settings, file):
        native.wait_until_up(folder / "run", 120)
        yield Running(folder / "run", port, folder / "secrets")


def _client(name: str) -> dict[str, object]:
    """Return a service that sees the store as the one of that name does, and waits."""
    real = RAW["services"][name]
    return {
        "build": ".",
        "restart": "unless-stopped",
        "read_only": True,
        "command": ["sleep", "1000"],
        "environment": {key: real["environment"][key] for key in _SETTINGS},
        "secrets": [secret for secret in real["secrets"] if secret.startswith("store_")],
        "tmpfs": ["/tmp"],
        "depends_on": {"s3": {"condition": "service_healthy"}},
    }


def becomes(
    running: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, str]]:
    """Return what makes this process a client with a role's file, parts of it exchanged."""
    import s3fs

    def become(role: str, *exchanged: tuple[str, str]) -> dict[str, str]:
        text = running.credentials(role)
        for old, new in exchanged:
            assert old in text
            text = text.replace(old, new)
        file = folder / f"{role}-credentials"
        file.write_text(text)
        settings = {
            "GATELATCH_STORE": STORE,
            "GATELATCH_STORE_PROFILE": "gatelatch",
            "AWS_SHARED_CREDENTIALS_FILE": str(file),
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()  # which knows a client by its profile's name
        return settings

    return become
