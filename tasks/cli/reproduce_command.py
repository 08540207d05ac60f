"""The command `python -m tasks reproduce`: is a version what its lineage says?"""

from __future__ import annotations

from typing import Annotated

import typer

from tasks.bounds import INTEGER
from tasks.cli.console import Model, fail, find_or_fail, out
from tasks.errors import GatelatchError


def reproduce(
    model: Model,
    version: Annotated[int, typer.Argument(min=1, max=INTEGER, help="registered version")],
) -> None:
    """Train a version again from its lineage and compare coefficients and probabilities.

    Exit code 0: the same. 1: not the same. 2: nothing was compared, and the message says why.
    """
    from tasks.flows.reproduce import reproduce as again

    try:
        found = again(find_or_fail(model, code=2), version)
    except GatelatchError as error:
        fail(error, code=2)
    if found.identical:
        out.print(f"{model} version {version} is reproduced, byte for byte")
    else:
        verdict = "is reproduced" if found.same else "is NOT reproduced"
        out.print(
            f"{model} version {version} {verdict}: greatest relative difference of coefficients "
            f"{found.coefficients:.3g}, of probabilities {found.probabilities:.3g}"
        )
    if found.packages:
        out.print(f"packages that changed since: {', '.join(found.packages)}", markup=False)
    raise typer.Exit(0 if found.same else 1)
