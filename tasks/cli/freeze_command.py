"""The commands `python -m tasks freeze` and `thaw`: stop what changes a model, and let it go on."""

from __future__ import annotations

import getpass
import re
from typing import TYPE_CHECKING, Annotated

import typer

from tasks import bounds
from tasks.cli.console import err, fail, out
from tasks.errors import GatelatchError
from tasks.spec import spec_files
from tasks.spec.part import SpecError

if TYPE_CHECKING:
    from tasks.ledger.ledger import Ledger
    from tasks.ledger.records import FreezeState
    from tasks.promotion.freezing import Recorded

Some = Annotated[
    str | None,
    typer.Argument(metavar="MODEL", help="name of a model, or --all", show_default=False),
]
Every = Annotated[bool, typer.Option("--all", help="every model of the models folder")]
Reason = Annotated[str, typer.Option(help="why; recorded in the ledger")]
By = Annotated[str | None, typer.Option(help="who decides; left out: the user of this terminal")]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask for confirmation")]


def freeze(
    reason: Reason, model: Some = None, every: Every = False, by: By = None, yes: Yes = False
) -> None:
    """Stop proposals and promotions at once; windows are still measured. See docs/runbooks.md.

    A rollback by hand stays possible. Exit code 0: every model that was named is frozen. 1: one is
    not, and the message says why.
    """
    _change("frozen", model, every, by, reason, yes)


def thaw(
    reason: Reason, model: Some = None, every: Every = False, by: By = None, yes: Yes = False
) -> None:
    """Let a frozen model go on; what was approved meanwhile is then promoted, and is named first.

    Exit code 0: no model that was named is frozen. 1: one still is, and the message says why.
    """
    _change("thawed", model, every, by, reason, yes)


def _change(
    state: FreezeState, model: str | None, every: bool, by: str | None, reason: str, yes: bool
) -> None:
    from tasks.ledger.ledger import Ledger
    from tasks.promotion import freezing

    if every == (model is not None):
        fail("name one model, or give --all", 2)
    try:
        ledger = Ledger.open()
        models, unknown = _all_of_folder(ledger) if model is None else ([_one(ledger, model)], [])
        for said in unknown:
            err.print(said, markup=False)
        if not yes and not _confirmed(ledger, state, models):
            fail("not confirmed, nothing was changed; --yes does not ask")
        who = by or getpass.getuser()
        found = freezing.record(ledger, models, state, by=who, reason=reason)
        for one in found:
            _tell(ledger, state, one)
    except GatelatchError as error:
        fail(error)
    if unknown or any(one.problem for one in found):
        raise typer.Exit(1)


def _one(ledger: Ledger, model: str) -> str:
    """Return the model, if a usable spec or the ledger knows it."""
    try:
        return spec_files.find(model).model
    except SpecError as error:
        if _in_ledger(ledger, model):
            return model  # one whose spec is mistaken or gone can be stopped all the same
        fail(error)


def _all_of_folder(ledger: Ledger) -> tuple[list[str], list[str]]:
    """Return the models of the models folder, and a sentence on each file that is none."""
    # What is wrong with the folder is said too: whoever stops everything must know what was missed.
    paths, unknown = spec_files.list_specs(spec_files.models_folder())
    models = []
    for path in paths:
        try:
            models.append(spec_files.load_spec(path).model)
        except SpecError:
            if _in_ledger(ledger, path.stem):
                models.append(path.stem)
            else:
                said = "its spec cannot be used, and the ledger knows no such model"
                check = f"python -m tasks check {path}"
                unknown.append(f"{path.stem}: {said}: nothing is recorded; see `{check}`")
    return models, unknown


def _in_ledger(ledger: Ledger, model: str) -> bool:
    return bool(re.match(bounds.MODEL, model)) and ledger.head(model) is not None


def _confirmed(ledger: Ledger, state: FreezeState, models: list[str]) -> bool:
    from tasks.promotion.freezing import held_by_freeze

    for model in models:
        for held in held_by_freeze(ledger, model):
            out.print(f"{model}: {held}", markup=False)
    word = "freeze" if state == "frozen" else "thaw"
    try:
        return typer.confirm(f"{word} {', '.join(models) or 'no model'}?")
    except typer.Abort:  # no answer: the input ended
        return False


def _tell(ledger: Ledger, state: FreezeState, one: Recorded) -> None:
    from tasks.ledger.freezes import freeze_told
    from tasks.promotion.freezing import held_by_freeze

    if one.problem is not None:
        err.print(f"{one.model}: nothing is recorded: {one.problem}", markup=False)
        return
    if not one.changed:
        said = f"{one.model} is not frozen"
        if one.newest is not None and state == "frozen":
            said = freeze_told(one.newest)
        out.print(f"{said}; nothing was changed", markup=False)
        return
    told = "is frozen: its windows are measured, and nothing is proposed or promoted"
    if state == "thawed":
        told = f"goes on: the next run of monitor.{one.model} asks what is due"
    out.print(f"{one.model} {told}", markup=False)
    for held in held_by_freeze(ledger, one.model):
        out.print(f"  {held}", markup=False)
