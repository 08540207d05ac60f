"""What is read before a rollback: to a version that serves, or to one that is better again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from tasks.ledger.records import Observation, Proposal
from tasks.promotion import canary
from tasks.reports import rollback_brief
from tests.promotion.test_canary import SPEC, days, known
from tests.support.versions import day

REASON = "version 1, measured beside version 2, is better: its hinge loss is 0.40 lower"


@pytest.fixture(autouse=True)
def ui(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATELATCH_MLFLOW_UI", "https://mlflow.example/ui/")


def read(new: Iterable[Observation], old: Iterable[Observation], reason: str, since: int) -> str:
    state = known()
    asked = Proposal(
        model="churn",
        proposal="p",
        kind=canary.KIND,
        reason=reason,
        episode="e",
        champion=2,
        trained_from=day(since),
        trained_until=day(8),
        proposer="gatelatch",
        spec_digest=SPEC.digest,
        target=1,
    )
    subject, body = rollback_brief.ask_for_rollback(state, asked, new, old, "/dags/here")
    assert subject == "churn: roll back version 2 to 1?"
    return body


def told(observations: list[Observation], **versions: int) -> list[Observation]:
    by = {"versions": {name[1:]: rows for name, rows in versions.items()}, "others": 0, "none": 0}
    return [replace(o, figures={**o.figures, "scored_by": by}) for o in observations]


def windows(body: str) -> list[str]:
    return [line[2:12] for line in body.splitlines() if line.startswith("| 2026")]


def both(**versions: int) -> tuple[Any, Any]:
    new, old = days(2, 0.5, 0.9, 0.9), days(1, 0.5, 0.5, 0.5)
    return told(new, **versions), told(old, **versions)


def test_of_a_version_that_still_serves_it_says_so_and_shows_the_windows_of_the_episode() -> None:
    body = read(*both(v1=100, v2=300), "the hinge loss breached", since=6)
    assert "worse than version 1**, which still serves some rows: the hinge loss breached." in body
    assert "Each version on the rows that it scored" in body
    assert windows(body) == ["2026-01-06", "2026-01-07"]
    assert "Let production score with it alone." in body


@pytest.mark.parametrize("versions", [{}, {"v2": 400}], ids=["not logged", "logged"])
def test_of_a_champion_that_is_better_again_it_says_that_it_serves_no_row(
    versions: dict[str, int],
) -> None:
    body = read(*both(**versions), REASON, since=7)
    assert "Version 1 of `churn`, champion from 2026-01-01 on, is better again" in body
    assert REASON in body
    assert "serves no row: it was measured beside version 2, both on the same rows" in body
    for wrong in ("still serves", "rows that it scored", "alone", "still worse"):
        assert wrong not in body
    # The one window that decided stands among those before it.
    assert windows(body) == ["2026-01-05", "2026-01-06", "2026-01-07"]
    assert "asked again after 2 windows if version 1 is better then." in body
