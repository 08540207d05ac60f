"""A suite of Great Expectations: runs rules on the rows of a frame."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.arrays import Mask
from tasks.validation.expectations import import_gx, usable
from tasks.validation.rules import Rule, Tally

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_WANTED = {
    "result_format": "COMPLETE",
    "exclude_unexpected_values": True,
    "include_unexpected_rows": False,
    "return_unexpected_index_query": False,
    "partial_unexpected_count": 0,
}


@dataclass(frozen=True, kw_only=True)
class RuleFailures:
    """What a rule says of one frame: how many rows fail, and which, shape (n,)."""

    rule: Rule
    tally: Tally
    mask: Mask


class Suite:
    """Rules, ready to run; holds nothing of the frames that it has seen."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._suite_of = cache(_suite)

    @cached_property
    def _batch(self) -> Any:
        # Made for the first frame: most windows leave nothing to ask about.
        context = import_gx().get_context(mode="ephemeral")
        context.enable_analytics(False)
        context.variables.progress_bars = {"globally": False}
        asset = context.data_sources.add_pandas("window").add_dataframe_asset("rows")
        return asset.add_batch_definition_whole_dataframe("chunk")

    def run(self, frame: pd.DataFrame, rules: Sequence[Rule] | None = None) -> list[RuleFailures]:
        """Judge a frame by all rules, or by some of them.

        Parameters
        ----------
        frame
            From `frame_of`, shape (n, columns).
        """
        ran = self._rules if rules is None else tuple(rules)
        if not ran:
            return []
        # Not ValidationDefinition.run: that keeps every result, so memory would grow.
        batch = self._batch.get_batch({"dataframe": frame})
        results = batch.validate(self._suite_of(ran), result_format=_WANTED).results
        return [_failures(ran[r.expectation_config.meta["rule"]], r, len(frame)) for r in results]


def _suite(rules: tuple[Rule, ...]) -> Any:
    # The description keeps a user's expectation apart from an equal derived one: a suite is a set.
    expectations = [
        usable()[rule.expectation](**rule.arguments, meta={"rule": i}, description=f"rule {i}")
        for i, rule in enumerate(rules)
    ]
    return import_gx().ExpectationSuite(name="rows", expectations=expectations)


def _failures(rule: Rule, outcome: Any, rows: int) -> RuleFailures:
    mask = np.zeros(rows, dtype=bool)
    error = _raised(outcome.exception_info)
    if error is not None:
        return RuleFailures(rule=rule, tally=Tally(error=error), mask=mask)
    result = outcome.result
    mask[result["unexpected_index_list"]] = True
    judged = result["element_count"] - result.get("missing_count", 0)
    return RuleFailures(rule=rule, tally=Tally(judged, int(mask.sum())), mask=mask)


def _raised(info: Mapping[str, Any]) -> str | None:
    """Return the type of the error that an expectation raised; its text may hold a row's value."""
    for item in [info] if "raised_exception" in info else info.values():
        if item["raised_exception"]:
            kinds = re.findall(r"^([\w.]+):", item["exception_traceback"] or "", re.MULTILINE)
            return kinds[0].rpartition(".")[2] if kinds else "an error"
    return None


def frame_of(table: pa.Table) -> pd.DataFrame:
    """Return the table in pandas' plain types: times in UTC without zone, decimals as floats."""
    import pyarrow as pa

    def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
        kind = column.type
        if pa.types.is_dictionary(kind):
            return column.cast(kind.value_type)
        if pa.types.is_decimal(kind) or pa.types.is_null(kind):
            return column.cast(pa.float64())
        if pa.types.is_boolean(kind):
            return column.cast(pa.uint8())
        if pa.types.is_timestamp(kind):
            return column.cast(pa.timestamp(kind.unit))
        return column.cast(pa.timestamp("s")) if pa.types.is_date(kind) else column

    columns = [plain(column) for column in table.itercolumns()]
    plainly = pa.Table.from_arrays(columns, names=table.column_names)
    frame: pd.DataFrame = plainly.to_pandas(ignore_metadata=True)
    return frame
