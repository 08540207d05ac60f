"""The command `python -m tasks doctor`: what is wrong with a stack, and the remedy."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from tasks.cli.console import Wide, err, fail, out
from tasks.doctor.examination import LONGEST_LOOK, examine
from tasks.spec import spec_files


def doctor(
    model: Annotated[
        str | None, typer.Argument(help="name of the one model to look at; default: all")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of a table")] = False,
    seconds: Annotated[
        float, typer.Option(min=1, help="for each check; one that takes longer is left")
    ] = LONGEST_LOOK,
    checks: Annotated[
        bool, typer.Option("--checks", help="print the table of all checks and end")
    ] = False,
    wide: Wide = False,
) -> None:
    """Find what is wrong with a stack, and name the remedy of each; nothing is changed.

    Run it in the environment of a worker. Exit code 1: something is ill. 2: there is no such model.
    """
    from tasks.cli.doctor_tables import doctor_as_json, show_doctor
    from tasks.cli.progress import said_while
    from tasks.doctor.checkups import CHECKUPS, checkups_table
    from tasks.doctor.patient import Patient

    if checks:
        print(checkups_table(), end="")
        return
    if model is not None:
        _need_file(model)
    logging.basicConfig(handlers=[logging.NullHandler()])  # the findings say it
    stack = Patient(model, dict(os.environ), lambda: datetime.now(UTC))
    with stack as patient, said_while(err) as say:
        found = list(examine(CHECKUPS, patient, seconds, lambda name: say(f"looking at {name}")))
    if as_json:
        print(json.dumps(doctor_as_json(found), indent=2))
    else:
        show_doctor(found, wide=wide)
    code = int(any(one.state == "ill" for one in found))
    if any(one.hangs for one in found):
        # What libraries do at the end may wait for what hangs.
        out.file.flush()
        sys.stdout.flush()
        os._exit(code)
    raise typer.Exit(code)


def _need_file(model: str) -> None:
    """Fail unless there may be such a model; a spec that cannot be read is for the checks."""
    paths, mistakes = spec_files.list_specs(spec_files.models_folder())
    if not mistakes and all(path.stem != model for path in paths):
        known = ", ".join(path.stem for path in paths) or "none"
        fail(f"no model {model!r} in {spec_files.models_folder()}; there are: {known}", code=2)
