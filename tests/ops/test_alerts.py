"""The alerts of ops/monitoring: checked and played by Prometheus's and Alertmanager's own tools."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tasks.views.metric_catalogue import EVERY
from tests.support.prometheus import MONITORING, tool_says
from tests.test_docs import ROOT, anchors

RULES_FILE = MONITORING / "rules.yml"
TESTS_FILE = MONITORING / "rules_test.yml"
ALERTMANAGER = MONITORING / "alertmanager.yml"
RUNBOOKS = ROOT / "docs" / "runbooks.md"

RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(RULES_FILE.read_text())["groups"] for rule in group["rules"]
]
ALERTS = [rule for rule in RULES if "alert" in rule]
NAMES = {rule["alert"] for rule in ALERTS}
STORIES: list[dict[str, Any]] = yaml.safe_load(TESTS_FILE.read_text())["tests"]
ROUTING: dict[str, Any] = yaml.safe_load(ALERTMANAGER.read_text())
METRIC = re.compile(r"(?<![\w:])gatelatch_\w+")
of_each_alert = pytest.mark.parametrize(
    "rule", ALERTS, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}"
)


# --- what the real tools say


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    code, said = tool_says(
        "promtool", "check", "rules", "--lint=all", "--lint-fatal", str(RULES_FILE)
    )
    assert (code, f"{len(RULES)} rules found" in said) == (0, True), said


def test_each_alert_fires_stays_silent_and_ends_as_its_story_says() -> None:
    code, said = tool_says("promtool", "test", "rules", str(TESTS_FILE))
    assert code == 0, said


def test_promtool_finds_nothing_wrong_with_the_example_for_prometheus() -> None:
    code, said = tool_says("promtool", "check", "config", str(MONITORING / "prometheus.yml"))
    assert code == 0, said


def test_amtool_finds_nothing_wrong_with_the_example_for_alertmanager() -> None:
    code, said = tool_says("amtool", "check-config", str(ALERTMANAGER))
    assert code == 0, said


@pytest.mark.parametrize(
    ("severity", "receiver"), [("page", "pager"), ("ticket", "tickets"), ("none", "nobody")]
)
def test_a_severity_reaches_its_receiver_and_no_other(severity: str, receiver: str) -> None:
    def routed(expected: str) -> int:
        return tool_says(
            "amtool",
            "config",
            "routes",
            "test",
            f"--config.file={ALERTMANAGER}",
            f"--verify.receivers={expected}",
            f"severity={severity}",
            "alertname=GatelatchDrifting",
        )[0]

    others = {"pager", "tickets", "nobody"} - {receiver}
    assert routed(receiver) == 0
    assert all(routed(other) == 1 for other in others)


# --- what the files say of each other


def test_the_rules_name_only_metrics_that_are_exposed() -> None:
    exposed = {one.name for one in EVERY}
    named = {name for rule in RULES for name in METRIC.findall(rule["expr"])}
    assert len(named) > 10
    assert named <= exposed
    told = {
        name
        for story in STORIES
        for one in story["input_series"]
        for name in METRIC.findall(one["series"])
    }
    assert told <= exposed


def test_a_label_that_a_rule_or_a_story_names_is_one_of_its_metric() -> None:
    labels = {one.name: set(one.labels) for one in EVERY}
    texts = [rule["expr"] for rule in RULES]
    texts += [one["series"] for story in STORIES for one in story["input_series"]]
    for text in texts:
        for metric, matchers in re.findall(r"(gatelatch_\w+)\{([^}]*)\}", text):
            if metric in labels:
                named = set(re.findall(r"(\w+)=", matchers)) - {"job", "instance"}
                assert named <= labels[metric], text


def test_each_alert_has_a_runbook_and_each_runbook_an_alert() -> None:
    headings = set(re.findall(r"^## (\w+)$", RUNBOOKS.read_text(), re.MULTILINE))
    assert headings == NAMES


@of_each_alert
def test_an_alert_says_what_is_wrong_what_to_do_and_where_to_look(rule: dict[str, Any]) -> None:
    said = rule["annotations"]
    assert set(said) == {"summary", "runbook_url", "margins_url"}
    assert said["summary"].endswith(".")
    page, anchor = said["runbook_url"].split("#")
    assert page.endswith("/docs/runbooks.md")
    assert anchor == rule["alert"].lower()
    assert anchor in anchors(RUNBOOKS)
    assert "/gatelatch/margins" in said["margins_url"]
    assert rule["alert"].startswith("Gatelatch")
    assert rule["labels"].keys() == {"severity"}


@pytest.mark.parametrize(
    "part", ["What it means", "Look first", "Usual causes", "Do.", "Silence", "Escalate"]
)
def test_each_runbook_has_all_its_parts(part: str) -> None:
    pages = re.split(r"^## ", RUNBOOKS.read_text(), flags=re.MULTILINE)[1:]
    assert len(pages) == len(NAMES)
    lacking = [page.split("\n")[0] for page in pages if f"\n**{part}" not in page]
    assert not lacking


def test_a_diagnosis_that_a_runbook_names_is_one_that_a_window_can_have() -> None:
    diagnoses = set(
        re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/drift.md").read_text(), re.MULTILINE)
    )
    named = set(re.findall(r"`([a-z]+_[a-z_]+)`", RUNBOOKS.read_text()))
    assert len(named & diagnoses) > 6
    others = {"no_answer", "error_budget", "time_intervals", "gatelatch_ledger_up", "margins_url"}
    assert named <= diagnoses | others


@of_each_alert
def test_only_what_is_late_or_absent_is_waited_for(rule: dict[str, Any]) -> None:
    late = rule["alert"].endswith(
        ("WindowOverdue", "Blind", "AliasDiffers", "ProposalStuck", "NoticesStuck")
    )
    assert rule.get("for") == ("15m" if late else None)


@of_each_alert
def test_nothing_ends_before_who_is_blind_has_said_so(rule: dict[str, Any]) -> None:
    (waits,) = {rule["for"] for rule in ALERTS if rule["alert"].endswith("Blind")}
    assert waits == "15m"
    at_once = rule["alert"].endswith("Blind") or rule["labels"]["severity"] == "none"
    assert rule.get("keep_firing_for") == (None if at_once else "20m")


def test_no_rule_asks_how_fast_something_that_comes_once_a_day_rises() -> None:
    for rule in RULES:
        assert not re.search(r"\b(rate|irate|increase|delta|changes|resets)\(", rule["expr"])


@of_each_alert
def test_each_alert_is_seen_to_fire_with_its_words_and_not_to(rule: dict[str, Any]) -> None:
    name, severity = rule["alert"], rule["labels"]["severity"]
    fired = [
        alert
        for story in STORIES
        for case in story.get("alert_rule_test", ())
        if case["alertname"] == name
        for alert in case["exp_alerts"]
    ]
    assert severity in {alert["exp_labels"]["severity"] for alert in fired}
    silent = [
        case
        for story in STORIES
        for case in story.get("promql_expr_test", ())
        if name in case["expr"] and not case.get("exp_samples")
    ]
    assert silent


# --- what holds an alert back


def matched(rules: list[str], alert: dict[str, Any]) -> bool:
    """Return whether an alert of our rules has the name and severity that matchers ask for."""
    own = {"alertname": alert["alert"], **alert["labels"]}
    for rule in rules:
        label, how, value = re.fullmatch(r'(\w+) (=|!=|=~) "(.*)"', rule).groups()  # type: ignore[union-attr]
        is_it = bool(re.fullmatch(value, own[label])) if how == "=~" else own[label] == value
        if is_it == (how == "!="):
            return False
    return True


def held_back_by(source: str) -> set[tuple[str, str]]:
    """Return the alerts, by name and severity, that an alert of that name may hold back."""
    return {
        (alert["alert"], alert["labels"]["severity"])
        for rule in ROUTING["inhibit_rules"]
        if f'alertname = "{source}"' in rule["source_matchers"]
        for alert in ALERTS
        if matched(rule["target_matchers"], alert)
    }


def test_a_retrain_holds_back_what_it_will_mend_of_its_own_model_and_nothing_else() -> None:
    assert held_back_by("GatelatchRetrainUnderWay") == {("GatelatchBudgetSpent", "ticket")}
    rules = ROUTING["inhibit_rules"]
    (mine,) = [r for r in rules if "RetrainUnderWay" in r["source_matchers"][0]]
    assert mine["equal"] == ["model"]


def test_no_page_is_held_back_by_anything_but_blindness() -> None:
    for name in NAMES - {"GatelatchBlind", "GatelatchModelBlind"}:
        assert "page" not in {severity for _, severity in held_back_by(name)}
    assert ("GatelatchBlind", "page") not in held_back_by("GatelatchBlind")


def test_a_chain_that_makes_a_model_unreadable_pages_beside_the_blindness() -> None:
    held = {name for name, _ in held_back_by("GatelatchModelBlind")}
    assert NAMES - held == {"GatelatchModelBlind", "GatelatchChainBroken", "GatelatchAliasDiffers"}


def test_tickets_wait_a_minute_and_are_grouped_by_their_cause() -> None:
    route = ROUTING["route"]
    assert route["group_by"] == ["alertname", "feature"]
    assert route["group_wait"] == "1m"
    muted = [one for one in route["routes"] if "mute_time_intervals" in one]
    assert [one["matchers"] for one in muted] == [['severity = "ticket"']]
    for planned in ROUTING["time_intervals"]:
        assert all("location" in one for one in planned["time_intervals"])


def test_the_example_holds_no_secret() -> None:
    text = ALERTMANAGER.read_text()
    for key, value in re.findall(
        r"^ +-? ?(\w*(?:key|token|password|secret|url)\w*): *(.*)$", text, re.M
    ):
        assert key.endswith("_file"), key
        assert value.startswith("/etc/alertmanager/secrets/"), key
