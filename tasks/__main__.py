"""The command line: `python -m tasks`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tasks import __version__
from tasks.bounds import OutOfBounds
from tasks.cli.audit_command import audit
from tasks.cli.replay_command import replay
from tasks.cli.reproduce_command import reproduce
from tasks.cli.rollback_command import rollback
from tasks.disk import Unusable
from tasks.formats import OtherFormat
from tasks.ledger.ledger import Ledger
from tasks.spec import spec_files
from tasks.spec.model import ModelSpec, SpecError

app = typer.Typer(
    help="Gatelatch: watch margin classifiers, and change them only when a person says so.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True, highlight=False)
Model = Annotated[str, typer.Argument(help="name of a model in the models folder")]
_STYLES = {"steady": "green", "drifting": "red", "insufficient": "yellow"}


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


@app.command()
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

    With `--users` also whether each approver is a user of Airflow.
    """
    from tasks.promotion import answers
    from tasks.validation.expectations import check_expectations

    known = users and _users(users.read())

    known_files, strange = ([], []) if files else spec_files.listed(spec_files.models_folder())
    wanted = files or known_files
    for said in strange:
        err.print(said, markup=False)
    if not wanted and not strange:
        _fail(f"no model specs in {spec_files.models_folder()}; set GATELATCH_MODELS or name files")
    bad = len(strange)
    for path in wanted:
        try:
            spec = spec_files.load(path)
            check_expectations(spec)
            if known and (strangers := answers.strangers(spec, known)):
                raise SpecError(f"{path}:\n  owner.approvers: " + "\n  ".join(strangers))
            out.print(f"{path}: [green]good[/], digest {spec.digest}")
        except SpecError as error:
            bad += 1
            err.print(str(error), markup=False)
    raise typer.Exit(1 if bad else 0)


@app.command()
def status(
    model: Model,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of tables")] = False,
    windows: Annotated[
        int, typer.Option(min=1, help="how many of the newest windows to show")
    ] = 30,
) -> None:
    """Show a model's windows, latch, proposals and promotions."""
    from tasks.ledger import status as state

    known = state.read(_find(model), Ledger.open())
    told = state.as_json(known)
    if as_json:
        print(json.dumps(told, indent=2))
        return
    champion = "none yet" if known.champion is None else f"version {known.champion}"
    latch = known.history.now
    rest = f" until {latch.rests_until:%Y-%m-%d}" if latch.rests_until else ""
    out.print(f"[bold]{model}[/]  champion: {champion}  latch: [bold]{latch.state}[/]{rest}")
    if latch.episode:
        out.print(f"episode: {latch.episode}")
    if known.silence:
        out.print(f"[bold red]nobody is asked:[/] {escape(known.silence)}")
    elif known.patience:
        out.print(f"nobody is asked yet: {escape(known.patience)}")
    elif known.due:
        out.print(f"the next run of monitor.{model} asks: {known.due}")
    if known.advice:
        out.print(f"[bold yellow]to do:[/] {escape(known.advice)}")
    if known.given_up:
        out.print(escape(known.given_up))
    if known.calibration.now.episode:
        probabilities = known.calibration.now
        out.print(f"calibration: [bold]{probabilities.state}[/]  episode: {probabilities.episode}")
    if told["windows"]:
        out.print(_windows(told["windows"][-windows:]))
    if told["proposals"]:
        out.print(_proposals(told["proposals"]))
    if told["promotions"]:
        out.print(_promotions(told["promotions"]))
    else:
        out.print(
            f"Train the first champion: trigger the DAG retrain.{model} with reason 'bootstrap'."
        )


def _table(title: str, *columns: str) -> Table:
    layout: dict[str, Any] = {"box": box.SIMPLE_HEAD, "pad_edge": False, "padding": (0, 1, 0, 0)}
    return Table(*columns, title=title, title_justify="left", **layout)


