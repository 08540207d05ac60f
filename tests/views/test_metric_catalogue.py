"""The catalogue keeps Prometheus's conventions, and the docs say what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.views.metric_catalogue import EVERY, metric_table
from tasks.views.metric_family import MetricFamily

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_docs_have_the_table_of_all_metrics() -> None:
    assert metric_table() in DOCS.read_text(encoding="utf-8")


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.name)
def test_a_name_tells_its_type_and_unit(one: MetricFamily) -> None:
    assert one.name.startswith("gatelatch_")
    assert one.name.endswith("_total") == (one.type == "counter")
    assert one.name.endswith("_info") == (one.type == "info")
    if one.unit in ("seconds", "ratio"):
        assert f"_{one.unit}" in one.name
    assert not one.says.endswith(".")


def test_each_metric_stands_there_once() -> None:
    names = [one.name for one in EVERY]
    assert len(names) == len(set(names))
