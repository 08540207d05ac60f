"""Where a model stands: what needs a person first, and what nobody can see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Observation
from tasks.promotion.ramp import Ramp
from tasks.reports.strip import VerdictRun
from tasks.views.attention import attention, states, worst_first
from tasks.views.standing import Standing, late, standing
from tests.conftest import CHURN
from tests.support import forging
from tests.support.rows import decision, proposal, registered
from tests.support.stood import MakeSpec, at, known, ledger_in, seen


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = ledger_in(tmp_path)
    yield ledger
    ledger._engine.dispose()


def _stands(
    spec: MakeSpec, ledger: Ledger, *windows: Observation, champion: bool = True
) -> Standing:
    status = known(spec(), ledger, *windows, champion=champion)
    return standing(status, ledger.questions("churn"), ledger.touched("churn"))


def test_a_steady_model_needs_nobody(spec: MakeSpec, ledger: Ledger) -> None:
    one = _stands(spec, ledger, seen(0), seen(1, 0.7))
    assert attention(one, at(2)) == "steady"
    assert (one.pressure, one.leads, one.unseen) == (0.7, "hinge loss", ())
    assert one.loss == pytest.approx(0.37)
    assert one.accepted == 0.3


def test_one_breach_is_no_drift_and_an_open_latch_is(spec: MakeSpec, ledger: Ledger) -> None:
    assert attention(_stands(spec, ledger, seen(0), seen(1, 1.5)), at(2)) == "breach"
    ledger.observe(seen(2, 1.4))
    again = _stands(spec, ledger, champion=False)
    assert (again.latch, attention(again, at(3))) == ("open", "drifting")


def test_an_insufficient_window_is_never_calm(spec: MakeSpec, ledger: Ledger) -> None:
    one = _stands(spec, ledger, seen(0), seen(1, None), seen(2, None))
    assert attention(one, at(3)) == "unseen"
    assert one.unseen[0].startswith("nothing can be said of the newest 2 windows: 3 rows")
    assert one.runs[-1] == VerdictRun(verdict="insufficient", windows=2)


def test_a_window_that_is_missing_in_between_is_a_gap(spec: MakeSpec, ledger: Ledger) -> None:
    one = _stands(spec, ledger, seen(0), seen(1), seen(5))
    assert [(r.verdict, r.windows) for r in one.runs] == [
        ("steady", 2),
        ("missing", 3),
        ("steady", 1),
    ]


def test_since_when_there_are_no_labels_is_said(spec: MakeSpec, ledger: Ledger) -> None:
    bare = {"labelled": 0}
    one = _stands(spec, ledger, seen(0), seen(1, figures=bare), seen(2, figures=bare))
    assert one.unseen == (
        "no labels since 2026-01-10: losses and accuracy are not known",
        "labels are overdue: 2 windows in a row have none, since 2026-01-10 00:00; of 2 none is "
        "awaited any more; only scores count now, and they do not show that a rule has changed",
    )
    assert attention(one, at(3)) == "unlabelled"


def test_a_retrain_that_its_owner_makes_is_owed_until_a_model_was_handed_in(
    spec: MakeSpec, ledger: Ledger
) -> None:
    def stands() -> Standing:
        return _stands(spec, ledger, champion=False)

    known(spec(), ledger, seen(0))
    ledger.propose(proposal("asked", champion=1))
    assert stands().owed is None
    ledger.decide(decision("failed", proposal="asked", step="train", comment="train it elsewhere"))
    owed = stands()
    assert owed.owed is not None
    assert "hand it in with `python -m tasks adopt churn FILE`" in owed.owed
    assert attention(owed, at(2)) == "owed"
    ledger.propose(proposal("theirs", champion=1, kind="adopt", proposer="carol"))
    assert stands().owed is None


def test_who_handed_in_a_champion_is_known_also_once_it_was_recalibrated(
    spec: MakeSpec, ledger: Ledger
) -> None:
    assert _stands(spec, ledger).handed_in_by is None
    for version, kind in ((2, "adopt"), (3, "recalibrate"), (4, "retrain")):
        name = f"p{version}"
        ledger.propose(proposal(name, champion=version - 1, kind=kind, proposer=f"by {kind}"))
        ledger.add_candidate(registered(proposal=name, version=version))
        forging.move(ledger, name, version, version - 1, "grace")
        expected = None if kind == "retrain" else "by adopt"
        assert _stands(spec, ledger, champion=False).handed_in_by == expected


def test_a_canary_whose_windows_do_not_count_says_so_beside_its_share(
    spec: MakeSpec, ledger: Ledger
) -> None:
    status = known(spec(), ledger, seen(0))
    ramp = Ramp(
        promotion=status.promotions[0], earlier=1, steps=(0.1, 0.5), windows=2, judged=1, why="Why"
    )
    one = standing(status, [], {}, ramp)
    assert one.canary == (
        "canary of version 1: 10 % of the keys, 1 of 2 windows; then 50 %, then 100 %"
    )
    assert one.unseen == ()
    stuck = standing(status, [], {}, replace(ramp, idle=6))
    assert stuck.unseen[-1].startswith("the canary of version 1 stays at 10 % of the keys")


def test_what_is_not_judged_on_labels_yet_is_said_while_the_latch_is_open(
    spec: MakeSpec, ledger: Ledger
) -> None:
    waits = [seen(n, figures={"labelled": 0}) for n in range(2, 7)]
    late = spec(label={**CHURN["label"], "delay": "9d"})
    one = standing(known(late, ledger, seen(0, 1.5), seen(1, 1.5), *waits), [], {})
    assert one.latch == "open"
    assert one.unseen[1:] == (
        "5 steady windows are not judged on labels yet (the first of 2026-01-11 00:00); labels are "
        "awaited until 2026-03-02 00:00 at the latest, and until then such windows do not close "
        "the latch",
    )


def test_a_model_without_a_champion_is_neither_late_nor_steady(
    spec: MakeSpec, ledger: Ledger
) -> None:
    one = _stands(spec, ledger, champion=False)
    assert attention(one, at(90)) == "untrained"
    assert late(one, at(90)) is None


def test_a_window_is_overdue_only_after_its_grace_and_the_time_that_a_run_takes(
    spec: MakeSpec, ledger: Ledger
) -> None:
    status = known(spec(window={"grace": "6h"}), ledger, seen(0))
    one = standing(status, [], {})
    due = at(2) + timedelta(hours=6)
    assert late(one, due + timedelta(minutes=59)) is None
    overdue = late(one, due + timedelta(hours=1))
    assert overdue is not None
    assert (overdue.since, overdue.windows) == (due, 1)
    assert attention(one, at(9)) == "overdue"


def test_nothing_is_overdue_on_a_grid_that_has_ended(spec: MakeSpec, ledger: Ledger) -> None:
    ended = known(spec(window={"end": "2026-01-11"}), ledger, seen(0), seen(1))
    assert late(standing(ended, [], {}), at(500)) is None


def test_what_waits_for_people_is_told_from_what_a_run_works_on(
    spec: MakeSpec, ledger: Ledger
) -> None:
    forging.version(ledger, 1)
    ledger.propose(proposal("next"))
    (working,) = _stands(spec, ledger, champion=False).waits
    assert (working.step, working.asked) == ("retrain", False)
    forging.ask(ledger, "next", "retrain")
    asked = _stands(spec, ledger, champion=False)
    assert asked.waits[0].asked
    assert asked.waits[0].since == ledger.touched("churn")["next"]
    assert attention(asked, at(0)) == "asked"
    ledger.decide(decision(proposal="next", step="retrain"))
    (later,) = _stands(spec, ledger, champion=False).waits
    assert (later.step, later.asked) == ("promote", False)


def test_the_worst_comes_first_and_among_equals_the_higher_pressure() -> None:
    rows = [
        Standing(model="calm", champion=1, verdict="steady", pressure=0.2),
        Standing(model="odd", problem="its spec has a mistake"),
        Standing(model="near", champion=1, verdict="steady", pressure=0.9),
        Standing(model="open", champion=1, verdict="drifting", latch="open", pressure=1.2),
        Standing(model="worse", champion=1, verdict="drifting", latch="open", pressure=3.0),
        Standing(model="new"),
    ]
    order = [one.model for one in worst_first(rows, at(0))]
    assert order == ["odd", "worse", "open", "new", "near", "calm"]


# --- frozen


def _frozen(ledger: Ledger) -> None:
    ledger.freeze("churn", "frozen", by="ada", reason="holidays")


def test_a_frozen_model_stands_where_what_is_wrong_with_it_stands_and_before_the_calm(
    spec: MakeSpec, ledger: Ledger
) -> None:
    forging.version(ledger, 1)
    _frozen(ledger)
    calm = _stands(spec, ledger, seen(0), champion=False)
    assert (attention(calm, at(1)), states(calm, at(1))) == ("frozen", {"frozen"})
    rows = [Standing(model="calm", champion=1, verdict="steady"), Standing(model="new"), calm]
    assert [one.model for one in worst_first(rows, at(1))] == ["churn", "new", "calm"]
    drifts = _stands(spec, ledger, seen(1, 1.5), seen(2, 1.5), champion=False)
    assert states(drifts, at(3)) == {"drifting", "frozen"}


def test_what_is_approved_and_held_by_a_freeze_asks_nobody_any_more(
    spec: MakeSpec, ledger: Ledger
) -> None:
    forging.version(ledger, 1)
    ledger.propose(proposal("next"))
    forging.ask(ledger, "next", "retrain")
    ledger.decide(decision(proposal="next", step="retrain"))
    forging.ask(ledger, "next", "promote")
    (asked,) = _stands(spec, ledger, champion=False).waits
    assert (asked.step, asked.asked) == ("promote", True)
    ledger.decide(decision(proposal="next", step="promote"))
    _frozen(ledger)
    (held,) = _stands(spec, ledger, champion=False).waits
    assert (held.step, held.asked) == ("promote", False)
