"""The shadow of a candidate over real stores: what is recorded, asked, and promoted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.flows import asking, monitor
from tasks.flows.measure import measure
from tasks.ledger.ledger import Ledger
from tasks.promotion import decisions, promotion, proposals, shadow_wait
from tasks.promotion.proposals import NotApproved
from tasks.registry import tracking
from tasks.spec.model import ModelSpec
from tests.support.flow import FIRST, MODEL, At, answer, beginning, land, read, rows, window

SPEC = ModelSpec.model_validate({**MODEL.model_dump(mode="json"), "shadow": {"windows": 2}})
ASKED, VERSION = "shadowed", 3


@pytest.fixture
def registered(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> None:
    """Begin with a registered candidate, proposed under the spec that wants shadow windows."""
    at: At = beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)
    at("registered")
    known, ledger = read(), Ledger.open()
    proposals.withdraw(MODEL, FIRST, "otto", "asked under another spec")
    (theirs,) = (p for p in known.proposals if p.proposal == FIRST)
    ledger.propose(replace(theirs, proposal=ASKED, spec_digest=SPEC.digest))
    decisions.decide(SPEC, ASKED, "retrain", answer())
    client, made = tracking.connect(), known.candidates[-1]
    source = client.get_model_version("churn", str(made.version)).source
    version = int(client.create_model_version("churn", source, made.run_id).version)
    mine = {"proposal": ASKED, "version": version, "spec_digest": SPEC.digest}
    ledger.add_candidate(replace(made, **mine))


def watch(number: int) -> None:
    validated = monitor.validate(SPEC, window(number))
    monitor.judge(SPEC, window(number), measure(SPEC, window(number), validated))


def turn_back(number: int) -> None:
    """Land a day on which the labels follow the champion's rule again."""
    land(number, y=1 - rows(number)["y"])


def decided() -> list[tuple[str, str]]:
    return [(d.step, d.answer) for d in read().decisions if d.proposal == ASKED]


@pytest.mark.usefixtures("registered")
def test_a_candidate_is_asked_about_once_its_shadow_windows_have_passed() -> None:
    watch(11)
    assert shadow_wait.look(SPEC, ASKED).answer == "waiting"
    watch(12)
    for _ in range(2):
        outcome = shadow_wait.look(SPEC, ASKED)
        assert outcome.answer == "passed"
    assert decided() == [("retrain", "approved"), ("shadow", "passed")]
    brief = asking.to_promote(SPEC, ASKED, "/dags/here", outcome)
    assert "| window from | accuracy |" in brief["body"]
    assert brief["body"].count("drifting → steady") == 2
    assert decisions.decide(SPEC, ASKED, "promote", answer()).evidence == brief["evidence"]
    assert promotion.promote(SPEC, ASKED).version == VERSION


@pytest.mark.usefixtures("registered")
def test_a_candidate_that_is_worse_than_the_champion_is_withdrawn_with_the_reason() -> None:
    turn_back(11)
    watch(11)
    for _ in range(2):
        outcome = shadow_wait.look(SPEC, ASKED)
        assert outcome.answer == "failed"
    assert "above that of version 1" in outcome.reason
    known = read()
    assert (decided()[-1], known.live, known.champion) == (("shadow", "failed"), [], 1)
    assert known.decisions[-1].comment == outcome.reason
    decisions.decide(SPEC, ASKED, "promote", answer())
    with pytest.raises(NotApproved, match="shadow was failed"):
        promotion.promote(SPEC, ASKED)


@pytest.mark.usefixtures("registered")
def test_nothing_is_promoted_before_its_shadow_windows_are_there() -> None:
    decisions.decide(SPEC, ASKED, "promote", answer())
    with pytest.raises(NotApproved, match="nobody has decided on shadow yet"):
        promotion.promote(SPEC, ASKED)


@pytest.mark.usefixtures("registered")
def test_an_answer_given_before_the_shadow_was_decided_is_for_other_evidence() -> None:
    decisions.decide(SPEC, ASKED, "promote", answer())
    for number in (11, 12):
        watch(number)
    assert shadow_wait.look(SPEC, ASKED).answer == "passed"
    with pytest.raises(NotApproved, match="nothing is promoted"):
        promotion.promote(SPEC, ASKED)


@pytest.mark.usefixtures("registered")
def test_a_withdrawn_proposal_ends_its_shadow() -> None:
    proposals.withdraw(SPEC, ASKED, "otto", "not today")
    with pytest.raises(NotApproved, match="withdrawn by otto"):
        shadow_wait.look(SPEC, ASKED)
    watch(11)
    assert {o.version for o in Ledger.open().history("churn")} == {1}


@pytest.mark.usefixtures("registered")
def test_a_decided_shadow_is_not_measured_any_longer() -> None:
    for number in (11, 12):
        watch(number)
    shadow_wait.look(SPEC, ASKED)
    watch(13)
    shadowed = Ledger.open().observations_of("churn", VERSION)
    assert [o.window for o in shadowed] == [window(11), window(12)]


@pytest.mark.usefixtures("registered")
def test_a_shadow_whose_champion_has_changed_is_superseded() -> None:
    move: dict[str, Any] = {"version": 2, "expected": 1, "by": "ada", "reason": "other"}
    Ledger.open().promote("churn", "another", effective_from=window(11).start, **move)
    outcome = shadow_wait.look(SPEC, ASKED)
    assert (outcome.answer, decided()[-1]) == ("superseded", ("shadow", "superseded"))
    assert "the champion is version 2 by now, not version 1" in outcome.reason
