"""The command `python -m tasks adopt`: hand in what was fit elsewhere, or its margins."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated

import typer

from tasks.cli.console import Model, err, fail, find_or_fail, out
from tasks.errors import GatelatchError
from tasks.spec.model import ModelSpec


def adopt(
    model: Model,
    file: Annotated[
        Path | None,
        typer.Argument(
            exists=True, dir_okay=False, help="skops file of a fitted scikit-learn pipeline"
        ),
    ] = None,
    trust: Annotated[
        list[str] | None,
        typer.Option(
            help="FILE is a pickle or joblib file, and this type in it is trusted; once for each"
        ),
    ] = None,
    margins: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="instead of FILE, where the model never comes here: a Parquet or CSV file with "
            "the margin of each row that judges it, in the columns of source.key and source.margin",
        ),
    ] = None,
    logged_as: Annotated[
        str | None,
        typer.Option(
            "--as",
            help="what production calls it in source.version_column; without --margins, its "
            "margins are those that production logged: so begins the first champion",
        ),
    ] = None,
) -> None:
    """Check what was fit elsewhere, keep it, and say how to propose it.

    Nobody is asked and nothing is promoted by this: see docs/elsewhere.md. Exit code 0: it is kept.
    1: nothing is kept, and the message says why.
    """
    from tasks.flows.handed_margins import keep_margins

    spec = find_or_fail(model)
    if file is not None and (logged_as or margins):
        fail(
            f"{file} is taken as a model that is scored here; --margins and --as are for one that "
            "never comes here. Give either"
        )
    if file is None and logged_as is None:
        fail(
            f"name a file to hand in: python -m tasks adopt {model} FILE; of a model that never "
            f"comes here: python -m tasks adopt {model} --margins FILE --as NAME"
        )
    told: list[str] = []
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            if file is None:
                digest = keep_margins(spec, logged_as or "", margins)
            else:
                digest, told = _kept(spec, file, trust or [])
    except GatelatchError as error:
        fail(error)
    what = file or margins or f"that production logs its margins as {logged_as}"
    said = dict.fromkeys([*told, *(str(one.message).splitlines()[0] for one in heard)])
    for line in said:
        err.print(f"warning: {line}", markup=False)
    conf = f'{{"action": "adopt", "model_file": "{digest}"}}'
    out.print(
        f"{what} is kept for {model}: digest {digest}\n"
        f"propose it: start the DAG retrain.{model} with action adopt and this digest as "
        f"model_file, or\nairflow dags trigger retrain.{model} --conf '{conf}'",
        markup=False,
    )


def _kept(spec: ModelSpec, file: Path, trust: list[str]) -> tuple[str, list[str]]:
    """Keep a pipeline; return its digest, and what is to be told of it."""
    from tasks.cli.pickled import converted
    from tasks.flows.handed_in import keep_handed_in

    pickled = trust or not _is_zip(file)
    content, told = converted(file, trust) if pickled else (file.read_bytes(), [])
    return keep_handed_in(spec, content, str(file)), told


def _is_zip(file: Path) -> bool:
    """Return whether a file begins as skops files do."""
    with file.open("rb") as opened:
        return opened.read(4) == b"PK\x03\x04"
