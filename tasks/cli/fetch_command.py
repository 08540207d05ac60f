"""The command `python -m tasks fetch`: a verified version, for those who score with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from tasks.bounds import INTEGER
from tasks.cli.console import fail, out
from tasks.errors import GatelatchError


def fetch(
    model: Annotated[str, typer.Argument(help="name of a registered model")],
    to: Annotated[Path, typer.Option(help="folder for this model's versions; made if missing")],
    version: Annotated[
        str, typer.Option(help="a registered version, `champion` or `challenger`")
    ] = "champion",
) -> None:
    """Fetch a version from MLflow, verify it, and leave it in a folder that scoring loads from.

    It is held against the ledger that GATELATCH_LEDGER names, else against the promotion record
    that the workers' key signed. Exit code 0: the folder holds it. 1: nothing was changed, and the
    message says why.
    """
    from tasks.scoring.fetch import Wanted, by_ledger
    from tasks.scoring.fetch import fetch as fetch_version

    wanted: Wanted
    if version == "champion":
        wanted = "champion"
    elif version == "challenger":
        wanted = "challenger"
    elif re.fullmatch(r"v?[1-9]\d{0,8}", version) and int(version.lstrip("v")) <= INTEGER:
        wanted = int(version.lstrip("v"))
    else:
        fail(f"--version {version[:80]!r} is neither a number, nor `champion` or `challenger`")
    try:
        found = fetch_version(model, wanted, to=to)
    except GatelatchError as error:
        fail(error)
    held = "the ledger" if by_ledger() else "its signed promotion record"
    out.print(
        f"{model} version {found.version} is in {to}, held against {held}: "
        f"artifact digest {found.artifact_digest[:12]}",
        markup=False,
    )
