"""What a board is made of, whatever draws it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

PanelKind = Literal["number", "bars", "table", "lines", "states"]
Colour = Literal["green", "yellow", "orange", "red", "blue", "purple", "text"]

COLUMNS = 24  # of Grafana's grid


@dataclass(frozen=True, kw_only=True)
class Query:
    """What is asked of Prometheus.

    `name` is what a line or column is called, with labels in double braces. `unit` is that of a
    table's column.
    """

    expr: str
    name: str = ""
    unit: str = "short"


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One picture: its `says` tells what it shows and what to make of it.

    `texts` are what values mean, with a colour that is never all that tells them apart. `limit` is
    a line, above which it is bad. `runbook` is an anchor of docs/runbooks.md. `empty` is what
    stands there where Prometheus has no answer, and why that is right; without it a test demands an
    answer even where all is calm.
    """

    kind: PanelKind
    title: str
    says: str
    queries: tuple[Query, ...]
    unit: str = "short"
    width: int = 12
    height: int = 8
    texts: Mapping[str, tuple[str, Colour]] = field(default_factory=dict)
    limit: float | None = None
    runbook: str = ""
    empty: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board; `of_one_model` has a choice of the model, which queries call $model."""

    uid: str
    title: str
    says: str
    sections: tuple[Section, ...]
    since: str
    of_one_model: bool = False

    @property
    def panels(self) -> Iterator[Panel]:
        for section in self.sections:
            yield from section.panels


class Place(NamedTuple):
    """Where something is drawn, in the grid's columns and rows."""

    x: int
    y: int
    width: int
    height: int


def placed(board: Board) -> Iterator[tuple[Section | Panel, Place]]:
    """Yield headings and panels with their places: from left to right, each line below the last."""
    y = 0
    for section in board.sections:
        yield section, Place(0, y, COLUMNS, 1)
        x, y, tallest = 0, y + 1, 0
        for panel in section.panels:
            if x + panel.width > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            yield panel, Place(x, y, panel.width, panel.height)
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest
