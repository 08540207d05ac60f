"""Make Airflow's first user: `python -m ops.team.first_user admin --password-file FILE`.

`airflow users create` takes a password by its command line, where every process of the machine
can read it, or from a terminal. This asks the same library for the same user, and reads a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)


@app.command()
def first_user(
    name: Annotated[str, typer.Argument(help="the name that the user logs in with")],
    password_file: Annotated[Path, typer.Option(help="file that holds the password")],
    role: Annotated[str, typer.Option(help="a role of FAB")] = "Admin",
) -> None:
    """Make a user of FAB; one who exists keeps their password, and all else they have."""
    password = _password(password_file)
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from airflow.utils.providers_configuration_loader import providers_configuration_loaded

    @providers_configuration_loaded
    def make() -> str:
        with get_application_builder() as builder:
            people = builder.sm
            if people.find_user(name):
                return f"the user {name} exists and stays as it is"
            if not (found := people.find_role(role)):
                known = ", ".join(sorted(one.name for one in people.get_all_roles()))
                raise typer.BadParameter(f"FAB has no role {role}: name one of {known}")
            people.add_user(name, "Gatelatch", role, f"{name}@localhost", found, password)
            return f"made the user {name} with the role {role}"

    typer.echo(make())


def _password(file: Path) -> str:
    try:
        found = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(
            f"{file} cannot be read: {type(error).__name__}; `make secrets` makes the password"
        ) from None
    if not found:
        raise typer.BadParameter(f"{file} is empty: write the password into it")
    return found


if __name__ == "__main__":
    app()
