"""Backfill a monitor on the stack of `ops.stack`, also where SQLite lets one write at a time.

`airflow backfill create` with what it needs on SQLite around it. Creating on a paused DAG: if the
database is locked, Airflow takes back the runs that it made, which stops a scheduler that has begun
with one of them. Trying again after a lock: first cancelling what the attempt left behind, as
Airflow refuses a second backfill beside it.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import httpx
import typer

from ops import stack, stack_settings
from ops.rest import Airflow
from tasks.spec.spec_files import load_all

_ATTEMPTS = 10
_SCORED_SECONDS = 86_400.0


def create(home: Path, client: Airflow, dag: str, *options: str) -> None:
    """Create a backfill of a DAG with the options of `airflow backfill create`.

    Raises
    ------
    StackError
        If Airflow refuses it, with what it printed.
    """
    settings = stack_settings.settings_of(home)
    began = datetime.now(UTC)
    with client.paused(dag):
        for _ in range(_ATTEMPTS):
            try:
                stack.airflow(home, settings, "backfill", "create", "--dag-id", dag, *options)
                return
            except stack_settings.StackError as error:
                if "database is locked" not in str(error):
                    raise
            client.until(
                lambda: _cancelled(client, dag, began), "the locked backfill to be cancelled"
            )
    raise stack_settings.StackError(
        f"the backfill of {dag} met a locked database {_ATTEMPTS} times: SQLite lets one write at "
        "a time; ask for fewer windows at once, such as 40, or run Airflow on PostgreSQL"
    )


def _cancelled(client: Airflow, dag: str, since: datetime) -> bool:
    """Cancel the unfinished backfills created since; return whether none is left."""
    found = client.call("GET", "backfills", params={"dag_id": dag})["backfills"]
    left = [
        b["id"]
        for b in found
        if not b["completed_at"] and datetime.fromisoformat(b["created_at"]) >= since
    ]
    for number in left:
        try:
            client.call("PUT", f"backfills/{number}/cancel")
        except httpx.HTTPStatusError as error:
            if not error.response.is_server_error:  # locked once more: the next turn tries again
                raise
            time.sleep(1)
    return not left


def score(home: Path, client: Airflow, model: str, *span: str) -> None:
    """Score the windows of a span, and wait until all are scored.

    The monitor is paused meanwhile: scores start it, and its own backfill follows.
    """
    dag = f"score.{model}"

    def ended() -> bool:
        found = client.call("GET", "backfills", params={"dag_id": dag})["backfills"]
        return all(one["completed_at"] for one in found)

    with client.paused(f"monitor.{model}"):
        create(home, client, dag, *span)
        client.until(ended, f"{dag} to score the windows", _SCORED_SECONDS)


def main(
    model: str,
    first: Annotated[str, typer.Argument(metavar="FROM", help="start of the first window")],
    last: Annotated[str, typer.Argument(metavar="TO", help="start of the last window")],
    options: Annotated[list[str] | None, typer.Argument(help="more options of Airflow's")] = None,
    propose: Annotated[
        bool, typer.Option(help="ask for a retrain after the last window, if the latch is open")
    ] = False,
    home: stack.Home = Path(".run/demo"),
) -> None:
    """Observe the windows of MODEL from FROM to TO, again or for the first time."""
    home = home.resolve()
    settings = stack_settings.settings_of(home)
    client = Airflow(
        settings.airflow_url, stack_settings.OPERATOR, settings.passwords[stack_settings.OPERATOR]
    )
    span = ["--from-date", first, "--to-date", last]
    asks = ["--dag-run-conf", json.dumps({"propose": f"{first}/{last}"})] if propose else []
    specs, _ = load_all(Path(settings.models))
    try:
        if any(spec.joined_scores for spec in specs if spec.model == model):
            stack.out.print(f"scoring first, as {model} is measured by its scores")
            score(home, client, model, *span)
        create(home, client, f"monitor.{model}", *span, *asks, *(options or ()))
    except (stack_settings.StackError, TimeoutError, httpx.HTTPError) as error:
        stack.out.print(str(error), markup=False, style="red")
        raise typer.Exit(1) from None
    stack.out.print(f"created; watch it at {settings.airflow_url}/dags/monitor.{model}")


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command(context_settings={"ignore_unknown_options": True})(main)
    app()
