"""A network of the project's own: an address for each container, and the published ports.

All of it is in a network namespace that this process is alone in: no other program reaches it, and
nothing of it stays when the process ends.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

_BRIDGE = "gatelatch0"
_SUBNET = "10.89.7"


def address_of(number: int) -> str:
    """Return the address of the container of that number, which counts from 0."""
    return f"{_SUBNET}.{number + 2}"


def create() -> None:
    """Make the bridge that all containers hang on."""
    _run("mount", "-t", "tmpfs", "none", "/run")
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", _BRIDGE, "type", "bridge")
    _run("ip", "address", "add", f"{_SUBNET}.1/24", "dev", _BRIDGE)
    _run("ip", "link", "set", _BRIDGE, "up")


def connect(name: str, address: str, number: int) -> list[str]:
    """Make a container's own network; return what starts a program in it."""
    outer = f"veth{number}"
    _run("ip", "netns", "add", name)
    _run("ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", name)
    _run("ip", "link", "set", outer, "master", _BRIDGE, "up")
    _run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
    for device in ("eth0", "lo"):
        _run("ip", "-n", name, "link", "set", device, "up")
    return ["nsenter", f"--net=/run/netns/{name}"]


def _run(*words: str) -> None:
    subprocess.run(words, check=True)


def hosts(file: Path, names: dict[str, list[str]]) -> None:
    """Write the names under which each address is known."""
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    lines += [f"{address} {' '.join(known)}" for address, known in names.items()]
    file.write_text("\n".join(lines) + "\n")


def publish(sockets: dict[int, tuple[str, int]]) -> None:
    """Hand on what arrives at sockets, which were opened outside, to an address inside."""

    async def serve() -> None:
        for number, (address, port) in sockets.items():
            await _serve(socket.socket(fileno=number), address, port)
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()


async def _serve(listening: socket.socket, address: str, port: int) -> None:
    async def arrived(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, asks = await asyncio.open_connection(address, port)
        except OSError:  # nobody listens there yet
            writer.close()
            return
        await asyncio.gather(_copy(reader, asks), _copy(answers, writer))

    await asyncio.start_server(arrived, sock=listening)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(65_536):
            writer.write(part)
            await writer.drain()
    with suppress(OSError):
        writer.close()
