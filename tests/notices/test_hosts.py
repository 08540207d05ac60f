"""What Slack and Teams are sent, taken by hosts that are pretended on the loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.notices.channels import send_message
from tests.support.pretended import Pretended, pretended

SLACK = "https://hooks.slack.com/services/T0000000/B0000000/XXXXXXXXXXXXXXXXXXXXXXXX"
AZURE = "prod-00.westeurope.logic.azure.com"
TEAMS = f"workflow://{AZURE}:443/643e69f83c8944438d68119179a10a64/SIGNATURE/"
NAMES = ("slack", "teams")
TITLE = "[ticket] churn: you are asked to retrain"
BODY = "Drifted since 2026-01-12.\n\nhttps://airflow.example/dags/retrain.churn/runs/p1"


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pretended]:
    with pretended(tmp_path, "hooks.slack.com", AZURE) as here:
        monkeypatch.setenv("HTTPS_PROXY", here.proxy)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(here.authority))
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        yield here


@pytest.mark.parametrize(
    ("address", "host"), [(SLACK, "hooks.slack.com"), (TEAMS, AZURE)], ids=NAMES
)
def test_slack_and_teams_are_sent_title_text_and_link(
    hosts: Pretended, address: str, host: str
) -> None:
    assert send_message(address, TITLE, BODY, "ticket") is None
    ((asked, _, sent),) = hosts.got
    assert asked.partition(":")[0] == host
    text = json.dumps(sent)
    for said in (TITLE, "Drifted since 2026-01-12.", "https://airflow.example/dags/retrain.churn"):
        assert said in text


@pytest.mark.parametrize("address", [SLACK, TEAMS], ids=NAMES)
def test_what_slack_or_teams_refuse_is_said_in_our_words(hosts: Pretended, address: str) -> None:
    hosts.answer = 410
    assert send_message(address, TITLE, BODY, "page") == "it answered 410"


def test_what_people_wrote_is_no_link_to_elsewhere_in_slack(hosts: Pretended) -> None:
    assert (
        send_message(SLACK, TITLE, "<https://evil.example|answer here> <!channel>", "ticket")
        is None
    )
    text = json.dumps(hosts.got[0][2])
    assert "&lt;https://evil.example|answer here&gt; &lt;!channel&gt;" in text
