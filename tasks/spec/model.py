"""The model spec: what one monitored model is. Parsed with the DAGs, so light: pydantic only."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tasks import bounds
from tasks.spec import form
from tasks.spec.gate_options import Gate as Gate
from tasks.spec.gate_options import Gates as Gates
from tasks.spec.part import (
    Count,
    Duration,
    Label,
    Length,
    Name,
    Path,
    Positive,
    Rate,
    Seed,
    Share,
    SpecPart,
    Text,
)
from tasks.spec.part import SpecError as SpecError
from tasks.spec.part import format_duration as format_duration
from tasks.spec.part import parse_duration as parse_duration
from tasks.spec.policy_options import Drift as Drift
from tasks.spec.policy_options import Effect as Effect
from tasks.spec.policy_options import LatchPolicy as LatchPolicy
from tasks.spec.policy_options import Opening as Opening
from tasks.spec.policy_options import Shadow as Shadow


@cache
def _zones() -> set[str]:
    return available_timezones()


class Owner(SpecPart):
    name: Text = Field(description="who answers for the model; shown in every brief")
    approvers: tuple[Text, ...] = Field(
        default=(),
        description="Airflow user names that may answer; `id:name` where the id differs (FAB)",
    )

    @field_validator("approvers")
    @classmethod
    def _each_a_user(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            # No comma: Airflow takes its users from a list `name:role,name:role`.
            if not re.fullmatch(r"[^,:]*[^,:\s](:[^,:]*[^,:\s])?", entry):
                raise ValueError(f"{entry!r}: write a user name, or `id:name`, without commas")
        return value

    @property
    def users(self) -> list[tuple[str, str]]:
        """Return (Airflow user id, name) of each approver."""
        pairs = (entry.partition(":") for entry in self.approvers)
        return [(identity, name or identity) for identity, _, name in pairs]


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


def _zone(value: str) -> str:
    if value not in _zones():
        raise ValueError("use a name of the IANA time zone database, such as Europe/Berlin")
    return value


class Source(Place):
    time: Text = Field(description="column with the event time")
    key: Text = Field(description="column that names a row; unique within a window")
    margin: Text | None = Field(
        default=None,
        description="column with the decision value that production logged (binary models)",
    )
    weight: Text | None = Field(
        default=None,
        description="column with sample weights, none negative; they weigh a window's losses, "
        "and training does not use them",
    )
    version_column: Text | None = Field(
        default=None,
        description="column with the model version that scored the row (`3` or `v3`); each version "
        "is then measured on its own rows",
    )
    timezone: str | None = Field(
        default=None,
        description="zone of times that are written without one; left out: UTC, and to be said if "
        "`window.timezone` is another",
    )

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        return value if value is None else _zone(value)


class WindowGrid(SpecPart):
    every: Length = Field(description="length of a window")
    start: datetime = Field(description="where the first window starts; the grid's anchor")
    end: datetime | None = Field(default=None, description="no window reaches beyond this")
    timezone: str = Field(default="UTC", description="zone in which days begin")
    grace: Duration = Field(
        default=timedelta(0), description="wait after a window's end before it is measured"
    )
    catchup: bool = Field(
        default=False, description="run every window since `start`, not only from now on"
    )
    min_rows: Count = Field(default=200, description="rows below which a window is `insufficient`")

    @field_validator("start", "end", mode="before")
    @classmethod
    def _day_is_midnight(cls, value: object) -> object:
        if isinstance(value, int | float):  # pydantic would take 20260101 for seconds since 1970
            raise ValueError("write a date, such as 2026-01-31")
        if isinstance(value, date) and not isinstance(value, datetime):
            return datetime(value.year, value.month, value.day)
        if isinstance(value, str):
            bounds.moment(value)
        return value

    @field_validator("start", "end")
    @classmethod
    def _within_the_calendar(cls, value: datetime | None) -> datetime | None:
        if value is not None:
            bounds.moment(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return _zone(value)

    @model_validator(mode="after")
    def _in_zone(self) -> Self:
        zone = ZoneInfo(self.timezone)
        for name in ("start", "end"):
            value = getattr(self, name)
            if value is not None:
                local = value if value.tzinfo else value.replace(tzinfo=zone)
                object.__setattr__(self, name, local.astimezone(UTC))
        if self.end is not None and self.end <= self.start:
            raise ValueError(
                f"`end` {self.end} is not after `start` {self.start}; move one of them"
            )
        return self


class Features(SpecPart):
    numeric: tuple[Text, ...] = Field(default=(), description="columns scaled to unit variance")
    categorical: tuple[Text, ...] = Field(default=(), description="columns of texts or codes")
    text: tuple[Text, ...] = Field(default=(), description="columns turned into TF-IDF")

    @model_validator(mode="after")
    def _some(self) -> Self:
        names = self.columns
        if not names:
            raise ValueError("name at least one feature column")
        if len(set(names)) < len(names):
            raise ValueError("each column may stand in one list, once")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        return self.numeric + self.categorical + self.text


class LabelSource(Place):
    path: Path | None = Field(
        default=None,
        description="Parquet or CSV files with the labels, in place of a column of the source; "
        "`{date}` is each day from the window's start to its end + `label.delay`",
    )
    key: Text | None = Field(
        default=None, description="its column with the key of a row; left out: `source.key`"
    )
    column: Text | None = Field(
        default=None, description="its column with the true class; left out: `label.column`"
    )


class LabelColumn(SpecPart):
    column: Text = Field(description="column with the true class; empty where not yet known")
    classes: tuple[Label, ...] = Field(
        min_length=2, description="all classes; of two, the second is the positive one"
    )
    delay: Duration = Field(
        default=timedelta(0),
        description="event time after a window's end when its labels are there; the window is "
        "then measured again",
    )
    source: LabelSource | None = None

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


class Expectation(BaseModel):
    """One Great Expectations expectation on rows; further keys are its own arguments."""

    model_config = ConfigDict(extra="allow", frozen=True)
    type: str = Field(
        pattern=r"^expect_[a-z_]+$",
        max_length=bounds.TEXT,
        description="name of a row-wise Great Expectations expectation; its arguments beside it",
    )
    mostly: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0,
        description="1: a failing row is quarantined; below: this share must pass, or the window "
        "is `insufficient`",
    )

    @model_validator(mode="after")
    def _columns_are_names(self) -> Self:
        given = self.arguments.get("column_list", ())
        if not isinstance(given, list | tuple):
            raise ValueError("`column_list` is a list of column names; write [a, b]")
        for name in self._named():
            if not isinstance(name, str) or not 1 <= len(name) <= bounds.TEXT:
                raise ValueError(f"a column is a text of 1 to {bounds.TEXT} characters; quote it")
            bounds.printable(name)
        return self

    @property
    def arguments(self) -> dict[str, Any]:
        return dict(self.__pydantic_extra__ or {})

    @property
    def columns(self) -> list[str]:
        """Return the columns that it judges, however it names them."""
        return [str(name) for name in self._named()]

    def _named(self) -> list[object]:
        given = self.arguments
        names = [given[name] for name in ("column", "column_A", "column_B") if name in given]
        return [*names, *given.get("column_list", ())]


class Validation(SpecPart):
    max_quarantined: Rate = Field(
        default=0.1, description="share of bad rows above which the window is `insufficient`"
    )
    fresh: Rate = Field(
        default=0.5,
        description="the newest row lies within this last share of the window, else it is stale",
    )
    constant_feature: Literal["insufficient", "measure"] = Field(
        default="insufficient",
        description="what a feature does that was constant in the reference and now varies: stop "
        "the window, or measure it and say so",
    )


class Training(SpecPart):
    estimator: Literal["linear_svc", "sgd_hinge"] = Field(
        default="linear_svc", description="LinearSVC(loss='hinge') or SGDClassifier(loss='hinge')"
    )
    window: Length = Field(description="event time of the rows a candidate is trained on")
    weighting: Literal["balanced", "none"] = Field(default="balanced", description="class weights")
    regularisation: Positive = Field(
        default=1.0, description="C of LinearSVC; SGD's alpha = 1/(C·n)"
    )
    judge: Share = Field(default=0.2, description="share of the newest rows, kept for the gates")
    cap: Positive | None = Field(
        default=10.0,
        description="standard deviations of the fit beyond which a number counts as if it lay "
        "there; null: never",
    )
    rare_below: Count = Field(
        default=5,
        description="rows of the fit below which a category or word is pooled with all others that "
        "are unknown; it is then not in the model's file, where a single customer's would stay",
    )
    refit: Literal["never", "accepted"] = Field(
        default="never",
        description="whether what passed its gates is fit again on all its rows before it is "
        "registered: better where words or rows are scarce, worse where the newest rows are an "
        "outage; what was judged is then its twin, and not what decides",
    )
    seed: Seed = Field(default=7, description="seed of the solver")


CalibrationMethod = Literal["sigmoid", "temperature", "isotonic", "beta"]


class Calibration(SpecPart):
    method: CalibrationMethod = Field(
        default="sigmoid",
        description="Platt scaling; one temperature; a step function, from 1000 rows on; or beta "
        "calibration, whose tails may differ",
    )
    share: Share = Field(
        default=0.15, description="share of the rows before the judged ones, kept for calibration"
    )


class Approval(SpecPart):
    retrain: Literal["human", "automatic"] = Field(
        default="human", description="who decides whether to retrain"
    )
    promote: Literal["human", "automatic"] = Field(
        default="human", description="who decides whether a gated candidate becomes champion"
    )

    rollback: Literal["human", "automatic"] = Field(
        default="human",
        description="who decides on a rollback that the monitor proposes",
    )

    @property
    def asks(self) -> bool:
        """Return whether a person decides on anything that makes a candidate champion."""
        return "human" in (self.retrain, self.promote)

    timeout: Length = Field(
        default=timedelta(days=3), description="wall-clock wait; then recorded as no answer"
    )
    proposer: Text | None = Field(
        default=None,
        description="Airflow user name of who counts as the proposer of what an episode leads to, "
        "such as the last committer of this spec, and so cannot approve it; left out: nobody does",
    )


class ModelSpec(SpecPart):
    model: Name = Field(description="name of the model: in DAG ids, MLflow and the ledger")
    owner: Owner
    source: Source
    window: WindowGrid
    features: Features
    label: LabelColumn
    expectations: tuple[Expectation, ...] = Field(
        default=(), description="on top of those derived from the spec"
    )
    validation: Validation = Validation()
    drift: Drift = Drift()
    latch: LatchPolicy = LatchPolicy()
    training: Training
    calibration: Calibration = Calibration()
    gates: Gates = Field(default_factory=Gates.default)
    shadow: Shadow = Shadow()
    approval: Approval = Approval()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        rolls_back = self.approval.rollback == "human"
        if (self.approval.asks or rolls_back) and not self.owner.approvers:
            only = "" if self.approval.asks else ", or set approval.rollback: automatic"
            raise ValueError(
                "owner.approvers is empty, so nobody could ever approve; name at least one user"
                + only
            )
        if self.approval.asks and all(self.approval.proposer in u for u in self.owner.users):
            raise ValueError(
                f"approval.proposer {self.approval.proposer!r} is the only one of owner.approvers "
                "and cannot approve what they propose; name another approver"
            )
        if self.label.column in self.features.columns:
            raise ValueError(
                f"label.column {self.label.column!r} must not be a feature; "
                "take it out of `features`"
            )
        self.gates.fit(len(self.label.classes))
        if self.source.margin is not None and len(self.label.classes) > 2:
            raise ValueError("source.margin is for models with two classes; leave it out")
        return self

    @property
    def digest(self) -> str:
        """Return 12 hex digits over the canonical form; equal for equal meaning, not layout.

        They stay the same in a release that adds options; see `form`.
        """
        canonical = json.dumps(form.canonical(self), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return every column of a window's rows, each once; the label may be joined to them."""
        return tuple(dict.fromkeys([*self.needed_columns, *self.gates.slices.columns]))

    @property
    def needed_columns(self) -> tuple[str, ...]:
        """Return the columns without which a window is not measured."""
        wanted = (self.source.time, self.source.key, *self.features.columns, self.label.column)
        source = self.source
        logged = [n for n in (source.margin, source.weight, source.version_column) if n]
        extra = [name for e in self.expectations for name in e.columns]
        return tuple(dict.fromkeys([*wanted, *logged, *extra]))
