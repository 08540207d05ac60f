"""Which tests `make test` runs side by side: those of one file stay together, and so do all of e2e.

The end-to-end tests share one Airflow, for which they wait most of the time. One process runs them,
first of all, while another one runs the rest.
"""

from __future__ import annotations

from pathlib import Path

import pytest

_ONE_AIRFLOW = Path(__file__).parent / "e2e"


def _shares(item: pytest.Item) -> str:
    return "e2e" if _ONE_AIRFLOW in item.path.parents else str(item.path)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _shares(item) != "e2e")
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_shares(item)))
