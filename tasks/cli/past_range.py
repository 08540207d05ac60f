"""What the commands that play over a history share: of which spec, over which time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from tasks import bounds
from tasks.cli import draft
from tasks.data.guess import ColumnKind, Guess
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError

SpecOrName = Annotated[str | None, typer.Argument(help="YAML file of a model spec, or its name")]
ChangedSettings = Annotated[
    list[str] | None,
    typer.Option("--set", help="change a setting: latch.open.breaches=3 (repeatable)"),
]
JsonFile = Annotated[
    str | None, typer.Option("--json", help="write all figures to this file; - is stdout")
]
DataFile = Annotated[
    str | None, typer.Option(help="Parquet or CSV file to play on, instead of a spec")
]
TimeColumn = Annotated[str | None, typer.Option(help="with --data: column of the event time")]
ClassColumn = Annotated[str | None, typer.Option(help="with --data: column of the class")]
WindowLength = Annotated[
    str | None, typer.Option(help="with --data: length of a window, such as 7d")
]
LeftOut = Annotated[
    list[str] | None, typer.Option(help="with --data: a column to leave out (repeatable)")
]
ColumnKinds = Annotated[
    list[str] | None,
    typer.Option(
        "--as", help="with --data: kind of a column, such as zip=categorical (repeatable)"
    ),
]


def need_model(spec: ModelSpec, what: str) -> None:
    """Raise SpecError if a model that is never here cannot be played over its history."""
    from tasks.classifier.adopted import NO_MODEL

    if spec.margins_only:
        raise SpecError(
            f"{spec.model}: {what} is {NO_MODEL}, so nothing can be fit or scored; try what a "
            "model of its features would do: --set training.estimator=linear_svc"
        )


def written_spec(model: str | None, *only_with_data: object) -> dict[str, Any]:
    """Return what the spec of a model says; raise SpecError if it cannot be used."""
    if model is None:
        raise SpecError("name a model spec, or a file with --data, --time, --label and --window")
    if any(only_with_data):
        raise SpecError(
            "--time, --label, --window, --ignore and --as go with --data only; use --set"
        )
    return draft.find_written(model)


def drafted_spec(
    data: str,
    model: str | None,
    time: str | None,
    label: str | None,
    window: str | None,
    ignore: list[str],
    given: Mapping[str, ColumnKind],
) -> tuple[dict[str, Any], list[Guess]]:
    """Return a spec for a data file, and what its columns are taken for; see `draft.drafted`."""
    if model is not None:
        raise SpecError(f"give either the model spec {model} or --data {data}")
    if time is None or label is None or window is None:
        needed = {"time": time, "label": label, "window": window}
        missing = ", ".join(f"--{name}" for name, value in needed.items() if value is None)
        raise SpecError(f"--data {data}: it needs {missing} as well")
    return draft.drafted(data, time, label, window, ignore, given)


def first_span(spec: ModelSpec, first: str | None) -> timedelta:
    """Return how much event time trains a first champion: `--first`, or `training.window`."""
    if first is None:
        return spec.training.window
    try:
        return bounds.duration(first, "--first", bounds.SHORTEST)
    except bounds.OutOfBounds as error:
        raise SpecError(str(error)) from None


def range_of(
    spec: ModelSpec, since: datetime | None, until: datetime | None
) -> tuple[datetime, datetime]:
    """Return the time that is played, in UTC: from `window.start` to `window.end` or now."""
    zone = ZoneInfo(spec.window.timezone)
    try:
        start, end = (
            m and bounds.moment(m.replace(tzinfo=m.tzinfo or zone), option)
            for option, m in (("--from", since), ("--to", until))
        )
    except bounds.OutOfBounds as error:
        raise SpecError(str(error)) from None
    start, end = start or spec.window.start, end or spec.window.end or datetime.now(UTC)
    if start >= end:
        raise SpecError(f"--from {start:%Y-%m-%d} is not before {end:%Y-%m-%d}; move one")
    return start.astimezone(UTC), end.astimezone(UTC)
