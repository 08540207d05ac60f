"""What the MLflow server may touch on its machine, whatever it is talked into.

The kernel holds the process to it (Landlock, Linux 5.13 or later), so a fault in MLflow opens no
folder whose files are run as code, no key, and nobody else's process.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from landlockpy import AccessFS, AccessNet, Ruleset, Scope, supported

ROOT = Path(__file__).resolve().parent.parent

_READ = AccessFS.READ_FILE | AccessFS.READ_DIR
_CHANGE = (
    AccessFS.WRITE_FILE
    | AccessFS.TRUNCATE
    | AccessFS.MAKE_REG
    | AccessFS.MAKE_DIR
    | AccessFS.REMOVE_FILE
    | AccessFS.REMOVE_DIR
    | AccessFS.REFER
)
# What Python, its packages, name resolution and time zones read. No home, no /proc, no /tmp.
_SYSTEM = (
    *("/usr", "/lib", "/lib64", "/dev/null", "/dev/urandom", "/etc/ld.so.cache", "/etc/localtime"),
    *("/etc/hosts", "/etc/host.conf", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/gai.conf"),
    *("/etc/mime.types", "/etc/ssl"),
)


def unconfined() -> str:
    """Return what is missing on this machine, as a sentence; empty where nothing is."""
    if supported():
        return ""
    return (
        "This kernel has no Landlock (Linux 5.13 or later, listed in its `lsm=`): only MLflow's own"
        " checks, and no kernel, keep its server out of other folders of this user."
    )


def confine(folder: Path, listen: int, connect: Iterable[int]) -> None:
    """Hold this process to one folder for good; it starts no program from now on.

    Parameters
    ----------
    folder
        the only place where it may write
    listen
        the only TCP port that it may open
    connect
        the only TCP ports that it may call
    """
    code = {sys.prefix, sys.base_prefix, sys.exec_prefix, str(ROOT / "ops")}
    with Ruleset(
        # UDP stays: newer kernels could shut it too, and name resolution needs it.
        handled_net=AccessNet.BIND_TCP | AccessNet.CONNECT_TCP,
        scoped=Scope.SIGNAL | Scope.ABSTRACT_UNIX_SOCKET,
    ) as rules:
        for path in (*_SYSTEM, *sorted(code)):
            if Path(path).is_dir():
                rules.allow_path(path, _READ)
            elif Path(path).exists():
                rules.allow_path(path, AccessFS.READ_FILE)
        rules.allow_path("/dev/null", AccessFS.READ_FILE | AccessFS.WRITE_FILE)
        rules.allow_path(folder, _READ | _CHANGE)
        rules.allow_port(listen, AccessNet.BIND_TCP)
        for port in connect:
            rules.allow_port(port, AccessNet.CONNECT_TCP)
        rules.restrict()
