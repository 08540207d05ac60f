"""Where and when the champion scores a model's rows, and on what share of the keys it begins."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tasks.spec.part import Finite, Path, SpecPart, Text, Windows
from tasks.spec.source_options import Place

Occasion = Literal["window", "landing", "champion"]
WINDOW_COLUMNS = ("scored_window", "promotion")  # of a table of scores, beside those of a file
_TABLE_NAME = 50  # of 63 in PostgreSQL: a second table and an index are named after it


def _of_keys(share: float) -> float:
    if share == 1:
        raise ValueError("1 is where each canary ends by itself; leave it out")
    if not 0 < share < 1:
        raise ValueError(
            "a canary scores some of the keys; write a share between 0 and 1, such as 0.1"
        )
    return share


KeyShare = Annotated[Finite, AfterValidator(_of_keys)]


class Canary(SpecPart):
    share: KeyShare | None = Field(
        default=None, description="share of the keys that a new champion scores at first"
    )
    ramp: tuple[KeyShare, ...] = Field(
        default=(),
        max_length=10,
        description="in place of `share`: several shares, one after the other, such as "
        "`[0.1, 0.5]`; 1 follows by itself",
    )
    windows: Windows = Field(
        default=4, description="number of judged windows that a new champion serves at each share"
    )

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if (self.share is None) == (not self.ramp):
            raise ValueError("write either `share`, such as 0.1, or `ramp`, such as [0.1, 0.5]")
        for before, after in pairwise(self.ramp):
            if after <= before:
                raise ValueError(
                    f"`ramp` goes from {before} to {after}; write shares that rise, such as "
                    "[0.1, 0.5]"
                )
        return self

    @property
    def steps(self) -> tuple[float, ...]:
        """Return the shares, one after the other."""
        return self.ramp if self.share is None else (self.share,)


class Scoring(SpecPart):
    path: Path | None = Field(
        default=None,
        description="folder or fsspec URL; a window's scores are the file "
        "`window=…/promotion=…/scores.parquet` below it",
    )
    table: Text | None = Field(
        default=None,
        description="SQL table for the scores, instead of `path`; it is made if it is not there",
    )
    database: Text | None = Field(
        default=None,
        description="name of the environment variable that holds the table's SQLAlchemy URL",
    )
    on: tuple[Occasion, ...] = Field(
        default=("window",),
        min_length=1,
        description="what starts `score.MODEL`: `window`, the end of each window; `landing`, an "
        "event of `source.asset`; `champion`, a promotion",
    )
    canary: Canary | None = Field(
        default=None,
        description="let a new champion score a share of the keys first, beside the one before "
        "it; left out: all at once",
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.table is None):
            raise ValueError("write either `path` (Parquet files) or `table` (SQL)")
        if (self.table is None) != (self.database is None):
            raise ValueError(
                "`table` and `database` go together: a table, and the name of an environment "
                "variable that holds the address of its database"
            )
        if self.table is not None and len(self.table.rpartition(".")[2]) > _TABLE_NAME:
            raise ValueError(
                f"the table's name is longer than {_TABLE_NAME} characters, so that PostgreSQL "
                "would cut off what stands behind it; name it shorter"
            )
        return self

    @property
    def kind(self) -> Literal["path", "table"]:
        """Return the option that says where the scores are: what reads and writes them."""
        return "path" if self.table is None else "table"

    @property
    def place(self) -> Place:
        """Return where the scores are, as what reads it takes it."""
        return Place(path=self.path, table=self.table, database=self.database)
