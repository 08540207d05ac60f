"""What goes out to a real webhook: each event once, whatever the channel does."""

from __future__ import annotations

import html
import logging
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import apprise
import pytest

from tasks.notices import channels
from tasks.notices.channels import send_message
from tasks.notices.owed import MOST_ATTEMPTS, WAITS
from tests.support import forging
from tests.support.asked import AIRFLOW, Asked
from tests.support.mailbox import Mailbox, guarded_mailbox, mailbox
from tests.support.pretended import certificate_of
from tests.support.sink import SECRET, Sink, sink

MINUTE = timedelta(minutes=1)
EXAMPLES = ["ops/channels.example.yaml"]


def nobody() -> str:
    """Return an address at which nobody answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"json://127.0.0.1:{probe.getsockname()[1]}/{SECRET}"


def test_who_is_asked_is_told_by_whom_until_when_and_where_to_answer(
    asked: Asked, webhook: Sink
) -> None:
    asked.ask("a proposal/by hand")
    asked.look()
    (message,) = webhook.got
    assert message["title"] == "[ticket] churn: you are asked to retrain"
    assert message["type"] == "warning"
    *_, who, where, _, head = message["message"].splitlines()
    assert who.startswith("Who may answer: ada, grace. Until 20")
    assert where == f"{AIRFLOW}/dags/retrain.churn/runs/a%20proposal%2Fby%20hand/required_actions"
    assert head.startswith("Ledger up to link ")


def test_an_event_is_told_once_however_often_somebody_looks(asked: Asked, webhook: Sink) -> None:
    asked.ask()
    assert asked.look().told == ["churn: 1 told to channel owners"]
    for _ in range(3):
        assert asked.look().told == []
    assert len(webhook.got) == 1


def test_what_is_due_at_one_look_is_one_message_with_the_highest_severity(
    asked: Asked, webhook: Sink
) -> None:
    asked.ask()
    asked.observe(1.5, 1.5)
    asked.look()
    (message,) = webhook.got
    assert message["title"].endswith(", and 1 more")
    for said in ("you are asked to retrain", "the margins drift (version 1)"):
        assert said in message["message"]


def test_a_cleared_or_retried_task_that_asks_again_tells_nobody_again(
    asked: Asked, webhook: Sink
) -> None:
    for _ in range(2):
        asked.ask()
        asked.look()
    assert len(webhook.got) == 1


def test_two_that_look_at_once_tell_each_event_once(asked: Asked, webhook: Sink) -> None:
    asked.ask()
    asked.observe(None, None)
    begin, senders = Barrier(6), 6

    def look(_: int) -> int:
        begin.wait()
        return len(asked.look().told)

    with ThreadPoolExecutor(senders) as pool:
        list(pool.map(look, range(senders)))
    told = "\n".join(f"{one['title']}\n{one['message']}" for one in webhook.got)
    for said in ("Who may answer", "The window of"):
        assert told.count(said) == 1


def test_two_processes_that_look_at_once_tell_each_event_once(asked: Asked, webhook: Sink) -> None:
    asked.ask()
    command = [sys.executable, "-m", "tasks", "notify"]
    root = Path(__file__).parents[2]
    processes = [subprocess.Popen(command, cwd=root) for _ in range(2)]
    assert [process.wait(120) for process in processes] == [0, 0]
    assert len(webhook.got) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (500, "it answered 500"),
        (404, "it answered 404"),
        ("hangs", "no answer within 1 s"),
        ("drips", "no answer within 1 s"),
        ("refuses", "it cannot be reached, or did not answer"),
    ],
)
def test_a_broken_channel_costs_the_others_nothing(
    asked: Asked, webhook: Sink, monkeypatch: pytest.MonkeyPatch, answer: str | int, said: str
) -> None:
    monkeypatch.setattr(channels, "SECONDS", 1.0)
    with sink() as broken:
        url = nobody() if answer == "refuses" else broken.url
        broken.answer = 200 if answer == "refuses" else answer  # type: ignore[assignment]
        asked.name_channels({"broken": url, "owners": webhook.url})
        notify = {"broken": "info", "owners": "info"}
        asked.write_spec(notify=notify)
        asked.write_spec("second", notify=notify)
        for model in ("churn", "second"):
            forging.version(asked.ledger, 1, model) if model == "second" else None
            asked.ask(f"next of {model}", model=model)
        began = time.monotonic()
        looked = asked.look()
        assert time.monotonic() - began < 10
        assert looked.failed == [f"churn: channel broken was not told: {said}"]  # tried once
        assert sorted(webhook.titles) == [
            f"[ticket] {model}: you are asked to retrain" for model in ("churn", "second")
        ]


def test_what_failed_is_tried_again_after_longer_and_longer_waits_and_then_given_up(
    asked: Asked, webhook: Sink
) -> None:
    asked.write_spec(notify={"owners": "info"}, approval={"timeout": "90d"})
    asked.ask()
    webhook.answer = 500
    now = datetime.now(UTC)
    failed = "churn: channel owners was not told: it answered 500"
    assert asked.look(now).failed == [failed]
    for wait in WAITS:
        # Each attempt is recorded now, whatever the moment that is looked from.
        assert asked.look(datetime.now(UTC) + wait - MINUTE / 2).failed == []
        assert asked.look(datetime.now(UTC) + wait).failed == [failed]
    later = datetime.now(UTC) + timedelta(days=9)
    assert asked.look(later).failed == []
    made = [one for one in asked.ledger.when_recorded("churn").attempts if one.attempt]
    assert [one.attempt for one in made] == list(range(1, MOST_ATTEMPTS + 1))
    webhook.answer = 200
    assert asked.look(later).told == []
    assert len(asked.look(later, again=True).told) == 1
    assert len(asked.look(later, again=True).told) == 0
    assert len(webhook.got) == 1


def test_a_channel_that_comes_back_is_told_what_still_holds_and_nothing_that_is_over(
    asked: Asked, webhook: Sink
) -> None:
    webhook.answer = 500
    asked.ask("first")
    asked.ask("second")
    asked.look()
    forging.approve(asked.ledger, "first", "retrain")
    webhook.answer = 200
    asked.look(datetime.now(UTC) + 5 * MINUTE)
    (message,) = webhook.got
    assert "retrain.churn/runs/second" in message["message"]
    assert "retrain.churn/runs/first" not in message["message"]


def test_a_channel_without_a_url_is_said_and_the_others_are_told(
    asked: Asked, webhook: Sink
) -> None:
    asked.write_spec(notify={"nowhere": "info", "owners": "info"})
    asked.ask()
    assert asked.look().failed == [
        "channel nowhere: no URL is set for it, so that it is told nothing"
    ]
    assert len(webhook.got) == 1


def test_a_model_whose_ledger_has_a_fault_costs_the_others_nothing(
    asked: Asked, webhook: Sink
) -> None:
    asked.write_spec("second", notify={"owners": "info"})
    forging.version(asked.ledger, 1, "second")
    row = {"model": "churn", "version": 1, "window_start": datetime(2026, 1, 9, tzinfo=UTC)}
    odd = {"figures": {"format": 999}, "verdict": "steady", "reason": "", "pressure": 0.1}
    ends = {"window_end": datetime(2026, 1, 10, tzinfo=UTC), "revision": 0}
    forging.forge(
        asked.ledger, "observations", **row, **odd, **ends, spec_digest="s", data_digest="d"
    )
    asked.ask(model="second")
    looked = asked.look()
    assert len(looked.failed) == 1
    assert looked.failed[0].startswith("churn: nobody is told: ")
    assert webhook.titles == ["[ticket] second: you are asked to retrain"]


def test_an_address_is_shown_nowhere(
    asked: Asked,
    webhook: Sink,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    asked.ask()
    for answer in (500, 200):
        webhook.answer = answer
        asked.look(datetime.now(UTC) + 2 * MINUTE)
    wrong = f"slack://{SECRET}"
    assert send_message(wrong, "t", "b", "info") == "its URL is none that Apprise can use"
    assert send_message(nobody(), "t", "b", "info")
    trail = asked.ledger.trail("churn")
    shown = [caplog.text, *capfd.readouterr(), repr(channels.channels_of_file()), str(trail)]
    assert len(webhook.got) == 1
    assert SECRET not in "".join(shown)
    assert "deliveries" in str(trail)


def test_what_was_told_is_in_the_audit_trail_and_signed(asked: Asked) -> None:
    asked.ask()
    asked.look()
    assert forging.fault(asked.ledger) is None


def test_a_backfill_is_summed_up_in_one_message_when_it_is_over(
    asked: Asked, webhook: Sink
) -> None:
    asked.look()  # from here on the channel hears of the model
    asked.observe(*[None, None, 1.5, 1.5, 0.1, 0.1, 0.1, 1.5, 1.5], last=40)
    for minute in range(0, 10, 3):
        asked.look(datetime.now(UTC) + minute * MINUTE)
    assert webhook.got == []
    for minute in (10, 11, 25):
        asked.look(datetime.now(UTC) + minute * MINUTE)
    (message,) = webhook.got
    assert message["title"].endswith(", and 2 more")
    assert message["message"].count("the margins drift") == 2
    assert message["message"].count("nothing can be said") == 1
    again = asked.observe(*[None, None, 1.5, 1.5, 0.1, 0.1, 0.1, 1.5, 1.5], last=40)
    assert again is None
    asked.look(datetime.now(UTC) + 60 * MINUTE)
    assert len(webhook.got) == 1


def test_a_channel_that_is_new_to_an_old_ledger_is_told_what_goes_on_and_not_the_past(
    asked: Asked, webhook: Sink
) -> None:
    asked.observe(*[1.5, 1.5, 0.1, 0.1, 0.1], last=30)
    asked.ask()
    for _ in range(2):
        asked.look(datetime.now(UTC) + 20 * MINUTE)
    assert webhook.titles == ["[ticket] churn: you are asked to retrain"]


def test_a_mail_has_the_question_as_its_subject_and_the_lines_as_plain_text(asked: Asked) -> None:
    with mailbox() as here:
        to = "from=gatelatch@example.org&to=growth-team@example.org"
        asked.name_channels({"owners": f"mailto://127.0.0.1:{here.port}?{to}"})
        asked.ask("by hand: été\r\nBcc: everybody@example.org")
        assert asked.look().failed == []
    (mail,) = here.mails
    assert mail["Subject"] == "[ticket] churn: you are asked to retrain"
    assert mail["Bcc"] is None
    (part,) = (one for one in mail.walk() if one.get_content_type() == "text/plain")
    lines = part.get_content().splitlines()
    assert any(line.startswith("Who may answer: ada, grace.") for line in lines)
    assert any(line.startswith(f"{AIRFLOW}/dags/retrain.churn/runs/by%20hand") for line in lines)


HARM = '<script>alert(1)</script> <img src="https://evil.example/x.png">'


@pytest.mark.parametrize(
    ("option", "kinds"), [("", {"plain"}), ("&format=html", {"plain", "html"})]
)
def test_html_that_people_wrote_is_text_in_a_mail(
    asked: Asked, option: str, kinds: set[str]
) -> None:
    with mailbox() as here:
        to = f"from=gatelatch@example.org&to=growth-team@example.org{option}"
        asked.name_channels({"owners": f"mailto://127.0.0.1:{here.port}?{to}"})
        asked.write_spec(notify={"owners": "info"}, owner={"name": HARM, "approvers": [HARM]})
        asked.ledger.propose(forging.proposal("next", reason=HARM, proposer=HARM))
        forging.ask(asked.ledger, "next", "retrain")
        assert asked.look().failed == []
    (mail,) = here.mails
    parts = [one for one in mail.walk() if one.get_content_maintype() == "text"]
    assert {part.get_content_subtype() for part in parts} == kinds
    for part in parts:
        text = part.get_content()
        if part.get_content_subtype() == "html":
            assert "<script" not in text
            assert "<img" not in text
            text = html.unescape(text).replace("\N{NO-BREAK SPACE}", " ")
        assert HARM in text


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """Return a mail server with STARTTLS and a login, whose certificate is trusted."""
    certificate = certificate_of(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with guarded_mailbox(certificate, "gatelatch", SECRET) as here:
        yield here


def mail_address(here: Mailbox, password: str) -> str:
    """Return the address of a channel, written as docs/messages.md shows it."""
    to = "smtp=localhost&from=gatelatch@example.org&to=growth-team@example.org"
    return f"mailtos://gatelatch:{password}@localhost:{here.port}?{to}"


def test_a_mail_goes_over_starttls_with_a_login(asked: Asked, guarded: Mailbox) -> None:
    asked.name_channels({"owners": mail_address(guarded, SECRET)})
    asked.ask()
    assert asked.look().failed == []
    (mail,) = guarded.mails
    assert mail["Subject"] == "[ticket] churn: you are asked to retrain"


def test_a_mail_server_that_refuses_the_login_or_whom_nobody_vouches_for_gets_no_mail(
    asked: Asked, guarded: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked.name_channels({"owners": mail_address(guarded, "another-password")})
    asked.ask()
    (refused,) = asked.look().failed
    assert refused.endswith("channel owners was not told: it refused the login")
    monkeypatch.delenv("SSL_CERT_FILE")
    asked.name_channels({"owners": mail_address(guarded, SECRET)})
    (unknown,) = asked.look(datetime.now(UTC) + timedelta(hours=1)).failed
    assert unknown.endswith("channel owners was not told: its certificate is not trusted")
    assert guarded.mails == []


def test_every_address_that_the_docs_show_is_one_that_can_be_used() -> None:
    root = Path(__file__).parents[2]
    texts = [(root / name).read_text() for name in ("docs/messages.md", *EXAMPLES)]
    shown = {found for text in texts for found in re.findall(r'"(\w+://[^"]+)"', text)}
    assert len(shown) >= 5
    for url in shown:
        assert apprise.Apprise.instantiate(url) is not None, url
