"""The report on a period: sentences first, decisions with evidence, nothing from outside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tasks.audit.findings import Findings, verify_trail
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Question
from tasks.ledger.status import Status
from tasks.reports.report_page import Verified, covered, review_html
from tasks.reports.report_period import period_of
from tasks.reports.report_versions import Card
from tasks.spec.model import ModelSpec
from tests.reports.test_report_budget import losses_of, with_budget
from tests.support import forging
from tests.support.rows import decision, proposal, registered
from tests.support.stood import MakeSpec, at, known, ledger_in, seen

EVIL = '<script src="https://evil.example/x.js">alert(1)</script>"\''
STANDS = Verified(found=Findings())


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = ledger_in(tmp_path)
    yield ledger
    ledger._engine.dispose()


def _page(
    status: Status,
    ledger: Ledger,
    since: datetime | None = None,
    until: datetime | None = None,
    verified: Verified = STANDS,
    cards: dict[int, Card] | None = None,
) -> str:
    period = period_of(status, since, until)
    about = covered(status, ledger.trail(status.spec.model), period)
    return review_html(about, verified, cards or {}, at(60))


def _words(page: str) -> str:
    """Return what a person reads."""
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_data(self, data: str) -> None:
            found.append(data)

    Reader().feed(page)
    return " ".join(" ".join(found).split())


def _asked(ledger: Ledger, name: str, **parts: Any) -> None:
    """Write a refused proposal whose approvers were asked."""
    ledger.propose(proposal(name, trained_until=at(4), **parts))
    asked = [["1", "ada"], ["2", "grace"]]
    ledger.ask(
        Question(model="churn", proposal=name, step="retrain", evidence="e" * 64, asked=asked)
    )
    ledger.decide(
        decision(
            "rejected",
            proposal=name,
            by="grace",
            comment="repaired on Friday",
            evidence="e" * 64,
            effective_from=at(4),
        )
    )


def test_the_first_lines_say_in_sentences_what_happened(spec: MakeSpec, ledger: Ledger) -> None:
    _asked(ledger, "p7")
    windows = [seen(0), seen(1, 1.5), seen(2, 2.25), seen(3, None), seen(5)]
    page = _page(known(spec(), ledger, *windows), ledger, at(0))
    summary = _words(page.split("<table")[0])
    for sentence in (
        "5 windows were measured, from 2026-01-09 until 2026-01-15: 2 steady, 2 drifting, 1 insuff",
        "Version 1 was champion of every window here.",
        "1 episode: churn.v1.20260110T0000",
        "The pressure was highest in the window from 2026-01-11: 2.25 times its limit, by hinge",
        "The hinge loss was 0.350 in the first labelled window (version 1 was accepted with 0.300)",
        "1 rejected",
        "put to ada and grace",
        "1 insufficient, 1 not measured",
    ):
        assert sentence in summary


def test_a_decision_stands_with_who_was_asked_who_answered_why_and_on_which_evidence(
    spec: MakeSpec, ledger: Ledger
) -> None:
    _asked(ledger, "p7", reason="drift", proposer="otto")
    page = _words(_page(known(spec(), ledger, seen(0), seen(3, 1.5)), ledger, at(3)))
    case = page.split("Decisions and their evidence")[1].split("Versions")[0]
    for word in ("otto", "ada, grace", "rejected by grace", "repaired on Friday", "e" * 64):
        assert word in case
    assert "from 2026-01-12 under version 1: drifting" in case
    assert "1.50" in case  # of its limit


def test_what_happened_has_its_link_and_its_letter(spec: MakeSpec, ledger: Ledger) -> None:
    known(spec(), ledger, seen(0), seen(1, 1.5), seen(2, 1.5), seen(3, spec_digest="later"))
    ledger.observe(seen(0, data_digest="late", revision=1))
    read = status.read(spec(), ledger)
    page = _page(read, ledger, at(-100))
    words = _words(page)
    for told in ("promoted version 1", "the drift episode", "judged by spec later", "link 7"):
        assert told in words
    letters = set(re.findall(r'class="letter"[^>]*>([A-Z])<', page))
    assert {"C", "O", "P", "D", "S"} <= letters
    assert "1 measured again" in words
    assert "1 window from 2026-01-09 on measured again, such as after late labels" in words
    assert re.findall(r'aria-label="(\w+) over time"', page) == ["verdict", "latch", "revised"]


def test_a_freeze_is_told_in_the_summary_and_in_its_place(spec: MakeSpec, ledger: Ledger) -> None:
    known(spec(), ledger, seen(0))
    ledger.freeze("churn", "frozen", by="ada", reason="<b>holidays")
    ledger.observe(seen(1))
    page = _page(status.read(spec(), ledger), ledger)
    summary, rest = _words(page).split("In the order of event time")
    assert "Now: churn is frozen by ada since 20" in summary
    assert "frozen <b>holidays ada" in rest


def test_each_version_stands_with_its_gates_and_figures(spec: MakeSpec, ledger: Ledger) -> None:
    gate = {"name": "hinge_loss", "verdict": "passed", "reason": "better", "candidate": 0.31}
    gate |= {"champion": 0.45, "low": -0.2, "high": -0.07, "slice": None, "rows": None}
    made = registered(
        proposal="p2", version=2, gates=[gate], metrics={"candidate": {"brier": 0.08}}
    )
    ledger.propose(proposal("p2", trained_until=at(1)))
    forging.approve(ledger, "p2", "retrain")
    ledger.add_candidate(made)
    page = _words(_page(known(spec(), ledger, seen(0), champion=False), ledger))
    for word in ("Version 2 candidate", "0.31 0.45 -0.200 … -0.070 better", "brier 0.08"):
        assert word in page


def test_a_model_without_a_champion_has_a_report_that_says_so(
    spec: MakeSpec, ledger: Ledger
) -> None:
    page = _words(_page(known(spec(), ledger, champion=False), ledger))
    assert "The ledger holds no row of churn" in page
    assert "There is no champion, so no window is measured. Trigger the DAG retrain.churn" in page
    assert "Nothing was proposed or decided." in page


def test_a_model_without_labels_says_that_losses_are_not_known(
    spec: MakeSpec, ledger: Ledger
) -> None:
    bare = {"labelled": 0, "hinge_loss": None, "accuracy": None, "violation_rate": None}
    page = _words(_page(known(spec(), ledger, seen(0, figures=bare)), ledger))
    assert "No window has labels, so losses and accuracy are not known." in page
    assert "1 without labels" in page


def test_one_window_makes_a_report(spec: MakeSpec, ledger: Ledger) -> None:
    page = _page(known(spec(), ledger, seen(0)), ledger)
    assert "1 window was measured, from 2026-01-09 until 2026-01-10: 1 steady." in _words(page)
    assert page.count("<circle") >= 3  # one window is a dot, where a line would have no length


def test_a_period_without_a_window_says_where_there_are_some(
    spec: MakeSpec, ledger: Ledger
) -> None:
    page = _words(_page(known(spec(), ledger, seen(0), seen(1)), ledger, at(20), at(23)))
    assert "No window of this period was measured. The ledger has 2, from 2026-01-09" in page
    assert "3 not measured" in page
    assert "Nothing was proposed or decided." in page


def test_a_report_on_a_refused_ledger_says_so_in_its_first_line(
    spec: MakeSpec, ledger: Ledger
) -> None:
    read = known(spec(), ledger, seen(0))
    with forging.as_owner(ledger) as db:
        db.exec_driver_sql("update decisions set comment = 'of course'")
    trail = ledger.trail("churn")
    page = _page(read, ledger, verified=Verified(found=verify_trail("churn", trail)))
    first = _words(page.split("<h1>")[1]).removeprefix("Report on churn ")
    assert first.startswith("This ledger is refused: row 1 of decisions (link 3) is not as it was")


def test_a_ledger_that_nobody_could_verify_is_not_said_to_stand(
    spec: MakeSpec, ledger: Ledger
) -> None:
    page = _page(known(spec(), ledger, seen(0)), ledger, verified=Verified(problem="no key"))
    assert "This ledger was not verified: no key" in _words(page)
    assert "The ledger stands" not in page


def test_what_people_wrote_leads_nowhere(spec: MakeSpec, ledger: Ledger) -> None:
    _asked(ledger, "p7", reason=EVIL, proposer=EVIL)
    windows = [seen(0, reason=EVIL), seen(3, 1.5, spec_digest="<b>")]
    read = known(spec(owner={"name": EVIL}), ledger, *windows)
    evil = Card(markdown=f"# {EVIL}\n\n![p](https://evil.example/p.png) [l](https://evil.example)")
    page = _page(read, ledger, at(-100), cards={1: evil})
    assert EVIL in _words(page)
    tags = re.findall(r"<(\w+)([^>]*)>", page)
    assert {name for name, _ in tags}.isdisjoint({"script", "img", "iframe", "link", "object"})
    addresses = [a for _, rest in tags for a in re.findall(r'\b(?:href|src)="([^"]*)"', rest)]
    assert all(address.startswith("#") for address in addresses)
    assert "default-src 'none'" in page


def test_a_version_without_a_card_says_why(spec: MakeSpec, ledger: Ledger) -> None:
    missing = {1: Card(missing="MLflow does not answer")}
    page = _words(_page(known(spec(), ledger, seen(0)), ledger, cards=missing))
    assert "No model card: MLflow does not answer" in page


def test_the_error_budget_is_told_and_drawn(spec: MakeSpec, ledger: Ledger) -> None:
    read = with_budget(spec(slo={"window": 2}), ledger)
    page = _page(read, ledger)
    assert "of the error budget is spent" in _words(page)
    assert "error budget: the share that is spent, by window" in page


def test_a_budget_that_cannot_be_told_is_no_end_of_a_report(spec: MakeSpec, ledger: Ledger) -> None:
    bare: ModelSpec = spec(slo={"window": 2})  # of a version whose reference nobody can read
    losses = {"losses": losses_of(0.3)}
    page = _words(_page(known(bare, ledger, seen(0, figures=losses)), ledger))
    assert "The error budget is not known: the stored reference" in page
