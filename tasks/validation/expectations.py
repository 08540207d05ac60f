"""Expectations that judge single rows, by Great Expectations; and whether a spec's own are such."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from typing import Any

from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError
from tasks.spec.rule_options import Expectation
from tasks.validation.rules import as_moment

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


@cache
def usable() -> dict[str, Any]:
    """Return the classes of all expectations that judge single rows of a pandas frame."""
    import_gx()
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
    row_wise = usable()
    from great_expectations.compatibility import pydantic
    from great_expectations.expectations import registry
    from great_expectations.expectations.expectation import Expectation as Base

    where = f"  expectations.{index}"
    if item.type not in row_wise:
        known = item.type in registry.list_registered_expectation_implementations()
        reason = "does not judge each row by itself" if known else "no such expectation"
        close = get_close_matches(item.type, sorted(row_wise), n=3)
        remedy = f"did you mean {' or '.join(close)}?" if close else f"use: {', '.join(row_wise)}"
        yield f"{where}.type: {item.type!r}: {reason}; {remedy}"
        return
    kind = row_wise[item.type]
    hidden = {*Base.__fields__, "batch_id", "row_condition", "condition_parser"}
    options = [name for name in kind.__fields__ if name not in hidden]
    wrong = {name: "unknown argument" for name in item.arguments if name not in options}
    try:
        if not wrong:
            kind(**{name: as_moment(value) for name, value in item.arguments.items()})
    except pydantic.ValidationError as error:
        for mistake in error.errors():
            wrong.setdefault(str(mistake["loc"][0]), mistake["msg"])
        if len(wrong) > 1:
            wrong.pop("__root__", None)
    for name, reason in wrong.items():
        path = "type" if name == "__root__" else name
        value = item.arguments.get(name, item.type if path == "type" else None)
        yield f"{where}.{path}: {value!r}: {reason}; {item.type} takes {', '.join(options)}"


def import_gx() -> Any:
    """Import Great Expectations without what it logs and warns of."""
    # It logs each registration when imported, and errors with the values that caused them.
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it imports sre_constants
        import great_expectations as gx
    return gx
