"""The part of the model spec that says what a candidate must pass. Light, as all of the spec is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from tasks.spec.part import Count, Finite, Label, NotNegative, Positive, Rate, SpecPart, Text

Metric = Literal["error_rate", "hinge_loss", "violation_rate", "brier", "cost"]
Costs = tuple[tuple[NotNegative, ...], ...]
# Of these metrics more is better, of all others less; one result for each class.
MORE_IS_BETTER = frozenset({"accuracy", "per_class_recall"})
BY_CLASS = frozenset({"per_class_recall"})
# Facts about the candidate alone: nothing of the champion's to be better than.
_BOUNDS = ("hinge_gap", "support_vectors", "support_vector_share", "scoring_time")


class Gate(SpecPart):
    better_than: Literal["champion"] | None = Field(
        default=None,
        description="`champion`: the whole interval of candidate − champion must lie below 0",
    )
    not_worse_than: Literal["champion"] | None = Field(
        default=None,
        description="`champion`: the whole interval of candidate − champion must lie below `by`",
    )
    by: NotNegative | None = Field(default=None, description="how much worse is still accepted")
    at_most: Positive | None = Field(default=None, description="absolute upper bound")
    at_least: Rate | None = Field(
        default=None, description="absolute lower bound, for `per_class_recall` only"
    )
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = Field(
        default=0.8,
        description="confidence of the paired block bootstrap's interval; 0.8 leaves a tenth on "
        "each side",
    )

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        given = [self.better_than, self.not_worse_than, self.at_most, self.at_least]
        if sum(g is not None for g in given) != 1:
            raise ValueError(
                "give one of `better_than`, `not_worse_than`, `at_most` (`at_least` for recall)"
            )
        if (self.not_worse_than is None) != (self.by is None):
            raise ValueError("`not_worse_than` and `by` go together")
        return self


class SliceOver(SpecPart):
    """Rows that a column tells apart: by its values, or by where its numbers are cut."""

    column: Text
    values: tuple[Label, ...] = ()
    edges: tuple[Finite, ...] = ()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.values and self.edges:
            raise ValueError("give `values` or `edges`, not both")
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError("`edges` rise, each once")
        return self


class SlicePolicy(SpecPart):
    over: tuple[SliceOver, ...] = Field(
        default=(),
        description="more slices, by any column of the source. `{column: region}`: each of its "
        "values; with `values: [north, south]`: only these; with `edges: [30, 60]`: the ranges of "
        "a number",
    )
    standard: bool = Field(
        default=True,
        description="whether each class and each value of a categorical feature is a slice too",
    )
    metric: Metric = Field(
        default="error_rate",
        description="what is compared in every slice: `error_rate`, `hinge_loss`, "
        "`violation_rate`, `brier` or `cost`",
    )
    not_worse_by: NotNegative = Field(
        default=0.1, description="a slice fails if it is shown to be worse by more than this"
    )
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = Field(
        default=0.95, description="confidence of all slices together (Bonferroni)"
    )
    min_rows: Count = Field(
        default=100, description="a slice with fewer judged rows has no verdict"
    )

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(over.column for over in self.over))


class Gates(SpecPart):
    """Which metric must pass what. What makes a candidate unsound is always checked."""

    hinge_loss: Gate | None = Field(default=None, description="mean hinge loss")
    error_rate: Gate | None = Field(default=None, description="share of wrong decisions")
    violation_rate: Gate | None = Field(default=None, description="share with y·f < 1")
    cost: Gate | None = Field(default=None, description="mean of `gates.costs` over the decisions")
    brier: Gate | None = Field(
        default=None, description="Brier score; with more than two classes the sum over the classes"
    )
    calibration_error: Gate | None = Field(
        default=None, description="expected calibration error, 10 equal-mass bins"
    )
    max_calibration_error: Gate | None = Field(
        default=None, description="the widest gap in one of these bins"
    )
    per_class_recall: Gate | None = Field(
        default=None,
        description="share of each class's rows that are decided rightly; every class must pass",
    )
    hinge_gap: Gate | None = Field(
        default=None, description="mean hinge loss of the judged rows − that of the fitted ones"
    )
    support_vectors: Gate | None = Field(
        default=None, description="count of fitted rows with y·f ≤ 1"
    )
    support_vector_share: Gate | None = Field(
        default=None, description="share of fitted rows with y·f ≤ 1"
    )
    scoring_time: Gate | None = Field(
        default=None, description="scoring time, as a multiple of the champion's"
    )
    costs: Costs | None = Field(
        default=None,
        description="cost of each decision, such as `[[0, 5], [1, 0]]`: a row for each true "
        "class, a column for each predicted class",
    )
    slices: SlicePolicy = SlicePolicy()
    may_separate: tuple[Text, ...] = Field(
        default=(),
        description="features that may tell the classes apart on their own; any other such "
        "feature is taken for a leak",
    )

    @classmethod
    def default(cls) -> Gates:
        return cls(hinge_loss=Gate(better_than="champion"))

    @field_validator(*_BOUNDS)
    @classmethod
    def _bound(cls, value: Gate | None) -> Gate | None:
        if value is not None and value.at_most is None:
            raise ValueError("takes `at_most` alone: it is no comparison of losses")
        return value

    @field_validator("*")
    @classmethod
    def _rising(cls, value: Any, info: ValidationInfo) -> Any:
        rising = info.field_name in MORE_IS_BETTER
        if rising and isinstance(value, Gate) and value.at_most is not None:
            raise ValueError("more is better: give `at_least` in place of `at_most`")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name, gate in self.declared():
            if gate.at_least is not None and name not in MORE_IS_BETTER:
                raise ValueError(f"{name}: less is better: give `at_most` in place of `at_least`")
        if self.costs is None and (self.cost is not None or self.slices.metric == "cost"):
            raise ValueError("`cost` needs `costs`: one row for each true class")
        return self

    def fit(self, classes: int) -> None:
        """Raise ValueError if these cannot be the gates of a model with this number of classes."""
        if self.costs is not None and any(len(r) != classes for r in (self.costs, *self.costs)):
            raise ValueError(f"gates.costs has to have {classes} rows of {classes} columns")

    def declared(self) -> Iterator[tuple[str, Gate]]:
        """Yield the name and meaning of each gate that the spec asks for."""
        for name in type(self).model_fields:
            gate = getattr(self, name)
            if isinstance(gate, Gate):
                yield name, gate
