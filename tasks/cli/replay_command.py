"""The command `python -m tasks replay`: its options, and how they become a play."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tasks import bounds
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
from tasks.data.guess import Guess
from tasks.disk import whole, writing
from tasks.errors import GatelatchError
from tasks.spec import spec_files
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError, format_duration

if TYPE_CHECKING:
    from tasks.replay.history import History
    from tasks.replay.replay_report import Report
    from tasks.replay.trial import Stage


def replay(
    model: SpecOrName = None,
    since: Annotated[
        datetime | None, typer.Option("--from", help="play windows from here on (event time)")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", help="play windows up to here (event time)")
    ] = None,
    sets: ChangedSettings = None,
    sweeps: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            help="try several values: drift.ks.effect=0.1,0.2 (repeatable: all combinations)",
        ),
    ] = None,
    every: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            max=bounds.WINDOWS,
            help="compare with a retrain every K windows (default: 4, 8, 13)",
        ),
    ] = None,
    first: Annotated[
        str | None,
        typer.Option(help="event time that trains the first champion (default: training.window)"),
    ] = None,
    oracle: Annotated[
        int,
        typer.Option(
            min=0, max=50, help="compare with the best 1 … N retrains in hindsight; 0: leave out"
        ),
    ] = 8,
    data: DataFile = None,
    time: TimeColumn = None,
    label: ClassColumn = None,
    window: WindowLength = None,
    ignore: LeftOut = None,
    kinds: ColumnKinds = None,
    show_spec: Annotated[
        bool, typer.Option("--show-spec", help="print the spec as YAML and stop")
    ] = False,
    as_json: JsonFile = None,
    plot: Annotated[
        Path | None, typer.Option(help="draw the play to this .svg, .png or .pdf")
    ] = None,
    wide: Wide = False,
) -> None:
    """Put a policy on trial: play a spec over its history, and compare other ways to retrain.

    Only the files that you name are written. Every question is answered with yes. Try it on any
    file:

    python -m tasks replay --data FILE --time COLUMN --label COLUMN --window 7d
    """
    from tasks.classifier.training import TrainingError
    from tasks.cli import replay_tables

    try:
        _check_outputs(as_json, plot)
        if data is None:
            raw = written_spec(model, time, label, window, ignore, kinds)
            guesses: list[Guess] = []
        else:
            given = dict(map(draft.taken, kinds or []))
            raw, guesses = drafted_spec(data, model, time, label, window, ignore or [], given)
        settings = dict(draft.setting(text) for text in sets or [])
        raw = draft.changed(raw, settings)
        spec = spec_files.checked(
            raw, " ".join(["replay", *(f"--set {text}" for text in sets or [])])
        )
        need_model(spec, "a replay")
        points = [(point, _swept(raw, point)) for point in draft.grid(sweeps or [])]
        if guesses:
            replay_tables.show_columns(guesses, raw["label"])
        if show_spec:
            print(draft.as_yaml(raw), end="")
            return
        wanted = _Wanted(spec, since, until, first, every or [4, 8, 13], oracle)
        with progress.bars(err) as stage, progress.unconverged() as stopped:
            report = replace(_play(wanted, settings, points, stage), columns=guesses)
    except TrainingError as error:  # later candidates are refused instead
        fail(f"the first champion: {error} with --first, or begin elsewhere with --from")
    except GatelatchError as error:
        fail(error)
    _tell(report, as_json, plot, wide)
    for reason in report.tried.history.quarantined:
        err.print(f"rows left out, as the monitor would quarantine them: {reason}", markup=False)
    if stopped:
        err.print(
            f"{len(stopped)} fits stopped before they converged; they converge sooner with a "
            "smaller training.regularisation, or training.estimator: sgd_hinge"
        )


def _check_outputs(as_json: str | None, plot: Path | None) -> None:
    if plot is not None and plot.suffix not in (".svg", ".png", ".pdf"):
        raise SpecError(f"--plot {plot}: end the name in .svg, .png or .pdf")
    for option, path in (("json", as_json), ("plot", plot)):
        if path not in (None, "-") and not Path(str(path)).absolute().parent.is_dir():
            raise SpecError(f"--{option} {path}: the folder does not exist; create it")


def _swept(raw: dict[str, Any], point: dict[str, Any]) -> ModelSpec:
    name = " ".join(f"{path}={value}" for path, value in point.items())
    return spec_files.checked(draft.changed(raw, point), f"--sweep {name}")


@dataclass(frozen=True)
class _Wanted:
    """What is played, on which part of its history, and beside which other policies."""

    spec: ModelSpec
    since: datetime | None
    until: datetime | None
    first: str | None
    every: list[int]
    oracle: int


def _play(
    wanted: _Wanted,
    settings: dict[str, Any],
    points: list[tuple[dict[str, Any], ModelSpec]],
    stage: Stage,
) -> Report:
    from tasks.replay import past_rows, trial
    from tasks.replay.replay_report import Report

    def read(spec: ModelSpec) -> History:
        since, until = range_of(spec, wanted.since, wanted.until)
        return past_rows.load_history(spec, since, until, stage("reading and checking", None))

    spec, span = wanted.spec, first_span(wanted.spec, wanted.first)
    past = read(spec)
    for line in past.remarks:
        err.print(line, markup=False)
    start = past.windows[0].start + span
    left = len(past.windows) - past.first_at(start)
    if left < 1:
        raise SpecError(
            f"the history holds {len(past.windows)} windows, and the first champion takes all of "
            f"them ({format_duration(span)}); widen --from and --to, or shorten --first"
        )
    tried = trial.trial(spec, past, start, span, stage)
    others = trial.compare(tried, span, wanted.every, wanted.oracle, stage)
    swept = trial.sweep(tried, points, span, read, stage)
    return Report(tried, others, swept, settings)


def _tell(report: Report, as_json: str | None, plot: Path | None, wide: bool) -> None:
    from tasks.cli import replay_tables
    from tasks.replay import replay_report

    replay_tables.show_replay(report, err if as_json == "-" else out, wide=wide)
    if as_json is not None:
        text = json.dumps(replay_report.replay_as_json(report), indent=1, allow_nan=False) + "\n"
        if as_json == "-":
            with writing("standard output"):
                print(text, end="", flush=True)
        else:
            with whole(Path(as_json), "--json") as path:
                path.write_text(text)
    if plot is not None:
        from tasks.replay import replay_plot

        with whole(plot, "--plot") as path:
            replay_plot.draw(report, path)
