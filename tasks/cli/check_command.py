"""The command `python -m tasks check`: can model specs be used?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tasks.cli.console import err, fail, out
from tasks.formats import parsed_json
from tasks.spec import spec_files
from tasks.spec.part import SpecError


def check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="model specs; default: all in the models folder")
    ] = None,
    users: Annotated[
        typer.FileText | None,
        typer.Option(help="what `airflow users list --output json` printed; `-` reads it"),
    ] = None,
) -> None:
    """Check model specs; name each mistake's YAML path, value, reason and remedy.

    With `--users`, check also that each approver is a user of Airflow.
    """
    from tasks.promotion import answers
    from tasks.validation.expectations import check_expectations

    known = users and _users(users.read())

    known_files, strange = ([], []) if files else spec_files.list_specs(spec_files.models_folder())
    wanted = files or known_files
    for said in strange:
        err.print(said, markup=False)
    if not wanted and not strange:
        fail(f"no model specs in {spec_files.models_folder()}; set GATELATCH_MODELS or name files")
    bad = len(strange)
    for path in wanted:
        try:
            spec = spec_files.load_spec(path)
            check_expectations(spec)
            if known and (strangers := answers.strangers(spec, known)):
                raise SpecError(f"{path}:\n  owner.approvers: " + "\n  ".join(strangers))
            out.print(f"{path}: [green]good[/], digest {spec.digest}")
        except SpecError as error:
            bad += 1
            err.print(str(error), markup=False)
    raise typer.Exit(1 if bad else 0)


def _users(printed: str) -> dict[str, str]:
    """Return id → name of the users that Airflow listed; it may print log lines before them."""
    try:
        _, bracket, rest = printed.rpartition("\n[")
        listed = parsed_json(bracket + rest)
        return {str(user["id"]): str(user["username"]) for user in listed}
    except (ValueError, LookupError, TypeError):
        fail(
            "--users: the file does not hold what `airflow users list --output json` prints; run "
            "that and pass its output"
        )
