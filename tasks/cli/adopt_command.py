"""The command `python -m tasks adopt`: hand in a pipeline that was fit elsewhere."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated

import typer

from tasks.cli.console import Model, err, fail, find_or_fail, out
from tasks.errors import GatelatchError


def adopt(
    model: Model,
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="skops file of a fitted scikit-learn pipeline"
        ),
    ],
    trust: Annotated[
        list[str] | None,
        typer.Option(
            help="FILE is a pickle or joblib file, and this type in it is trusted; once for each"
        ),
    ] = None,
) -> None:
    """Check a pipeline that was fit elsewhere, keep it, and say how to propose it.

    Nobody is asked and nothing is promoted by this: see docs/elsewhere.md. Exit code 0: it is kept.
    1: nothing is kept, and the message says why.
    """
    from tasks.cli.pickled import converted
    from tasks.flows.handed_in import keep_handed_in

    spec = find_or_fail(model)
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            pickled = trust or not _is_zip(file)
            content, told = converted(file, trust or []) if pickled else (file.read_bytes(), [])
            digest = keep_handed_in(spec, content, str(file))
    except GatelatchError as error:
        fail(error)
    said = dict.fromkeys([*told, *(str(one.message).splitlines()[0] for one in heard)])
    for line in said:
        err.print(f"warning: {line}", markup=False)
    conf = f'{{"action": "adopt", "model_file": "{digest}"}}'
    out.print(
        f"{file} is kept for {model}: digest {digest}\n"
        f"propose it: start the DAG retrain.{model} with action adopt and this digest as "
        f"model_file, or\nairflow dags trigger retrain.{model} --conf '{conf}'",
        markup=False,
    )


def _is_zip(file: Path) -> bool:
    """Return whether a file begins as skops files do."""
    with file.open("rb") as opened:
        return opened.read(4) == b"PK\x03\x04"
