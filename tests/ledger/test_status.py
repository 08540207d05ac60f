"""Whatever stands in a ledger, it can be read, folded and shown: an append-only row stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.flows import late_labels, monitor, rollback
from tasks.ledger import status
from tasks.ledger.chain import LedgerRefused
from tasks.ledger.conflicts import Conflict
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Decision, Observation, Proposal
from tasks.ledger.status_json import status_json
from tasks.promotion import canary, decisions, proposals, shadow
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tests.conftest import CHURN
from tests.support.forging import version

EDGES = [
    *("0001-01-01", "0001-01-03", "1699-12-31", "1970-01-01", "2026-01-05", "2200-01-01"),
    *("9999-12-27", "9999-12-28", "9999-12-29", "9999-12-31T23:59:59.999999"),
]
# As `_Utc` takes them: anything that is a moment in UTC.
moments = st.sampled_from(EDGES).map(datetime.fromisoformat) | st.datetimes()
instants = moments.map(lambda m: m.replace(tzinfo=UTC))
integers = st.sampled_from([-(2**31), -1, 0, 1, 2, 3, 2**31 - 1])
texts = st.sampled_from(["", "a", "churn.v1.20260101T0000.1", "x" * 250, "é\n‮"])
figures = st.fixed_dictionaries(
    {"accepted": integers},
    optional={
        "calibration": st.fixed_dictionaries(
            {
                "verdict": st.sampled_from(["steady", "drifting", "insufficient"]),
                "pressure": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            }
        ),
        "labelled": integers,
    },
)
spans = st.tuples(instants, instants).map(sorted)
observations = st.builds(
    lambda version, span, verdict, pressure, said: Observation(
        model="churn",
        version=version,
        window_start=span[0],
        window_end=span[1],
        spec_digest="spec",
        data_digest="data",
        verdict=verdict,
        reason="why",
        pressure=pressure,
        figures=said,
    ),
    integers,
    spans,
    st.sampled_from(["steady", "drifting", "insufficient"]),
    st.none() | st.floats(allow_nan=False),
    figures,
)
kinds = st.sampled_from(["retrain", "recalibrate", "rollback"])
some_proposal = st.builds(
    lambda name, kind, episode, champion, span, target: Proposal(
        model="churn",
        proposal=name,
        kind=kind,
        reason="why",
        episode=episode,
        champion=champion,
        trained_from=span[0],
        trained_until=span[1],
        proposer="otto",
        spec_digest="spec",
        target=target,
    ),
    texts,
    kinds,
    st.none() | texts,
    st.none() | integers,
    spans,
    st.none() | integers,
)
some_decision = st.builds(
    lambda name, step, answer, since: Decision(
        model="churn",
        proposal=name,
        step=step,
        answer=answer,
        by="ada",
        comment="",
        evidence="",
        effective_from=since,
    ),
    texts,
    st.sampled_from(["retrain", "promote", "gates", "withdraw", "rollback"]),
    st.sampled_from(["approved", *status.REFUSALS]),
    instants,
)
promotions = st.builds(lambda version, since: (version, since), integers, instants)
specs = st.builds(
    lambda every, rest, delay: ModelSpec.model_validate(
        {
            **CHURN,
            "window": {"every": every, "start": "2026-01-01", "timezone": "Europe/Berlin"},
            "latch": {"rest": rest},
            "label": {"column": "y", "classes": [0, 1], "delay": delay},
            "source": {**CHURN["source"], "version_column": "by"},
            "shadow": {"windows": 1},
        }
    ),
    st.sampled_from(["1m", "45m", "1d", "7d", "36525d"]),
    st.sampled_from(["0d", "14d", "36525d"]),
    st.sampled_from(["0d", "2d", "36525d"]),
)


_NUMBERS = count()


@pytest.fixture(scope="module", autouse=True)
def one_ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("fold")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATELATCH_LEDGER", f"sqlite:///{folder / 'ledger.db'}")
        patch.setenv("GATELATCH_STORE", str(folder / "store"))
        yield folder


@settings(max_examples=80, deadline=None)
@given(
    specs,
    st.lists(observations, max_size=6),
    st.lists(some_proposal, max_size=4),
    st.lists(some_decision, max_size=4),
    st.lists(promotions, max_size=3),
)
def test_whatever_is_recorded_can_be_folded_shown_and_acted_on(
    spec: ModelSpec, seen: Any, asked: Any, answered: Any, promoted: Any
) -> None:
    # A model of its own in one ledger: no other example's rows are its.
    spec = spec.model_copy(update={"model": f"churn{next(_NUMBERS)}"})
    ledger = Ledger.open()
    _record(ledger, spec.model, seen, asked, answered, promoted)
    known = status.read(spec, ledger)
    json.dumps(status_json(known))
    assert known.due is None or str(known.latch.episode) in known.due
    for moment in (datetime.min, datetime(2026, 1, 5), datetime.max):
        known.effective_from(moment.replace(tzinfo=UTC))
    monitor.due_after(known, "2026-01-01/2026-01-01")
    canary.canary_due(known, lambda version: ledger.observations_of(spec.model, version))
    rollback.rollback_due(known)
    for observation in known.observations:
        late_labels.due_again(spec, known.observations, observation.window)
        shadow.watched(known, observation.window)
    _answer(spec, known)


def _record(
    ledger: Ledger, model: str, seen: Any, asked: Any, answered: Any, promoted: Any
) -> None:
    for row in (replace(row, model=model) for row in seen):
        if ledger.observation(model, row.version, row.window) is None:
            ledger.observe(row)
    for row in asked:
        ledger.propose(replace(row, model=model))
    for row in {(d.proposal, d.step): d for d in answered}.values():
        ledger.decide(replace(row, model=model))
    expected = None
    for number, (to, since) in enumerate(promoted):
        move = {"version": to, "expected": expected, "by": "ada", "reason": "why"}
        ledger.promote(model, f"p{number}", effective_from=since, **move)
        expected = to


def _answer(spec: ModelSpec, known: status.Status) -> None:
    """Answer and withdraw what is live: that, too, must stay possible, or be refused."""
    # Of rows that cannot be, such as a move that nobody proposed, or a withdrawal that approves.
    with suppress(LedgerRefused, Conflict):
        for proposal in known.live:
            if proposal.kind != "rollback":
                decisions.decide(spec, proposal.proposal, "retrain", None)
        for proposal in status.read(spec, Ledger.open()).live:
            if proposal.proposal:
                proposals.withdraw(spec, proposal.proposal, "ada", "never mind")
    json.dumps(status_json(status.read(spec, Ledger.open())))


@pytest.mark.parametrize("until", ["9999-12-28", "0001-01-01"])
def test_a_proposal_at_the_calendars_end_bricks_no_model(
    ledger: Ledger, until: str, stores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded before dates were bounded, as one answer then bricked the model for ever."""
    spec = ModelSpec.model_validate(CHURN)
    monkeypatch.setattr(Ledger, "open", lambda: ledger)
    end = datetime.fromisoformat(until).replace(tzinfo=UTC)
    span = (end, end) if end.year == 1 else (end - timedelta(days=5), end)
    ledger.propose(
        Proposal(
            model="churn",
            proposal="odd",
            kind="retrain",
            reason="why",
            episode=None,
            champion=None,
            trained_from=span[0],
            trained_until=span[1],
            proposer="eve",
            spec_digest="spec",
        )
    )
    version(ledger, 1)
    for number in (9, 10):
        window = Window(_day(number), _day(number + 1))
        ledger.observe(
            Observation(
                model="churn",
                version=1,
                window_start=window.start,
                window_end=window.end,
                spec_digest="s",
                data_digest="d",
                verdict="drifting",
                reason="why",
                pressure=1.5,
                figures={},
            )
        )
    rejected = {"chosen_options": ["Reject"], "responded_by_user": {"id": "ada", "name": "ada"}}
    assert decisions.decide(spec, "odd", "retrain", rejected).answer == "rejected"
    known = status.read(spec, ledger)
    assert [p.proposal for p in known.live] == []
    json.dumps(status_json(known))
    monitor.action(spec)
    assert known.effective_from(_day(4)) >= _day(4)


def _day(number: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number - 1)