def _windows(rows: list[dict[str, Any]]) -> Table:
    table = _table("windows")
    for name in ("from", "version", "verdict", "of limit", "accuracy", "latch"):
        figures = name in ("version", "of limit", "accuracy")
        table.add_column(name, justify="right" if figures else "left", no_wrap=True)
    table.add_column("why")
    for row in rows:
        verdict = str(row["verdict"])
        table.add_row(
            _moment(row["start"]),
            str(row["version"]),
            f"[{_STYLES[verdict]}]{verdict}[/]",
            _two(row["pressure"]),
            _two(row.get("accuracy")),
            str(row["latch"]),
            escape(str(row["reason"])),
        )
    return table


def _moment(iso: str) -> str:
    return iso[:16].replace("T", " ").removesuffix(" 00:00")


def _two(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else "–"


def _proposals(rows: list[dict[str, Any]]) -> Table:
    table = _table("proposals")
    table.add_column("proposal", no_wrap=True, overflow="fold")  # whole: `withdraw` takes it
    for name in ("reason", "by", "what became of it"):
        table.add_column(name)
    for row in rows:
        told = [escape(_decided(d)) for d in row["decisions"]]
        waits = ["[yellow]live[/]"] if row["live"] else []
        table.add_row(
            *(escape(str(row[name])) for name in ("proposal", "reason", "proposer")),
            "\n".join([*told, *waits]),
        )
    return table


def _decided(decision: dict[str, Any]) -> str:
    said = f"{decision['step']}: {decision['answer']} by {decision['by']}"
    # Of what nobody refused, the reason is what there is to mend.
    ended = decision["answer"] in ("ended", "invalid", "failed")
    return f"{said}: {decision['comment']}" if ended else said


def _promotions(rows: list[dict[str, Any]]) -> Table:
    table = _table("promotions", "#", "champion", "before", "for windows from", "by", "reason")
    for row in rows:
        before = "–" if row["expected"] is None else str(row["expected"])
        since = _moment(row["effective_from"])
        table.add_row(
            str(row["number"]),
            str(row["version"]),
            before,
            since,
            escape(str(row["by"])),
            escape(str(row["reason"])),
        )
    return table


@app.command()
def withdraw(
    model: Model,
    proposal: Annotated[str, typer.Argument(help="as `status` names it")],
    reason: Annotated[str, typer.Option(help="recorded in the ledger")],
    by: Annotated[str, typer.Option(help="who withdraws it")],
) -> None:
    """End a live proposal whose run will not finish; the latch then rests."""
    from tasks.ledger.chain import LedgerRefused
    from tasks.promotion.approval import NotApproved
    from tasks.promotion.approval import withdraw as end
    from tasks.signing.keyring import KeyUnusable

    try:
        end(_find(model), proposal, by, reason)
    except (NotApproved, OutOfBounds, LedgerRefused, KeyUnusable) as error:
        _fail(str(error))
    out.print(f"{escape(proposal)} is withdrawn")


app.command()(audit)
app.command()(replay)
app.command()(rollback)
app.command()(reproduce)


@app.command()
def init() -> None:
    """Create or upgrade the ledger's tables and check the stores; safe to repeat."""
    from tasks import store
    from tasks.registry import tracking
    from tasks.signing import keyring

    Ledger.prepare()
    store.write("reports/.ready", "")
    tracking.prepare()
    keyring.prepare()
    out.print("ledger, store and registry are ready")


@app.command()
def options() -> None:
    """Print every option of a model spec with its default and meaning, as a Markdown table."""
    print("| option | default | meaning |\n| --- | --- | --- |")
    for path, default, meaning in spec_files.options():
        print(f"| `{path}` | {default} | {meaning} |")


def _users(printed: str) -> dict[str, str]:
    """Return id → name of the users that Airflow listed; it may print log lines before them."""
    try:
        _, bracket, rest = printed.rpartition("\n[")
        listed = json.loads(bracket + rest)
        return {str(user["id"]): str(user["username"]) for user in listed}
    except (ValueError, LookupError, TypeError):
        _fail("--users: this is not what `airflow users list --output json` prints")


def _find(model: str) -> ModelSpec:
    try:
        return spec_files.find(model)
    except SpecError as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    err.print(message, markup=False)
    raise typer.Exit(1)


def main() -> None:
    """Run a command; a disk that is full, or a file of another release, is said in a sentence."""
    try:
        app()
    except (Unusable, OtherFormat) as error:
        err.print(str(error), markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
