"""Where and when the champion scores a model's rows, and on what share of the keys it begins."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tasks.spec.part import Finite, Path, SpecPart, Windows

Occasion = Literal["window", "landing", "champion"]


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
    path: Path = Field(
        description="folder or fsspec URL; a window's scores are the file "
        "`window=…/promotion=…/scores.parquet` below it"
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
