"""Where and when the champion scores a model's rows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.spec.part import Path, SpecPart

Occasion = Literal["window", "landing", "champion"]


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
