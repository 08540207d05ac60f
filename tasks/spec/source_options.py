"""Where rows and labels are, and what their columns are."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from tasks.spec.part import Duration, Label, Path, SpecPart, Text, time_zone


class Place(SpecPart):
    """Where rows are: files, a SQL table or a Delta Lake table."""

    path: Path | None = Field(
        default=None,
        description="Parquet or CSV files, fsspec URL or glob; `{date}` is each day of the window",
    )
    table: Text | None = Field(default=None, description="SQL table, instead of `path`")
    database: Text | None = Field(
        default=None,
        description="name of the environment variable that holds the table's SQLAlchemy URL",
    )
    delta: Path | None = Field(
        default=None,
        description="folder or URL of a Delta Lake table, instead of `path`; needs "
        "`requirements-delta.txt`",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(place is not None for place in (self.path, self.table, self.delta)) != 1:
            raise ValueError("give one of `path` (files), `table` (SQL) and `delta` (Delta Lake)")
        if self.table is not None and self.database is None:
            raise ValueError("`table` needs `database`: the name of an environment variable")
        return self

    @property
    def kind(self) -> str:
        """Return the option that says where the rows are: what reads them goes by it."""
        kinds = {"path": self.path, "table": self.table, "delta": self.delta}
        return next(kind for kind, place in kinds.items() if place is not None)

    def __str__(self) -> str:
        if self.delta is not None:
            return f"Delta table {self.delta}"
        return self.path or f"table {self.table}"


class Source(Place):
    time: Text = Field(description="column with the event time")
    key: Text = Field(description="column that names a row; unique within a window")
    margin: Text | None = Field(
        default=None,
        description="column with the decision value that production logged (binary models)",
    )
    weight: Text | None = Field(
        default=None,
        description="column with sample weights, none negative; they weigh a window's losses, but "
        "training does not use them",
    )
    version_column: Text | None = Field(
        default=None,
        description="column with the model version that scored the row (`3` or `v3`; of "
        "`margins_only`, the name that it was handed in under); each version is then measured on "
        "its own rows",
    )
    asset: Text | None = Field(
        default=None,
        description="name or URI of an Airflow asset; each of its events lets the monitor look at "
        "the newest complete window, beside its schedule",
    )
    timezone: str | None = Field(
        default=None,
        description="zone of times that are written without one; left out: UTC; required if "
        "`window.timezone` is another zone",
    )

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        return value if value is None else time_zone(value)


class Features(SpecPart):
    numeric: tuple[Text, ...] = Field(default=(), description="columns scaled to unit variance")
    categorical: tuple[Text, ...] = Field(default=(), description="columns of texts or codes")
    text: tuple[Text, ...] = Field(default=(), description="columns turned into TF-IDF")

    @model_validator(mode="after")
    def _some(self) -> Self:
        names = self.columns
        if not names and type(self) is Features:
            raise ValueError("name at least one feature column")
        if len(set(names)) < len(names):
            raise ValueError("name each column once, in one list only")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        return self.numeric + self.categorical + self.text


class NoFeatures(Features):
    """Of a model that is never here: what it reads need not be known here either."""


class LabelSource(Place):
    option: ClassVar[str] = "label.source"  # where the spec names it, for errors

    path: Path | None = Field(
        default=None,
        description="Parquet or CSV files with the labels, instead of a column of the source; "
        "`{date}` is each day from the window's start to its end + `label.delay`",
    )
    key: Text | None = Field(
        default=None,
        description="column of the labels with the key of a row; left out: `source.key`",
    )
    column: Text | None = Field(
        default=None,
        description="column of the labels with the true class; left out: `label.column`",
    )


class LabelColumn(SpecPart):
    column: Text = Field(
        description="column with the true class; empty where the class is not known yet"
    )
    classes: tuple[Label, ...] = Field(
        min_length=2, description="all classes; if there are two, the second is the positive one"
    )
    delay: Duration = Field(
        default=timedelta(0),
        description="event time from a window's end until its labels are there; the window is "
        "then measured again",
    )
    source: LabelSource | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the classes' names in index order."""
        return tuple(str(c) for c in self.classes)

    @property
    def late(self) -> bool:
        """Return whether labels may come after their rows."""
        return self.source is not None or self.delay > timedelta(0)

    @field_validator("classes", mode="before")
    @classmethod
    def _no_booleans(cls, value: object) -> object:
        if isinstance(value, list | tuple) and any(isinstance(c, bool) for c in value):
            raise ValueError("YAML takes yes, no, true, false for booleans; write them in quotes")
        return value

    @field_validator("classes")
    @classmethod
    def _distinct(cls, value: tuple[Label, ...]) -> tuple[Label, ...]:
        if len({str(c) for c in value}) < len(value):
            raise ValueError("each class once")
        return value
