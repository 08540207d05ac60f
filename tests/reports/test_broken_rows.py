"""A fault in the rows that a candidate learns from is named to whoever is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.flows import asking
from tasks.reports.broken_rows import broken_rows
from tests.support.flow import (
    FIRST,
    MODEL,
    At,
    beginning,
    land,
    propose,
    read,
    register,
    rows,
    watch,
)


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def scaled(number: int) -> None:
    land(number, x=20 * rows(number)["x"])


def test_gates_pass_what_learnt_a_broken_feature_and_both_briefs_name_the_fault(at: At) -> None:
    at("bootstrapped")
    for number in (9, 10):
        scaled(number)
    for number in range(6, 11):
        watch(number)
    asked = propose()
    register(FIRST)
    assert all(gate["verdict"] != "failed" for gate in read().candidates[-1].gates)
    for brief in (asked["body"], asking.to_promote(MODEL, FIRST, "/dags/here")["body"]):
        assert "**The rows to learn from hold a data fault, broken scaling:** x varies" in brief
        assert "in 2 of 2 windows of these rows, first in that of 2026-01-09 00:00." in brief
        assert "The newest rows hold it too, so that no gate can show it." in brief
        assert "*Rather reject, repair the feature where it is made" in brief


@pytest.mark.parametrize(
    ("kind", "purpose", "follows"),
    [
        ("retrain", "to learn from", "A model that learns them learns the fault."),
        ("recalibrate", "to learn probabilities from", "Decisions stay as they are; probabilities"),
        ("adopt", "to calibrate and judge on", "Nothing is fit to them, but probabilities, limits"),
    ],
)
def test_what_follows_from_a_fault_is_said_for_what_the_rows_are_for(
    at: At, kind: str, purpose: str, follows: str
) -> None:
    at("bootstrapped")
    for number in (9, 10):
        scaled(number)
        watch(number)
    propose()
    known = read()
    (told,) = broken_rows(known, replace(known.proposals[-1], kind=kind))
    assert told.startswith(f"**The rows {purpose} hold a data fault, broken scaling:** x varies")
    assert follows in told
    assert "no gate can show it" in told


def test_rows_without_a_fault_or_of_another_time_are_not_warned_of(at: At) -> None:
    at("drifted")
    propose()
    known = read()
    (asked,) = [p for p in known.proposals if p.proposal == FIRST]
    assert broken_rows(known, asked) == []
    scaled(8)
    watch(8)
    known = read()
    assert broken_rows(known, asked) == []
    (told,) = broken_rows(known, replace(asked, trained_from=known.observations[0].window_start))
    assert "in 1 of 5 windows of these rows, first in that of 2026-01-08 00:00" in told
    assert "no gate can show it" not in told
