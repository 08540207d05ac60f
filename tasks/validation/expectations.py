"""The Great Expectations suite of a spec: row-wise expectations, derived and the user's own."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tasks.arrays import Mask
from tasks.spec.model import Expectation, ModelSpec, SpecError

if TYPE_CHECKING:
    import pandas as pd


_LARGEST = 1e100  # no quantity is as large; squares, products and sums of these stay finite
_FINITE = f"finite, within ±{_LARGEST:g}"
# Per row in Great Expectations' class tree, yet judged by other rows or by the column's dtype:
# their outcome would depend on where the stream happens to be cut.
_NOT_ROW_WISE = {
    "expect_column_value_z_scores_to_be_less_than",
    "expect_column_values_to_be_decreasing",
    "expect_column_values_to_be_in_type_list",
    "expect_column_values_to_be_increasing",
    "expect_column_values_to_be_of_type",
    "expect_column_values_to_be_unique",
    "expect_column_values_to_not_be_outliers",
    "expect_compound_columns_to_be_unique",
}


@dataclass(frozen=True)
class Check:
    """What one expectation found in the whole window: counts and bounds, never a row's value.

    `origin` is `derived` or `spec` (the user's own); `effect` is what a failure does: `quarantine`
    the row, `stop` the window, or `warn`.
    """

    expectation: str
    column: str | None
    origin: str
    effect: str
    passed: bool
    failed_rows: int
    detail: str


# A check, and the sentence that people read if it failed.
Finding: TypeAlias = tuple[Check, str]


def finding(
    expectation: str,
    column: str | None,
    effect: str,
    passed: bool,
    detail: str,
    remedy: str,
    failed_rows: int = 0,
    origin: str = "derived",
) -> Finding:
    check = Check(expectation, column, origin, effect, passed, failed_rows, detail)
    where = f" on column {column!r}" if column else ""
    return check, f"{expectation}{where}: {detail}; {remedy}"


def check_expectations(spec: ModelSpec) -> None:
    """Check the user's own expectations without any data.

    Raises
    ------
    SpecError
        If one is unknown, does not judge single rows, or has a wrong argument; a line per mistake.
    """
    found = [line for i, item in enumerate(spec.expectations) for line in _mistakes(i, item)]
    if found:
        raise SpecError("\n".join([f"{spec.model}: {len(found)} mistake(s)", *found]))


@dataclass
class Rule:
    """One row-wise expectation, and what it has found so far."""

    expectation: str
    column: str
    wanted: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    origin: str = "derived"
    mostly: float = 1.0
    judged: int = 0
    failed: int = 0
    error: str | None = None
    told: str | None = None  # of the rows that fail, beside their number

    def __str__(self) -> str:
        return f"{self.expectation} on column {self.column!r}"

    def count(self, judged: int, mask: Mask) -> None:
        self.judged += judged
        self.failed += int(mask.sum())

    def found(self) -> Finding:
        effect = "quarantine" if self.mostly == 1 else "stop"
        passed = self.failed <= (1 - self.mostly) * self.judged + 1e-9
        detail, remedy = self.wanted, "repair the rows at their source, or lower `mostly`"
        if self.error is not None:
            effect, passed, detail = "stop", False, f"could not be judged ({self.error})"
            remedy = "correct its arguments or the column's type"
        elif self.failed:
            detail += f"; {self.failed:,} of {self.judged:,} rows fail"
            detail += f": {self.told}" if self.told else ""
        return finding(
            self.expectation, self.column, effect, passed, detail, remedy, self.failed, self.origin
        )


def rules_of(spec: ModelSpec) -> list[Rule]:
    margin = [spec.source.margin] if spec.source.margin else []
    weight = [spec.source.weight] if spec.source.weight else []
    needed = [spec.source.time, spec.source.key, *spec.features.columns, *margin, *weight]
    finite = {"min_value": -_LARGEST, "max_value": _LARGEST}
    rules = [
        Rule("expect_column_values_to_not_be_null", name, "not missing")
        for name in dict.fromkeys(needed)
    ]
    for name in (*spec.features.numeric, *margin):
        rules.append(Rule("expect_column_values_to_be_between", name, _FINITE, finite))
    for name in weight:
        bounds = {**finite, "min_value": 0}
        rules.append(Rule("expect_column_values_to_be_between", name, f"{_FINITE}, ≥ 0", bounds))
    wanted = f"one of the {len(spec.label.classes)} in label.classes, or empty"
    # Labels that a source has as texts are the classes' names. A CSV or a database may write an
    # empty text where there is none.
    values = {"value_set": _or_texts([*spec.label.classes, ""])}
    rules.append(Rule("expect_column_values_to_be_in_set", spec.label.column, wanted, values))
    for rule in rules:
        rule.arguments = {"column": rule.column, **rule.arguments}
    for item in spec.expectations:
        given = {name: _as_moment(value) for name, value in item.arguments.items()}
        words = spec.features.categorical + spec.features.text
        if given.get("column") in words and isinstance(given.get("value_set"), list | tuple):
            given["value_set"] = _or_texts(given["value_set"])
        bounds = {k: v for k, v in item.arguments.items() if not k.startswith("column")}
        bounds |= {"mostly": item.mostly} if item.mostly < 1 else {}
        wanted = ", ".join(f"{k} {v}" for k, v in bounds.items()) or "as declared"
        column = ", ".join(item.columns)
        rules.append(Rule(item.type, column, wanted, given, "spec", item.mostly))
    return rules


def _or_texts(values: Iterable[Any]) -> list[Any]:
    """Return values, and the texts of whole numbers among them: a CSV's categories are texts."""
    return list(
        dict.fromkeys(
            v for one in values for v in ((one, str(one)) if type(one) is int else (one,))
        )
    )


def _as_moment(value: Any) -> Any:
    # Frames hold times in UTC without a zone, which compare with Timestamps like them only.
    import pandas as pd

    if not isinstance(value, date):
        return value
    moment = pd.Timestamp(value)
    return moment.tz_convert(None) if moment.tzinfo else moment


@cache
def _usable() -> dict[str, Any]:
    """Return the classes of all expectations that judge single rows of a pandas frame."""
    _import_gx()
    from great_expectations.exceptions.exceptions import MetricProviderError
    from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
    from great_expectations.expectations import expectation as base
    from great_expectations.expectations import registry

    maps = base.ColumnMapExpectation, base.ColumnPairMapExpectation, base.MulticolumnMapExpectation
    engine = PandasExecutionEngine()
    found = {}
    for name in set(registry.list_registered_expectation_implementations()) - _NOT_ROW_WISE:
        kind: Any = registry.get_expectation_impl(name)
        if issubclass(kind, maps):
            try:
                registry.get_metric_provider(f"{kind.map_metric}.condition", engine)
            except MetricProviderError:
                continue  # such as LIKE patterns, which only databases have
            found[name] = kind
    return found


def _mistakes(index: int, item: Expectation) -> Iterator[str]:
    """Yield what is wrong with a user's expectation, in the form of the spec's own messages."""
    usable = _usable()
    from great_expectations.compatibility import pydantic
    from great_expectations.expectations import registry
    from great_expectations.expectations.expectation import Expectation as Base

    where = f"  expectations.{index}"
    if item.type not in usable:
        known = item.type in registry.list_registered_expectation_implementations()
        reason = "does not judge each row by itself" if known else "no such expectation"
        close = get_close_matches(item.type, sorted(usable), n=3)
        remedy = f"did you mean {' or '.join(close)}?" if close else f"use: {', '.join(usable)}"
        yield f"{where}.type: {item.type!r}: {reason}; {remedy}"
        return
    kind = usable[item.type]
    hidden = {*Base.__fields__, "batch_id", "row_condition", "condition_parser"}
    options = [name for name in kind.__fields__ if name not in hidden]
    wrong = {name: "unknown argument" for name in item.arguments if name not in options}
    try:
        if not wrong:
            kind(**{name: _as_moment(value) for name, value in item.arguments.items()})
    except pydantic.ValidationError as error:
        for mistake in error.errors():
            wrong.setdefault(str(mistake["loc"][0]), mistake["msg"])
        if len(wrong) > 1:
            wrong.pop("__root__", None)
    for name, reason in wrong.items():
        path = "type" if name == "__root__" else name
        value = item.arguments.get(name, item.type if path == "type" else None)
        yield f"{where}.{path}: {value!r}: {reason}; {item.type} takes {', '.join(options)}"


def _import_gx() -> Any:
    # It logs each registration when imported, and errors with the values that caused them.
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it imports sre_constants
        import great_expectations as gx
    return gx


def suite_of(rules: list[Rule]) -> Callable[..., list[tuple[Rule, Mask]]]:
    """Return what runs rules on a frame, counts, and gives the rows that fail each.

    It runs all of them, or those of the places that it is given beside the frame.
    """
    gx, usable = _import_gx(), _usable()
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("window").add_dataframe_asset("rows")
    definition = asset.add_batch_definition_whole_dataframe("chunk")

    @cache
    def suite(places: tuple[int, ...]) -> Any:
        # The description keeps a user's expectation apart from an equal derived one: a suite is a
        # set.
        expectations = [
            usable[rules[i].expectation](
                **rules[i].arguments, meta={"rule": i}, description=f"rule {i}"
            )
            for i in places
        ]
        return gx.ExpectationSuite(name="rows", expectations=expectations)

    wanted = {
        "result_format": "COMPLETE",
        "exclude_unexpected_values": True,
        "include_unexpected_rows": False,
        "return_unexpected_index_query": False,
        "partial_unexpected_count": 0,
    }

    def judge(
        frame: pd.DataFrame, places: tuple[int, ...] = tuple(range(len(rules)))
    ) -> list[tuple[Rule, Mask]]:
        # Not ValidationDefinition.run: that keeps every result, so memory would grow.
        batch = definition.get_batch({"dataframe": frame})
        failures = []
        for outcome in batch.validate(suite(places), result_format=wanted).results:
            rule, result = rules[outcome.expectation_config.meta["rule"]], outcome.result
            rule.error = _raised(outcome.exception_info)
            mask = np.zeros(len(frame), dtype=bool)
            if rule.error is None:
                mask[result["unexpected_index_list"]] = True
                rule.count(result["element_count"] - result.get("missing_count", 0), mask)
            failures.append((rule, mask))
        return failures

    return judge


def _raised(info: Mapping[str, Any]) -> str | None:
    """Return the type of the error that an expectation raised; its text may hold a row's value."""
    for item in [info] if "raised_exception" in info else info.values():
        if item["raised_exception"]:
            kinds = re.findall(r"^([\w.]+):", item["exception_traceback"] or "", re.MULTILINE)
            return kinds[0].rpartition(".")[2] if kinds else "an error"
    return None
