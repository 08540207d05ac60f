"""Which rows of a window people are asked to label, what they see, and where labels come back."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from tasks.spec.part import SpecPart, Text
from tasks.spec.source_options import LabelSource

Preference = Literal["uncertain", "conflicting", "slices", "random"]
# What a file for review says of each row beside the named columns.
SAID = ("id", "key", "margin", "contributions", "probability", "window", "version")


class ReviewedLabels(LabelSource):
    option: ClassVar[str] = "review.labels"


class Review(SpecPart):
    margin_below: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="rows nearer to the border than this; of more than two classes the top score "
        "minus the second counts; left out: every row",
    )
    at_most: int = Field(default=200, ge=1, le=10_000, description="rows of a window")
    prefer: Preference = Field(
        default="random",
        description="which of these: `random`; `slices`, at random and alike from each value of "
        "`over`; `uncertain`, the nearest to the border; `conflicting`, those with the strongest "
        "evidence on both sides",
    )
    over: Text | None = Field(
        default=None, description="with `prefer: slices`: the column that tells the slices apart"
    )
    columns: tuple[Text, ...] = Field(
        default=(),
        description="columns that the reviewers see; they go into the file for review. Empty: none",
    )
    labels: ReviewedLabels | None = Field(
        default=None,
        description="where the reviewers' labels come back, as `label.source` has it; they are "
        "counted apart and enter no loss",
    )

    @field_validator("columns")
    @classmethod
    def _no_name_of_ours(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if taken := [name for name in value if name in SAID]:
            raise ValueError(
                f"{taken[0]!r} is what the file says of each row itself; leave it out, or give "
                "the source's column another name"
            )
        return value
