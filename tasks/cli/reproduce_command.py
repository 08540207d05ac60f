"""The command `python -m tasks reproduce`: is a version what its lineage says?"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from tasks.bounds import INTEGER
from tasks.spec import spec_files
from tasks.spec.model import SpecError

err = Console(stderr=True, soft_wrap=True, highlight=False)


def reproduce(
    model: Annotated[str, typer.Argument(help="name of a model in the models folder")],
    version: Annotated[int, typer.Argument(min=1, max=INTEGER, help="registered version")],
) -> None:
    """Train a version again from its lineage and compare coefficients and probabilities.

    Exit code 0: the same. 1: not the same. 2: cannot be told, as data or spec changed.
    """
    from tasks.flows.reproduce import CannotReproduce
    from tasks.flows.reproduce import reproduce as again
    from tasks.ledger.chain import LedgerRefused
    from tasks.registry.registry import RegistryError

    try:
        found = again(spec_files.find(model), version)
    except (SpecError, CannotReproduce, RegistryError, LedgerRefused) as error:
        err.print(str(error), markup=False)
        raise typer.Exit(2) from None
    if found.identical:
        typer.echo(f"{model} version {version} is reproduced, byte for byte")
    else:
        verdict = "is reproduced" if found.same else "is NOT reproduced"
        typer.echo(
            f"{model} version {version} {verdict}: greatest relative difference of coefficients "
            f"{found.coefficients:.3g}, of probabilities {found.probabilities:.3g}"
        )
    if found.packages:
        typer.echo(f"packages that changed since: {', '.join(found.packages)}")
    raise typer.Exit(0 if found.same else 1)
