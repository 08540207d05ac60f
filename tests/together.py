"""Which tests `make test` runs side by side: those of one file stay together, and so do all of e2e.

The end-to-end tests share one Airflow, for which they wait most of the time. One process runs them,
first of all, while another one runs the rest. Those of the team set-up share services likewise.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling, Scheduling

_ONE_AIRFLOW = ("tests/e2e", "tests/team")  # the tests of each folder share one

# A process of xdist finds the size of the terminal here, and what prints tables reads it once.
for _size in ("COLUMNS", "LINES"):
    os.environ.pop(_size, None)


class _ByFile(LoadScopeScheduling):
    """Gives a process one file after the other; what shares an Airflow counts as one file."""

    def _split_scope(self, nodeid: str) -> str:
        shared = (folder for folder in _ONE_AIRFLOW if nodeid.startswith(f"{folder}/"))
        return next(shared, nodeid.partition("::")[0])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    return _ByFile(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    shared = Path(__file__).parent / "e2e"
    items.sort(key=lambda item: shared not in item.path.parents)
