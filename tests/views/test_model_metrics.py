"""What is said of a model: now-values, frozen where nothing can be said, no text from the data."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ledger.reader import ModelRows
from tasks.ledger.records import Decision, Freeze, Observation, Proposal
from tasks.ledger.status import folded
from tasks.spec.model import ModelSpec
from tasks.views.metric_catalogue import OF_MODELS
from tasks.views.model_metrics import SeenModel, model_samples
from tests.conftest import CHURN
from tests.support.rows import day, decision, observation, proposal, registered
from tests.support.stood import statistic
from tests.support.versions import MOVES, promotions_of

SPEC = ModelSpec.model_validate(CHURN)
MOST = {one.name: one.most for one in OF_MODELS}
LABELS = {one.name: len(one.labels) - 1 for one in OF_MODELS}


def said(
    *observations: Observation,
    spec: ModelSpec = SPEC,
    asked_at: dict[tuple[str, str], datetime] | None = None,
    time_is_up: dict[str, datetime] | None = None,
    **parts: Any,
) -> dict[tuple[str, ...], float]:
    rows: dict[str, Any] = {
        "observations": list(observations),
        "proposals": [],
        "decisions": [],
        "candidates": [],
        "promotions": promotions_of(MOVES[:1]),
        "freezes": [],
    }
    status = folded(spec, ModelRows(**rows | parts))
    samples = model_samples(
        SeenModel(status=status, asked_at=asked_at or {}, time_is_up=time_is_up or {})
    )
    found = {(metric.removeprefix("gatelatch_"), *labels): v for metric, labels, v in samples}
    assert len(found) == len(samples)
    return found


def drifting(number: int, **figures: Any) -> Observation:
    return observation(number, verdict="drifting", pressure=2.0, figures=figures)


LOSSES = {"hinge_loss": 0.4, "violation_rate": 0.3, "accuracy": 0.9}
STATISTICS = [
    statistic("ks", 0.5),
    statistic("class_loss", 0.2, of="secret"),
    statistic("class_loss", 1.5, of="other secret"),
    statistic("of a newer release", 0.1),
]


def test_the_newest_window_is_what_stands_now_and_its_end_is_a_metric_of_its_own() -> None:
    figures = {"accepted": 290, "quarantined": 10, "labelled": 250, "statistics": STATISTICS}
    found = said(observation(1), observation(2, figures=figures | LOSSES))
    assert found["window_end_timestamp_seconds",] == day(3).timestamp()
    assert found["window_rows", "1", "accepted"] == 290
    assert found["window_rows", "1", "quarantined"] == 10
    assert found["window_labelled_rows", "1"] == 250
    assert found["window_verdict", "1", "steady"] == 1
    assert found["window_verdict", "1", "drifting"] == 0
    assert found["hinge_loss", "1"] == 0.4
    assert found["violation_ratio", "1"] == 0.3
    assert found["accuracy_ratio", "1"] == 0.9


def test_of_a_statistic_of_each_class_the_largest_is_shown_and_no_class_is_named() -> None:
    found = said(observation(2, figures={"statistics": STATISTICS}))
    pressures = {k[2]: v for k, v in found.items() if k[0] == "drift_pressure_ratio"}
    assert pressures == pytest.approx({"ks": 0.5, "class_loss": 1.5, "other": 0.1})
    assert "secret" not in str(found)


def test_an_insufficient_window_freezes_what_was_measured_and_is_counted() -> None:
    before = observation(2, figures={"statistics": STATISTICS, **LOSSES})
    nothing = [observation(n, verdict="insufficient", figures={}) for n in (3, 4)]
    found = said(before, *nothing)
    assert found["insufficient_windows_in_a_row",] == 2
    assert found["window_verdict", "1", "insufficient"] == 1
    assert found["hinge_loss", "1"] == 0.4
    assert found["drift_pressure_ratio", "1", "ks"] == 0.5
    assert said(before)["insufficient_windows_in_a_row",] == 0


def test_what_was_measured_of_an_earlier_champion_is_not_said_of_the_new_one() -> None:
    found = said(observation(2, figures=LOSSES), promotions=promotions_of(MOVES))
    assert found["champion_version",] == 2
    assert found["promotions_total",] == 2
    assert not [key for key in found if key[0] == "hinge_loss"]


def test_the_champions_reference_stands_beside_the_newest_window() -> None:
    sums = {"rows": 200, "weight": 200.0, "hinge": 50.0, "violations": 40.0, "errors": 20.0}
    candidate = registered(reference={"summary": {"losses": sums}})
    found = said(candidates=[candidate])
    assert found["hinge_loss_reference", "1"] == 0.25
    assert found["violation_ratio_reference", "1"] == 0.2
    assert found["accuracy_ratio_reference", "1"] == 0.9
    unlabelled = registered(reference={"summary": {"losses": {"rows": 0, "weight": 0.0}}})
    assert not [k for k in said(candidates=[unlabelled]) if k[0].endswith("_reference")]


def test_an_episode_keeps_the_feature_of_its_first_window_whatever_moves_later() -> None:
    def moved(**features: float) -> dict[str, Any]:
        return {"moved": {"total": 0.0, "features": features, "rest": 0.0}}

    first, second = drifting(2, **moved(x=-0.9, z=0.2)), drifting(3, **moved(x=0.1, z=0.8))
    expected = ("episode_info", "1", "drift", "churn.v1.20260102T0000", "x")
    for windows in ([first, second], [first, second, drifting(4, **moved(z=2.0))]):
        found = said(*windows)
        assert [key for key in found if key[0] == "episode_info"] == [expected]
        assert found["latch_state", "drift", "open"] == 1
        assert found["latch_state", "drift", "closed"] == 0


@pytest.mark.parametrize(
    ("figures", "feature"),
    [
        ({}, "none"),
        ({"moved": {"total": 0.0, "features": {}, "rest": 0.0}}, "none"),
        ({"moved": {"total": 1.0, "features": {"city=Berlin": 1.0}, "rest": 0.0}}, "other"),
    ],
)
def test_an_episode_always_has_a_feature_and_none_with_a_value_of_the_data(
    figures: dict[str, Any], feature: str
) -> None:
    found = said(drifting(2, **figures), drifting(3))
    assert [key[4] for key in found if key[0] == "episode_info"] == [feature]


def test_a_question_that_waits_says_since_when_and_until_when() -> None:
    asked = datetime(2026, 1, 9, 12, tzinfo=UTC)
    both = [proposal("p2"), proposal("p3")]
    found = said(proposals=both, asked_at={("p2", "retrain"): asked})
    assert found["proposal_live", "retrain", "retrain"] == 1
    assert found["proposal_live", "retrain", "none"] == 1
    waiting = ("retrain", "retrain")
    since, deadline = asked.timestamp(), (asked + timedelta(days=3)).timestamp()
    assert found["approval_waiting_since_timestamp_seconds", *waiting] == since
    assert found["approval_deadline_timestamp_seconds", *waiting] == deadline
    answered = said(
        proposals=both, asked_at={("p2", "retrain"): asked}, decisions=[decision(proposal="p2")]
    )
    assert answered["proposal_live", "retrain", "none"] == 2
    assert answered["decisions_total", "retrain", "approved"] == 1
    assert not [key for key in answered if key[0].startswith("approval_")]


def test_the_next_window_is_due_at_its_end_and_grace_by_the_clock_of_its_zone(spec: Any) -> None:
    zoned = spec(
        window={"start": "2026-03-27T23:00:00Z", "timezone": "Europe/Berlin", "grace": "2h"}
    )
    start = datetime(
        2026, 3, 27, 23, tzinfo=UTC
    )  # midnight of the 28th; the clock changes next day
    seen = observation(window_start=start, window_end=start + timedelta(days=1))
    found = said(seen, spec=zoned, promotions=promotions_of(MOVES[:1]))
    due = datetime(2026, 3, 29, 22, tzinfo=UTC) + timedelta(hours=2)
    assert found["window_due_timestamp_seconds",] == due.timestamp()
    second = datetime(2026, 3, 30, 22, tzinfo=UTC) + timedelta(hours=2)
    assert found["second_window_due_timestamp_seconds",] == second.timestamp()


def test_before_the_first_champion_and_after_the_grids_end_nothing_is_due(spec: Any) -> None:
    due = "window_due_timestamp_seconds"
    assert (due,) not in said(promotions=[])
    assert said()[due,] == day(2).timestamp()
    ended = spec(window={"end": "2026-01-03"})
    assert (due,) in said(observation(1), spec=ended)
    assert (f"second_{due}",) not in said(observation(1), spec=ended)
    assert (due,) not in said(observation(1), observation(2), spec=ended)


texts = st.text(max_size=8) | st.sampled_from(["retrain", "promote", "rollback", "gates"])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(texts, texts, texts), max_size=30),
    st.lists(st.tuples(texts, texts), max_size=30),
    st.lists(st.tuples(texts, st.floats(0, 9)), max_size=30),
)
def test_whatever_texts_the_ledger_holds_no_metric_has_more_series_than_the_docs_say(
    decided: list[tuple[str, str, str]],
    proposed: list[tuple[str, str]],
    measured: list[tuple[str, float]],
) -> None:
    decisions: list[Decision] = [
        decision(answer, proposal=f"d{n}{name}", step=step)
        for n, (name, step, answer) in enumerate(decided)
    ]
    proposals: list[Proposal] = [
        proposal(f"l{n}", kind=kind) for n, (kind, _) in enumerate(proposed)
    ]
    asked_at = {(f"l{n}", step): day(9) for n, (_, step) in enumerate(proposed)}
    statistics = [statistic(name, pressure) for name, pressure in measured]
    found = said(
        observation(2, figures={"statistics": statistics, **LOSSES}),
        proposals=proposals,
        decisions=decisions,
        asked_at=asked_at,
        time_is_up={one.proposal: day(20) for one in proposals},
    )
    counts = Counter(f"gatelatch_{key[0]}" for key in found)
    assert all(count <= MOST[name] for name, count in counts.items())
    assert all(len(key) - 1 == LABELS[f"gatelatch_{key[0]}"] for key in found)


def test_a_frozen_model_is_1_with_the_moment_and_a_thawed_one_is_0() -> None:
    freeze = Freeze(
        model="churn", number=1, state="frozen", by="ada", reason="why", recorded_at=day(20)
    )
    frozen = said(freezes=[freeze])
    since = ("frozen_since_timestamp_seconds",)
    assert (frozen["frozen",], frozen[since]) == (1, day(20).timestamp())
    thawed = said(freezes=[freeze, replace(freeze, number=2, state="thawed")])
    assert thawed["frozen",] == 0
    assert since not in thawed
