"""Which rows are fit to be measured."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks import bounds
from tasks.spec.part import Rate, SpecPart


class Expectation(BaseModel):
    """One Great Expectations expectation on rows; further keys are its own arguments."""

    model_config = ConfigDict(extra="allow", frozen=True)
    type: str = Field(
        pattern=r"^expect_[a-z_]+$",
        max_length=bounds.TEXT,
        description="name of a row-wise Great Expectations expectation; its arguments stand "
        "beside it",
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
        default=0.1,
        description="if a larger share of the rows is bad, the window is `insufficient`",
    )
    fresh: Rate = Field(
        default=0.5,
        description="the newest row must lie in this last share of the window, else the window is "
        "stale",
    )
    constant_feature: Literal["insufficient", "measure"] = Field(
        default="insufficient",
        description="what happens if a feature was constant in the reference and now varies: the "
        "window is `insufficient`; or `measure`, it is measured and says so",
    )
