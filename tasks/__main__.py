"""The command line: `python -m tasks`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tasks import __version__
from tasks.cli.adopt_command import adopt
from tasks.cli.audit_command import audit
from tasks.cli.canary_command import canary
from tasks.cli.check_command import check
from tasks.cli.console import err
from tasks.cli.doctor_command import doctor
from tasks.cli.expire_command import expire
from tasks.cli.fetch_command import fetch
from tasks.cli.freeze_command import freeze, thaw
from tasks.cli.init_command import init
from tasks.cli.metrics_command import metrics
from tasks.cli.notify_command import notify
from tasks.cli.options_command import options
from tasks.cli.rehearse_command import rehearse
from tasks.cli.replay_command import replay
from tasks.cli.report_command import report
from tasks.cli.reproduce_command import reproduce
from tasks.cli.review_command import review
from tasks.cli.rollback_command import rollback
from tasks.cli.status_command import status
from tasks.cli.withdraw_command import withdraw
from tasks.cli.worst_command import worst
from tasks.data import apart
from tasks.errors import GatelatchError

app = typer.Typer(
    help="Gatelatch watches margin classifiers, and changes them only when a person says so.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"gatelatch {__version__}")
        raise typer.Exit


@app.callback()
def _every_command(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="print the version and exit"
        ),
    ] = False,
) -> None:
    pass


for command in (
    check,
    status,
    withdraw,
    freeze,
    thaw,
    audit,
    fetch,
    report,
    replay,
    rehearse,
    rollback,
    adopt,
    canary,
    reproduce,
    metrics,
    doctor,
    notify,
    worst,
    review,
    expire,
    init,
    options,
):
    app.command()(command)


def main() -> None:
    """Run a command; an error is one sentence on standard error, and exit code 1."""
    try:
        with apart.begun():  # a terminal has no second attempt
            app()
    except GatelatchError as error:
        err.print(str(error), markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
