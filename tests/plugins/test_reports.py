"""Reports answer to the rights on a model's DAGs: Airflow's own app, with its own auth managers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tasks.reports import brief_links
from tests.support import api_server
from tests.support.api_server import FAB, ROLES, SIMPLE

BELOW = "/gatelatch/reports/"
PATHS = {
    "churn": "churn/20260101T0000/validation-abc.html",
    "fraud": "fraud/fraud.v1.20260101T0000.1/drift.svg",
    "odd": "odd/..-1a2b3c4d/retrain.html",
}

STRANGE = [
    *("a::s3://bucket/x", "churn/a::s3://bucket/x", "filecache::file:///etc/passwd", "s3://x/y"),
    *("file:///etc/passwd", "/etc/passwd", "//etc/passwd", "zip://x::churn/x.html", "memory://x"),
    *("%2e%2e/ledger.db", "churn/%2e%2e/%2e%2e/ledger.db", "churn/../../quarantine/churn/x"),
    *("churn/%2E%2E%2F%2E%2E%2Fquarantine/churn/x", "churn/..%2f..%2fledger.db", "..", ".", ""),
    *("churn%2f..%2f..%2fledger.db", "churn/%252e%252e/ledger.db", "churn/x%00.html", "%00"),
    *("churn", "churn/", "churn/20260101T0000", "churn/20260101T0000/", "churn//x", "./churn/x"),
    *(".ready", "churn/.", "churn/..", "CHURN/20260101T0000/validation-abc.html", "churn/a b"),
    *("churn/*", "churn/[2]*/validation-abc.html", "churn/{20260101T0000}/validation-abc.html"),
    *("churn/x?y", "churn/\\..\\..\\ledger.db", "churn/%ff%fe", "churn/é.html", "http://x/y"),
    *("churn/20260101T0000/validation-abc.html%0a", "churn/20260101T0000/validation-abc.html/"),
    *("churn/" + "x" * 300, "churn/" + "x/" * 200, "x" * 4000, "churn/none.html", "none/x/y.html"),
]


def _said(manager: str, home: Path) -> list[dict[str, Any]]:
    """Return what the app of this auth manager answers each person on each path."""
    for path in PATHS.values():
        file = home / "store" / "reports" / path
        file.parent.mkdir(parents=True)
        file.write_text(f"report {path}")
    (home / "store" / "reports" / ".ready").write_text("internal")
    (home / "store" / "quarantine" / "churn").mkdir(parents=True)
    (home / "store" / "quarantine" / "churn" / "x").write_text("rows")
    paths = [*PATHS.values(), *(quote(path, safe="/%?:*[]{}") for path in STRANGE)]
    said = api_server.answers(manager, home, [("GET", f"{BELOW}{path}") for path in paths])
    return [{**answer, "path": answer["path"].removeprefix(BELOW)} for answer in said]


@pytest.fixture(scope="module", params=[SIMPLE, FAB], ids=["simple", "fab"])
def manager(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def said(manager: str, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return _said(manager, tmp_path_factory.mktemp("reports"))


def _status(said: list[dict[str, Any]], name: str) -> dict[str, int]:
    """Return the status of each model's report for a person."""
    model = {path: model for model, path in PATHS.items()}
    return {model[a["path"]]: a["status"] for a in said if a["name"] == name and a["path"] in model}


def test_who_may_read_one_dag_of_a_model_reads_its_reports_and_no_others(
    said: list[dict[str, Any]], manager: str
) -> None:
    every, none = dict.fromkeys(PATHS, 200), dict.fromkeys(PATHS, 404)
    wanted = dict.fromkeys(ROLES[manager], every)
    if manager == FAB:
        wanted |= {"none": none, "other": none}
        wanted["monitors"] = wanted["retrains"] = {**none, "churn": 200}
        wanted["rollbacks"] = {**none, "fraud": 200}
    assert {name: _status(said, name) for name in ROLES[manager]} == wanted


def test_what_is_served_is_the_report_and_can_run_no_script(said: list[dict[str, Any]]) -> None:
    served = [answer for answer in said if answer["status"] == 200]
    assert served
    for answer in served:
        assert answer["text"] == f"report {answer['path']}"
        assert "default-src 'none'" in answer["headers"]["content-security-policy"]
        assert answer["headers"]["x-content-type-options"] == "nosniff"


def test_what_may_not_be_read_looks_like_what_is_not_there(said: list[dict[str, Any]]) -> None:
    refused = {a["text"] for a in said if a["status"] == 404 and a["path"] == PATHS["churn"]}
    missing = {a["text"] for a in said if a["status"] == 404 and a["path"] == "churn/none.html"}
    assert len(missing) == 1
    assert refused <= missing


def test_no_strange_path_is_served_or_breaks_anything(
    said: list[dict[str, Any]], manager: str
) -> None:
    for answer in said:
        if answer["path"] not in PATHS.values():
            if answer["name"] in ROLES[manager]:
                assert answer["status"] == 404, answer
            assert answer["status"] in (401, 403, 404, 303), answer
            for secret in ("rows", "internal", "root:"):
                assert secret not in answer["text"], answer


def test_a_program_without_a_session_gets_the_code_and_a_person_the_login_page(
    said: list[dict[str, Any]],
) -> None:
    assert set(_status(said, "nobody").values()) == {401}
    assert set(_status(said, "forger").values()) == {403}
    for answer in said:
        if answer["name"] == "browser" and answer["path"] in PATHS.values():
            assert answer["status"] == 303
            back = quote(f"/gatelatch/reports/{answer['path']}", safe="")
            assert re.search(rf"/auth/login/?\?next={back}$", answer["headers"]["location"])


@pytest.mark.parametrize("name", [".", "..", "...", "a/../b", "é", "x" * 250, "a:b", "%2e%2e"])
def test_the_pages_of_a_proposal_lie_below_its_model_whatever_it_is_called(name: str) -> None:
    folder = brief_links.slug(name)
    assert set(folder) != {"."}
    assert "/" not in folder
    assert len(f"{folder}.partial") < 255


def test_no_two_proposals_share_their_pages() -> None:
    names = ["a:b", "a-b", "a+b", "a b", "a/b", "a--b", "a:-b", "..", "--", "x" * 250, "x" * 249]
    assert len({brief_links.slug(name) for name in names}) == len(names)
