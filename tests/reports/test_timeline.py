"""What happened stands on one axis of event time, each with a letter of its own."""

from __future__ import annotations

from pathlib import Path

from tasks.reports import timeline
from tests.support.rows import decision, proposal
from tests.support.stood import MakeSpec, at, known, ledger_in, seen


def test_everything_that_happened_is_told_in_the_order_of_event_time(
    spec: MakeSpec, tmp_path: Path
) -> None:
    ledger = ledger_in(tmp_path)
    ledger.propose(proposal("back", kind="rollback", target=1, trained_until=at(4)))
    ledger.decide(
        decision("rejected", proposal="back", step="rollback", effective_from=at(4), comment="no")
    )
    status = known(
        spec(),
        ledger,
        seen(0),
        seen(1, 1.5),
        seen(2, 1.5),
        seen(3, 0.4, spec_digest="later"),
    )
    told = timeline.happenings(status)
    assert [e.at for e in told] == sorted(e.at for e in told)
    kinds = [e.kind for e in told]
    assert kinds.count("promoted") == kinds.count("opened") == kinds.count("spec") == 1
    opened = next(e for e in told if e.kind == "opened")
    assert opened.at == at(3)
    refused = next(e for e in told if "rejected" in e.text)
    assert (refused.flow, refused.proposal) == ("rollback", "back")
    assert "no" in refused.text
    ledger._engine.dispose()


def test_every_kind_has_a_letter_of_its_own() -> None:
    assert len(set(timeline.LETTERS.values())) == len(timeline.LETTERS)


def test_windows_that_were_measured_again_are_a_stretch_of_their_own() -> None:
    many = [seen(0), seen(1, revision=1), seen(2, revision=3), seen(3)]
    (one,) = timeline.revised_of(many)
    assert (one.since, one.until) == (at(1), at(3))
    assert timeline.revised_of(many[:1]) == []


def test_a_missing_window_is_in_no_stretch() -> None:
    stretches = timeline.verdicts_of([seen(0), seen(1), seen(4), seen(5, 2.0)])
    assert [(s.since, s.until, s.state) for s in stretches] == [
        (at(0), at(2), "steady"),
        (at(4), at(5), "steady"),
        (at(5), at(6), "drifting"),
    ]
