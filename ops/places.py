"""Where MLflow's server may keep and read artifacts: below one root, whatever a request names."""

from __future__ import annotations

import json
import os
import posixpath
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

PROXIED = "mlflow-artifacts"  # MLflow's name for «below the server's own root»
_NAMED = ("artifact_location", "artifactLocation", "source")


def is_local(root: str) -> bool:
    """Return whether a root is a folder of this machine, and not in an object store."""
    return urlsplit(root).scheme in ("", "file")


def inside(place: str, root: str) -> bool:
    """Return whether a location is the root or lies below it, symbolic links followed."""
    try:
        return _inside(place, root)
    except ValueError:  # no address at all
        return False


def _inside(place: str, root: str) -> bool:
    if "\0" in place or "\0" in unquote(place):
        return False
    there, base = urlsplit(place), urlsplit(root)
    if there.query or there.fragment:
        return False
    if not is_local(root):
        path = posixpath.normpath(unquote(there.path))
        below = f"{posixpath.normpath(base.path)}/".lstrip("/")
        same = (there.scheme, there.netloc) == (base.scheme, base.netloc)
        return same and f"{path}/".lstrip("/").startswith(below)
    if there.scheme not in ("", "file") or there.netloc not in ("", "localhost"):
        return False
    # MLflow's own reading: `FILE:///x` is a folder called `FILE:` to it.
    from mlflow.utils.file_utils import local_file_uri_to_path

    path, local = (os.path.realpath(local_file_uri_to_path(one)) for one in (place, root))
    return Path(path).is_relative_to(local)


def nameable(place: str, root: str) -> bool:
    """Return whether a client may name this location: in the root, or MLflow's name for it."""
    try:
        parts = urlsplit(place)
    except ValueError:
        return False
    if parts.scheme != PROXIED:
        return inside(place, root)
    plain = not (parts.netloc or parts.query or parts.fragment or "\0" in unquote(place))
    return plain and ".." not in unquote(unquote(parts.path)).split("/")


def outside(said: object, root: str) -> str:
    """Return the first field of a request that names a location outside the root, or nothing.

    MLflow also takes an object that was encoded twice, from older clients.
    """
    while isinstance(said, str):
        try:
            said = json.loads(said)
        except ValueError:
            return ""
    if not isinstance(said, dict):
        return ""
    for name in _NAMED:
        place = said.get(name)
        if place and not (isinstance(place, str) and nameable(place, root)):
            return name
    return ""


def hold(known: dict[str, Callable[..., Any]], root: str) -> None:
    """Make each of MLflow's ways to a location refuse what lies outside the root.

    `known` is MLflow's own registry, which every route asks, by scheme.
    """
    for scheme, way in list(known.items()):
        known[scheme] = _held(way, root)


def _held(way: Callable[..., Any], root: str) -> Callable[..., Any]:
    def open_repository(
        artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
    ) -> Any:
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

        if not inside(artifact_uri, root):
            told = "these artifacts lie outside the server's artifact root"
            raise MlflowException(told, PERMISSION_DENIED)
        return way(artifact_uri, tracking_uri=tracking_uri, registry_uri=registry_uri)

    return open_repository
