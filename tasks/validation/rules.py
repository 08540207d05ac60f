"""Row-wise rules of a spec, derived and the user's own, and what a window's checks found. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from tasks.spec.model import ModelSpec
from tasks.spec.rule_options import Expectation

_LARGEST = 1e100  # no quantity is as large; squares, products and sums of these stay finite
_FINITE = f"finite, within ±{_LARGEST:g}"


@dataclass(frozen=True, kw_only=True)
class Check:
    """What one expectation found in the whole window: counts and bounds, never a row's value.

    `origin` is `derived` or `spec` (the user's own); `effect` is what a failure does: `quarantine`
    the row, `stop` the window, or `warn`; `remedy` is the way out.
    """

    expectation: str
    column: str | None
    effect: str
    passed: bool
    detail: str
    remedy: str
    failed_rows: int = 0
    origin: str = "derived"

    @property
    def text(self) -> str:
        """Return the sentence that people read if it failed."""
        where = f" on column {self.column!r}" if self.column else ""
        return f"{self.expectation}{where}: {self.detail}; {self.remedy}"


@dataclass(frozen=True)
class Tally:
    """How many rows a rule judged, and how many failed; `error`: why it could not judge."""

    judged: int = 0
    failed: int = 0
    error: str | None = None

    def __add__(self, other: Tally) -> Tally:
        error = self.error or other.error
        return Tally(self.judged + other.judged, self.failed + other.failed, error)


@dataclass(frozen=True, eq=False)
class Rule:
    """One row-wise expectation; `wanted` says in words what it asks of a row.

    Two rules are never equal: a user may declare what is derived already.
    """

    expectation: str
    column: str
    wanted: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    origin: str = "derived"
    mostly: float = 1.0

    def __str__(self) -> str:
        return f"{self.expectation} on column {self.column!r}"

    def check(self, tally: Tally, seen: str | None = None) -> Check:
        """Return the rule's result; `seen` describes the rows that fail."""
        effect = "quarantine" if self.mostly == 1 else "stop"
        passed = tally.failed <= (1 - self.mostly) * tally.judged + 1e-9
        detail, remedy = self.wanted, "repair the rows at their source, or lower `mostly`"
        if tally.error is not None:
            effect, passed, detail = "stop", False, f"could not be judged ({tally.error})"
            remedy = "correct its arguments or the column's type"
        elif tally.failed:
            detail += f"; {tally.failed:,} of {tally.judged:,} rows fail"
            detail += f": {seen}" if seen else ""
        return Check(
            expectation=self.expectation,
            column=self.column,
            effect=effect,
            passed=passed,
            detail=detail,
            remedy=remedy,
            failed_rows=tally.failed,
            origin=self.origin,
        )


def rules_of(spec: ModelSpec) -> list[Rule]:
    """Return the rules that each row of a window has to meet, the user's own last."""
    return [*_derived(spec), *(_own(spec, item) for item in spec.expectations)]


def _derived(spec: ModelSpec) -> Iterator[Rule]:
    margin = [spec.source.margin] if spec.source.margin else []
    weight = [spec.source.weight] if spec.source.weight else []
    needed = [spec.source.time, spec.source.key, *spec.features.columns, *margin, *weight]
    finite = {"min_value": -_LARGEST, "max_value": _LARGEST}
    # Labels that a source has as texts are the classes' names. A CSV or a database may write an
    # empty text where there is none.
    classes = {"value_set": _or_texts([*spec.label.classes, ""])}

    def rule(kind: str, column: str, wanted: str, **arguments: Any) -> Rule:
        return Rule(
            f"expect_column_values_to_{kind}", column, wanted, {"column": column, **arguments}
        )

    for name in dict.fromkeys(needed):
        yield rule("not_be_null", name, "not missing")
    for name in (*spec.features.numeric, *margin):
        yield rule("be_between", name, _FINITE, **finite)
    for name in weight:
        yield rule("be_between", name, f"{_FINITE}, ≥ 0", **{**finite, "min_value": 0})
    wanted = f"one of the {len(spec.label.classes)} in label.classes, or empty"
    yield rule("be_in_set", spec.label.column, wanted, **classes)


def _own(spec: ModelSpec, item: Expectation) -> Rule:
    given = {name: as_moment(value) for name, value in item.arguments.items()}
    words = spec.features.categorical + spec.features.text
    if given.get("column") in words and isinstance(given.get("value_set"), list | tuple):
        given["value_set"] = _or_texts(given["value_set"])
    bounds = {k: v for k, v in item.arguments.items() if not k.startswith("column")}
    bounds |= {"mostly": item.mostly} if item.mostly < 1 else {}
    wanted = ", ".join(f"{k} {v}" for k, v in bounds.items()) or "as declared"
    return Rule(item.type, ", ".join(item.columns), wanted, given, "spec", item.mostly)


def _or_texts(values: Iterable[Any]) -> list[Any]:
    """Return values, and the texts of whole numbers among them: a CSV's categories are texts."""
    return list(
        dict.fromkeys(
            v for one in values for v in ((one, str(one)) if type(one) is int else (one,))
        )
    )


def as_moment(value: Any) -> Any:
    """Return a date or time as frames hold it; anything else as it is."""
    # Frames hold times in UTC without a zone, which compare with Timestamps like them only.
    import pandas as pd

    if not isinstance(value, date):
        return value
    moment = pd.Timestamp(value)
    return moment.tz_convert(None) if moment.tzinfo else moment
