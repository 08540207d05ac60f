"""The margin view answers to the rights on a model's DAGs: Airflow's own app and auth managers."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from tests.conftest import CHURN
from tests.support import api_server, forging
from tests.support.api_server import FAB, NOBODY, ROLES, SIMPLE
from tests.support.rows import decision, proposal
from tests.support.stood import ledger_in, seen

ALL = "/gatelatch/margins"
MODELS = ("churn", "fraud", "odd")  # the spec of the last has a mistake
WINDOWS = [f"{ALL}/churn/20260109T0000", f"{ALL}/churn/20260109T0000?beside=20260110T0000.v1.0"]
GET = [
    *(ALL, f"{ALL}?q=churn&owner=&tag=&state=&page=1", *(f"{ALL}/{name}" for name in MODELS)),
    *("/gatelatch/static/page.css", "/gatelatch/static/charts.js"),
]
STRANGE = [
    *(
        "none",
        "..",
        "%2e%2e",
        "churn%2f..",
        "CHURN",
        "x" * 300,
        "%00",
        "%ff",
        "a%20b",
        "churn.yaml",
    ),
    *("gone", "churn?until=never", "churn?until=0001-01-01", "churn?until=2026-01-09%2B00:00"),
    *(
        "churn/20260301T0000",
        "churn/..",
        "churn/20260109T0000.v9.0",
        "none/20260109T0000",
        "churn/",
    ),
]
FILES = [
    "/gatelatch/static/" + name for name in ("..", "%2e%2e%2fboard.py", "none.js", "uPlot-LICENSE")
]
PAGES = [f"{ALL}?page=x", f"{ALL}?page=-3", f"{ALL}?page={10**30}", f"{ALL}?q={'z' * 3000}"]
# The answer to a step of a proposal that has ended, with which the plugin of answers deals.
ANSWER = "/api/v2/dags/retrain.churn/dagRuns/over/taskInstances/approve_promote/-1/hitlDetails"
METHODS = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module", params=[SIMPLE, FAB], ids=["simple", "fab"])
def manager(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def said(manager: str, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    home = tmp_path_factory.mktemp("margins")
    models = home / "models"
    models.mkdir()
    ledger = ledger_in(home)
    for name in MODELS:
        (models / f"{name}.yaml").write_text(yaml.safe_dump({**CHURN, "model": name}))
        forging.version(ledger, 1, name)
        ledger.observe(seen(0, model=name))
        ledger.observe(seen(1, 1.5, model=name))
    ledger.propose(proposal("over", model="churn"))
    ledger.decide(decision("withdrawn", proposal="over", comment="why it was withdrawn"))
    forging.version(ledger, 1, "gone")  # whose spec was removed
    (models / "odd.yaml").write_text("model: odd\nowner: {secret: 1}\n")
    ledger._engine.dispose()
    paths = [*GET, *WINDOWS, *(f"{ALL}/{path}" for path in STRANGE), *FILES, *PAGES]
    asked = [("GET", path) for path in paths]
    asked.append(("PATCH", ANSWER))
    asked += [(method, path) for method in METHODS for path in (ALL, f"{ALL}/churn")]
    return api_server.answers(manager, home, asked, models)


def _of(said: list[dict[str, Any]], name: str, path: str, method: str = "GET") -> dict[str, Any]:
    (found,) = [a for a in said if (a["name"], a["path"], a["method"]) == (name, path, method)]
    return found


def _sees(manager: str, name: str) -> set[str]:
    if manager == SIMPLE:
        return set(MODELS)
    nothing = {"none": set(), "other": set(), "rollbacks": {"fraud"}}
    return nothing.get(name, {"churn"} if name in ("monitors", "retrains") else set(MODELS))


def test_a_model_is_seen_by_those_who_may_read_one_of_its_dags_and_by_nobody_else(
    said: list[dict[str, Any]], manager: str
) -> None:
    for name in ROLES[manager]:
        listed = _of(said, name, ALL)
        assert listed["status"] == 200
        assert set(re.findall(rf'href="{ALL}/(\w+)"', listed["text"])) == _sees(manager, name)
        for model in MODELS:
            one = _of(said, name, f"{ALL}/{model}")
            mine = model in _sees(manager, name)
            assert one["status"] == (200 if mine else 404), (name, model)
            assert mine or model not in one["text"]


def test_what_may_not_be_seen_looks_like_what_is_not_there(
    said: list[dict[str, Any]], manager: str
) -> None:
    missing = _of(said, "admin", f"{ALL}/none")
    assert missing["status"] == 404
    if manager == FAB:
        assert _of(said, "none", f"{ALL}/churn")["text"] == missing["text"]


def test_a_window_is_seen_by_those_who_see_its_model(
    said: list[dict[str, Any]], manager: str
) -> None:
    for name in ROLES[manager]:
        for path in WINDOWS:
            wanted = 200 if "churn" in _sees(manager, name) else 404
            assert _of(said, name, path)["status"] == wanted
    assert _of(said, "admin", WINDOWS[1])["text"].count("<section") == 2


def test_a_spec_with_a_mistake_is_a_row_and_a_page_that_say_so(said: list[dict[str, Any]]) -> None:
    assert "cannot be read" in _of(said, "admin", ALL)["text"]
    assert "owner.secret: unknown option" in _of(said, "admin", f"{ALL}/odd")["text"]


def test_a_model_whose_spec_was_removed_is_told_from_one_that_never_was(
    said: list[dict[str, Any]], manager: str
) -> None:
    gone = _of(said, "admin", f"{ALL}/gone")
    assert gone["status"] == 200
    assert "The spec of gone was removed" in gone["text"]
    if manager == FAB:
        assert _of(said, "monitors", f"{ALL}/gone")["status"] == 404


def test_scripts_and_styles_come_from_here_alone_and_nobody_else_may_frame_a_page(
    said: list[dict[str, Any]],
) -> None:
    for path in (ALL, f"{ALL}/churn", f"{ALL}/none"):
        policy = _of(said, "admin", path)["headers"]["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "style-src 'self';" in policy
        assert "frame-ancestors 'self'" in policy
        assert "unsafe" not in policy


def test_strange_names_and_questions_break_nothing(
    said: list[dict[str, Any]], manager: str
) -> None:
    for answer in said:
        if answer["method"] == "GET" and answer["path"] not in [*GET, *WINDOWS]:
            assert answer["status"] in (200, 303, 307, 400, 401, 403, 404, 422), answer
            assert "Traceback" not in answer["text"]
            assert "root:" not in answer["text"]
    assert "write one such as" in _of(said, "admin", f"{ALL}/churn?until=never")["text"]
    for path in FILES:
        assert _of(said, "admin", path)["status"] == 404


def test_nobody_can_act_from_here(said: list[dict[str, Any]]) -> None:
    tried = [a for a in said if a["method"] in METHODS and a["path"] != ANSWER]
    assert tried
    assert {a["status"] for a in tried} == {405}


def test_a_person_without_a_session_goes_to_the_login_page_and_comes_back_to_what_they_asked_for(
    said: list[dict[str, Any]],
) -> None:
    for path in GET[:4]:
        browser = _of(said, "browser", path)
        assert browser["status"] == 303
        back = quote(path, safe="")
        assert re.search(rf"/auth/login/?\?next={back}$", browser["headers"]["location"])
        assert _of(said, "nobody", path)["status"] == 401
        assert _of(said, "forger", path)["status"] == 403
        for name in NOBODY:
            assert "churn" not in _of(said, name, path)["text"]


def test_how_a_proposal_ended_is_told_to_nobody_who_may_not_see_its_model(
    said: list[dict[str, Any]], manager: str
) -> None:
    for name in (*ROLES[manager], *NOBODY):
        told = "why it was withdrawn" in _of(said, name, ANSWER, "PATCH")["text"]
        assert told == (name not in NOBODY and "churn" in _sees(manager, name)), name
