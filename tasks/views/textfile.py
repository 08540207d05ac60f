"""Writes the metrics to one file, for node_exporter on hosts where nobody may open a port."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import write_to_textfile

from tasks import disk
from tasks.disk import Unusable
from tasks.errors import Final
from tasks.views.exposition import Exposition


class NoTextfile(Final):
    """A name that node_exporter does not look at."""


def write_textfile(exposition: Exposition, path: Path) -> None:
    """Write what stands now, whole or not at all; while it is written it has another name.

    Raises
    ------
    NoTextfile
        If the name does not end in .prom.
    tasks.disk.Unusable
        If the file cannot be written; or if the ledger could not be read, which the file then says.
    """
    if path.suffix != ".prom":
        raise NoTextfile(
            f"--textfile {path}: node_exporter reads names that end in .prom alone; name it so"
        )
    with disk.writing(f"--textfile {path}"):
        write_to_textfile(str(path), exposition.registry)
    if not exposition.metrics.up:
        raise Unusable(
            f"--textfile {path} says gatelatch_ledger_up 0: the ledger could not be read, as said "
            "above; run this again"
        )
