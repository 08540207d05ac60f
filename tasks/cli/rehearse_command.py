"""The command `python -m tasks rehearse`: its options, and what becomes of a rehearsal."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tasks.cli import draft, progress
from tasks.cli.console import Wide, err, fail, out
from tasks.cli.past_range import (
    ChangedSettings,
    ClassColumn,
    ColumnKinds,
    DataFile,
    JsonFile,
    LeftOut,
    SpecOrName,
    TimeColumn,
    WindowLength,
    drafted_spec,
    first_span,
    need_model,
    range_of,
    written_spec,
)
from tasks.disk import whole, writing
from tasks.errors import GatelatchError
from tasks.spec import spec_files
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tasks.rehearsal.rehearse import Ordered
    from tasks.rehearsal.rehearsed import Rehearsed
    from tasks.replay.trial import Stage

BLIND = 2  # exit code with --strict


def rehearse(
    model: SpecOrName = None,
    scenarios: Annotated[
        list[str] | None,
        typer.Option("--scenario", help="play this incident alone (repeatable; default: all)"),
    ] = None,
    windows: Annotated[
        int, typer.Option(min=2, max=1_000, help="windows from the incident on")
    ] = 12,
    stretches: Annotated[
        int, typer.Option(min=1, max=100, help="stretches of the history to play each one in")
    ] = 3,
    since: Annotated[
        datetime | None, typer.Option("--from", help="use the history from here on (event time)")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", help="use the history up to here (event time)")
    ] = None,
    first: Annotated[
        str | None,
        typer.Option(help="event time that trains each champion (default: training.window)"),
    ] = None,
    sets: ChangedSettings = None,
    tries: Annotated[
        list[str] | None,
        typer.Option(
            "--try",
            help="try this setting, too, against what nobody was told of (repeatable)",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="of what is drawn at random")] = 0,
    data: DataFile = None,
    time: TimeColumn = None,
    label: ClassColumn = None,
    window: WindowLength = None,
    ignore: LeftOut = None,
    kinds: ColumnKinds = None,
    as_json: JsonFile = None,
    html: Annotated[Path | None, typer.Option(help="write the rehearsal as one page")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="exit with 2 if an incident is a blind spot")
    ] = False,
    wide: Wide = False,
) -> None:
    """Rehearse incidents: play made ones over a model's own history, under today's spec.

    Who would have been told, after how many windows, and of what? What would the gates have done?
    Only the files that you name are written, and no row is in them.

    Exit code 0: rehearsed. 1: not rehearsed, and the message says why. 2: with --strict, somebody
    would not have been told of an incident that does harm.
    """
    from tasks.cli import rehearse_tables
    from tasks.replay.past_rows import load_history

    try:
        _check_folders(as_json, html)
        if data is None:
            raw = written_spec(model, time, label, window, ignore, kinds)
        else:
            given = dict(map(draft.taken, kinds or []))
            raw, _ = drafted_spec(data, model, time, label, window, ignore or [], given)
        settings = dict(draft.setting(text) for text in sets or [])
        raw = draft.changed(raw, settings)
        spec = spec_files.checked(raw, " ".join(["rehearse", *(f"--set {s}" for s in sets or [])]))
        need_model(spec, "a rehearsal")
        asked = _asked(spec, raw, scenarios or [], windows, stretches, seed, first, tries or [])
        begin, end = range_of(spec, since, until)
        with progress.bars(err) as stage, progress.unconverged():
            history = load_history(spec, begin, end, stage("reading and checking", None))
            for line in history.remarks:
                err.print(line, markup=False)
            found = _rehearsed(spec, raw, history, asked, stage)
        found = replace(found, settings=settings)
        rehearse_tables.show_rehearsal(found, err if as_json == "-" else out, wide=wide)
        _write(found, as_json, html)
    except GatelatchError as error:
        fail(error)
    if strict and found.blind:
        raise typer.Exit(BLIND)


def _check_folders(as_json: str | None, html: Path | None) -> None:
    for option, path in (("json", as_json), ("html", html)):
        if path not in (None, "-") and not Path(str(path)).absolute().parent.is_dir():
            raise SpecError(f"--{option} {path}: the folder does not exist; create it")


def _asked(
    spec: ModelSpec,
    raw: dict[str, Any],
    names: list[str],
    windows: int,
    stretches: int,
    seed: int,
    first: str | None,
    tries: list[str],
) -> Ordered:
    from tasks.rehearsal.rehearse import Ordered
    from tasks.rehearsal.remedies import Remedy
    from tasks.rehearsal.scenarios import chosen_scenarios

    more = [Remedy(text, dict([draft.setting(text)])) for text in tries]
    for remedy in more:  # a mistake is told before anything is played
        _respec(raw, remedy.settings)
    return Ordered(
        chosen_scenarios(names), windows, stretches, seed, first_span(spec, first), tuple(more)
    )


def _respec(raw: dict[str, Any], settings: Mapping[str, Any]) -> ModelSpec:
    return spec_files.checked(draft.changed(raw, settings), f"--try {', '.join(settings)}")


def _rehearsed(
    spec: ModelSpec, raw: dict[str, Any], history: Any, asked: Ordered, stage: Stage
) -> Rehearsed:
    from tasks.rehearsal.rehearse import rehearse_incidents

    return rehearse_incidents(spec, history, asked, lambda s: _respec(raw, s), stage)


def _write(found: Rehearsed, as_json: str | None, html: Path | None) -> None:
    if as_json is not None:
        text = json.dumps(found.to_json(), indent=1, allow_nan=False) + "\n"
        if as_json == "-":
            with writing("standard output"):
                print(text, end="", flush=True)
        else:
            with whole(Path(as_json), "--json") as path:
                path.write_text(text, encoding="utf-8")
    if html is not None:
        from tasks.rehearsal.rehearsal_page import rehearsal_html

        with whole(html, "--html") as path:
            path.write_text(rehearsal_html(found), encoding="utf-8")
