"""The command notify: what it sends, what it says, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.asked import Asked, asked_in
from tests.support.sink import SECRET, Sink, sink
from tests.support.terminal import run


@pytest.fixture
def webhook() -> Iterator[Sink]:
    with sink() as here:
        yield here


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, webhook: Sink) -> Asked:
    return asked_in(tmp_path, monkeypatch, {"owners": webhook.url}, {"owners": "info"})


def test_it_tells_what_is_due_and_says_so(asked: Asked, webhook: Sink) -> None:
    asked.ask()
    first, second = run("notify"), run("notify")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout == (
        "churn: 1 told to channel owners: [ticket] churn: you are asked to retrain\n"
    )
    assert second.stdout == "nothing is due\n"
    assert len(webhook.got) == 1
    assert webhook.got[0]["message"].splitlines()[-3].startswith("http://localhost:8080/dags/")


def test_a_dry_run_shows_the_messages_and_sends_and_records_nothing(
    asked: Asked, webhook: Sink
) -> None:
    asked.ask()
    before = asked.ledger.head("churn")
    for _ in range(2):
        shown = run("notify", "--dry-run", "--airflow", "https://airflow.example/")
        assert shown.exit_code == 0
        assert shown.stdout.startswith("to owners: [ticket] churn: you are asked to retrain\n")
        assert "https://airflow.example/dags/retrain.churn/runs/next/" in shown.stdout
    assert asked.ledger.head("churn") == before
    assert webhook.got == []


def test_a_test_message_goes_to_each_channel_and_what_came_of_it_is_said(
    asked: Asked, webhook: Sink
) -> None:
    asked.ask()
    with sink() as broken:
        broken.answer = 500
        asked.name_channels({"owners": webhook.url, "on_call": broken.url})
        every = run("notify", "--test")
        assert every.exit_code == 1
        assert every.stdout == "owners: sent\non_call: it answered 500\n"
    assert run("notify", "--test", "--channel", "owners").exit_code == 0
    assert webhook.titles == ["[info] Gatelatch: a test message"] * 2


def test_a_channel_that_is_not_there_or_cannot_be_told_ends_with_a_sentence(
    asked: Asked, webhook: Sink
) -> None:
    unknown = run("notify", "--channel", "pager")
    assert unknown.exit_code == 1
    assert unknown.stderr == "there is no channel 'pager'; there are: owners\n"
    webhook.answer = 500
    asked.ask()
    refused = run("notify")
    assert refused.exit_code == 1
    assert refused.stdout == "churn: channel owners was not told: it answered 500\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("owners: [", ", line 1, is no YAML; write one line for each channel"),
        ("- json://{}", " holds no channels; write one line"),
        ("Owners: json://{}", "the name of channel 1 is to be lower-case letters"),
        ("owners:", "channel owners has no URL"),
        ("owners: {{url: json://{}}}", "channel owners has no URL"),
    ],
)
def test_a_mistaken_file_of_channels_is_said_without_what_it_holds(
    asked: Asked, content: str, said: str
) -> None:
    (asked.folder / "channels.yaml").write_text(content.format(SECRET))
    result = run("notify")
    assert result.exit_code == 1
    assert said in result.stderr
    assert "(GATELATCH_CHANNELS)" in result.stderr
    assert SECRET not in result.output


def test_without_a_file_of_channels_it_says_where_to_read_on(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GATELATCH_CHANNELS")
    result = run("notify")
    assert result.exit_code == 1
    assert "GATELATCH_CHANNELS names no file; see docs/messages.md" in result.stderr
    monkeypatch.setenv("GATELATCH_CHANNELS", str(asked.folder / "nowhere"))
    assert "cannot be read: No such file" in run("notify").stderr


def test_where_no_spec_names_a_channel_it_says_that_nobody_is_told(asked: Asked) -> None:
    asked.write_spec()
    assert run("notify").stdout == "nobody is told of any model: no spec has `notify`\n"
    assert "told: nobody: the spec names no channel under notify" in run("status", "churn").stdout


def test_status_says_who_is_told_and_what_was_not_told_and_why(asked: Asked, webhook: Sink) -> None:
    assert "told: owners (everything)\n" in run("status", "churn").stdout
    webhook.answer = 500
    asked.ask()
    run("notify")
    shown = " ".join(run("status", "churn").stdout.split())
    assert "not told: Channel owners: 1 not told yet: it answered 500" in shown


def test_what_each_channel_wants_to_hear_is_checked_with_the_spec(asked: Asked) -> None:
    asked.write_spec(notify={"owners": "everything"})
    result = run("check")
    assert result.exit_code == 1
    assert "notify.owners: 'everything'" in result.output
