"""A file that is replaced between two readings, or during one: the window is of the new file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.data import window_files
from tasks.data.readers import SourceChanged
from tasks.flows import monitor
from tasks.ledger.ledger import Ledger
from tests.support.flow import MODEL, At, beginning, land, rows, watch, window

OTHER = {"x": rows(7)["x"]}


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


@pytest.fixture
def whole(at: At) -> Any:
    """Return what is seen of the new file, where nothing else ever lay there."""
    at("bootstrapped")
    land(6, **OTHER)
    return watch(6)


def test_a_file_replaced_after_its_validation_ends_as_if_it_had_come_first(
    whole: Any, at: At
) -> None:
    at("bootstrapped")
    validated = monitor.validate(MODEL, window(6))
    land(6, **OTHER)
    measured = monitor.measure_as_landed(MODEL, window(6), validated)
    assert monitor.judge(MODEL, window(6), measured) == whole
    assert [o for o in Ledger.open().history("churn") if o.window == whole.window] == [whole]


def test_a_file_replaced_while_it_is_measured_ends_as_if_it_had_come_first(
    whole: Any, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("bootstrapped")
    validated = monitor.validate(MODEL, window(6))
    replaced: list[int] = []
    read = window_files.files

    def files(*asked: Any) -> Any:
        found = read(*asked)
        if not replaced:  # the names are known, and no row is read yet
            land(6, **OTHER)
            replaced.append(6)
        return found

    monkeypatch.setattr(window_files, "files", files)
    measured = monitor.measure_as_landed(MODEL, window(6), validated)
    assert replaced
    assert monitor.judge(MODEL, window(6), measured) == whole


def test_a_file_that_is_replaced_again_and_again_is_left_to_the_next_attempt(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("bootstrapped")
    validated = monitor.validate(MODEL, window(6))
    check = monitor.validate

    def validate(*asked: Any, **options: Any) -> Any:
        found = check(*asked, **options)
        land(6, x=rows(8)["x"])
        return found

    land(6, **OTHER)
    with monkeypatch.context() as patch:
        patch.setattr(monitor, "validate", validate)
        with pytest.raises(SourceChanged, match="changed after they were validated"):
            monitor.measure_as_landed(MODEL, window(6), validated)
    assert monitor.measure_as_landed(MODEL, window(6), validated).problem is None
