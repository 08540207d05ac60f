"""The boards for Grafana: committed as the code writes them, whole, and asked of Prometheus."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from grafana_foundation_sdk.models.dashboard import Dashboard
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from ops.monitoring.boards import __main__ as command
from ops.monitoring.boards.board import COLUMNS, Board, Panel, Section, placed
from ops.monitoring.boards.grafana import board_json
from tasks.ledger.ledger import Ledger
from tasks.spec.model import ModelSpec
from tasks.views.metric_catalogue import EVERY
from tests.ops.test_alerts import METRIC, RULES, RUNBOOKS
from tests.support.flow import MODEL, At, beginning, land, propose, watch
from tests.support.prometheus import Prometheus, awaited, watching
from tests.test_docs import anchors

FILES = {board.uid: command.file_of(board) for board in command.BOARDS}
BOARDS: dict[str, dict[str, Any]] = {
    uid: json.loads(file.read_text()) for uid, file in FILES.items()
}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
UNITS = {"short", "percentunit", "s", "bytes", "dateTimeAsIso"}
PANELS = [
    pytest.param(uid, panel, id=f"{uid}: {panel['title']}")
    for uid, board in BOARDS.items()
    for panel in board["panels"]
    if panel["type"] != "row"
]
LOOKED = "gatelatch_checks_end_timestamp_seconds"
PARTS = {"slo": {"window": 8}, "notify": {"desk": "info"}}
SPEC = ModelSpec.model_validate({**MODEL.model_dump(mode="json"), **PARTS})


# --- the files


@pytest.mark.parametrize("board", command.BOARDS, ids=lambda board: board.uid)
def test_the_committed_file_is_what_the_code_writes(board: Board) -> None:
    assert FILES[board.uid].read_text(encoding="utf-8") == board_json(board)


def test_no_other_file_lies_where_grafana_looks_for_boards() -> None:
    assert set(command.FOLDER.glob("*.json")) == set(FILES.values())


def test_the_command_says_what_differs_and_writes_it_when_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import typer

    app = typer.Typer()
    app.command()(command.main)
    monkeypatch.setattr(command, "FOLDER", tmp_path)
    said = CliRunner().invoke(app, [])
    assert (said.exit_code, said.output.count("differs")) == (1, 3)
    assert not list(tmp_path.iterdir())
    assert CliRunner().invoke(app, ["--write"]).exit_code == 0
    assert len(list(tmp_path.glob("*.json"))) == 3
    said = CliRunner().invoke(app, [])
    assert (said.exit_code, said.output.count("unchanged")) == (0, 3)


@pytest.mark.parametrize("uid", BOARDS)
def test_grafanas_own_library_reads_a_board_and_gives_it_back(uid: str) -> None:
    read = Dashboard.from_json(json.loads(FILES[uid].read_text()))
    assert read.uid == uid
    assert len(read.panels or []) == len(BOARDS[uid]["panels"])


# --- what each board and panel must have


@pytest.mark.parametrize("uid", BOARDS)
def test_a_board_has_an_address_that_stays_a_title_and_links(uid: str) -> None:
    board = BOARDS[uid]
    assert board["uid"] == uid
    assert board["title"].startswith("Gatelatch: ")
    assert board["description"]
    urls = {link["title"]: link.get("url", "") for link in board["links"]}
    assert "/gatelatch/margins" in urls["Margin view"]
    assert urls["Runbooks"].endswith("/docs/runbooks.md")
    names = {variable["name"] for variable in board["templating"]["list"]}
    assert {"datasource", "gatelatch_address", "gatelatch_docs"} <= names
    text = FILES[uid].read_text()
    used = set(re.findall(r"\$\{?(\w+)", text)) - {"__data", "__field", "__range"}
    assert used == names


@pytest.mark.parametrize("uid", BOARDS)
def test_no_id_stands_twice_and_no_panel_lies_on_another(uid: str) -> None:
    panels = BOARDS[uid]["panels"]
    ids = [panel["id"] for panel in panels]
    assert len(ids) == len(set(ids))
    assert all(isinstance(number, int) for number in ids)
    taken: dict[tuple[int, int], str] = {}
    for panel in panels:
        at = panel["gridPos"]
        assert 0 <= at["x"] < at["x"] + at["w"] <= COLUMNS
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]


@given(st.lists(st.lists(st.tuples(st.integers(1, COLUMNS), st.integers(1, 9)), max_size=9)))
def test_whatever_sizes_panels_have_they_lie_beside_each_other(
    sizes: list[list[tuple[int, int]]],
) -> None:
    sections = tuple(
        Section(
            title="",
            panels=tuple(
                Panel(kind="lines", title="", says="", queries=(), width=width, height=height)
                for width, height in panels
            ),
        )
        for panels in sizes
    )
    board = Board(uid="", title="", says="", sections=sections, since="")
    places = [place for _, place in placed(board)]
    cells = [
        (x, y)
        for at in places
        for x in range(at.x, at.x + at.width)
        for y in range(at.y, at.y + at.height)
    ]
    assert len(cells) == len(set(cells))
    assert all(x < COLUMNS for x, _ in cells)


@pytest.mark.parametrize(("uid", "panel"), PANELS)
def test_a_panel_says_what_it_shows_in_what_unit_from_where_and_where_to_go_on(
    uid: str, panel: dict[str, Any]
) -> None:
    assert panel["description"].endswith(".")
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"] in UNITS
    assert panel["datasource"] == SOURCE
    assert panel["targets"]
    assert all(target["datasource"] == SOURCE for target in panel["targets"])
    refs = [target["refId"] for target in panel["targets"]]
    assert len(refs) == len(set(refs))
    urls = {link["title"]: link["url"] for link in panel["links"]}
    assert "/gatelatch/margins" in urls["Margin view"]
    page, _, anchor = urls["Runbook"].partition("#")
    assert page.endswith("/docs/runbooks.md")
    assert not anchor or anchor in anchors(RUNBOOKS)
    if panel["type"] == "table":
        columns = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
        assert columns == {target["legendFormat"] for target in panel["targets"]}
        assert [link["title"] for link in defaults["links"]][-1] == "Runbook"


@pytest.mark.parametrize(("uid", "panel"), PANELS)
def test_a_query_names_only_metrics_that_are_exposed_with_labels_that_they_have(
    uid: str, panel: dict[str, Any]
) -> None:
    labels = {one.name: set(one.labels) for one in EVERY}
    for target in panel["targets"]:
        expr = target["expr"]
        assert set(METRIC.findall(expr)) <= labels.keys()
        for metric, matchers in re.findall(r"(gatelatch_\w+)\{([^}]*)\}", expr):
            assert set(re.findall(r'(\w+)=~?"', matchers)) <= labels[metric]
        assert not re.search(r"\b(rate|irate|increase|delta|changes|resets)\(", expr)


def test_whatever_can_page_can_be_seen_on_the_board_of_whoever_is_called() -> None:
    shown = set(METRIC.findall(FILES["gatelatch-on-call"].read_text()))
    paging = {
        metric
        for rule in RULES
        if rule.get("labels", {}).get("severity") == "page"
        for metric in METRIC.findall(rule["expr"])
    }
    assert len(paging) > 5
    assert paging <= shown


# --- what Prometheus answers


@pytest.fixture
def at(
    stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def answers(one: Prometheus, target: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what Prometheus answers to a panel's query, as Grafana asks it."""
    expr = target["expr"].replace("$model", "churn").replace("$__range", "1h")
    assert "$" not in expr
    now = str(time.time())
    if target["instant"]:
        found = one.asked("query", query=expr, time=now)
    else:
        start = str(time.time() - 60)
        found = one.asked("query_range", query=expr, start=start, end=now, step="1")
    series: list[dict[str, Any]] = found["result"]
    return series


def models_folder(folder: Path, spec: ModelSpec, patch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    (folder / "churn.yaml").write_text(yaml.safe_dump(spec.model_dump(mode="json")))
    patch.setenv("GATELATCH_MODELS", str(folder))


def unanswered(one: Prometheus) -> set[tuple[str, str]]:
    """Return the panels, by board and title, of which a query has no answer."""
    return {
        (uid, panel["title"])
        for uid, board in BOARDS.items()
        for panel in board["panels"]
        for target in panel.get("targets", ())
        if not answers(one, target)
    }


def test_every_query_finds_data_on_a_ledger_that_drifts_and_asks(
    at: At, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("drifted")
    models_folder(tmp_path / "models", SPEC, monkeypatch)
    propose(spec=SPEC)
    frozen = ("gatelatch-on-call", "Frozen models")
    with watching(tmp_path, "--check-every", "1", "--aliases") as one:
        awaited(lambda: one.asked("query", query=LOOKED)["result"], "chain and alias")
        awaited(lambda: one.alerts("GatelatchBudgetBurning"), "the alerts")
        (empty,) = awaited(
            lambda: [found] if (found := unanswered(one)) <= {frozen} else [],
            "an answer to every query",
        )
        assert empty == {frozen}
        for board in BOARDS.values():
            for panel in board["panels"]:
                links = json.dumps(panel.get("fieldConfig", {}).get("defaults", {}).get("links"))
                for target in panel.get("targets", ()):
                    wanted = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
                    wanted |= set(re.findall(r"(?:fields|labels)\.(\w+)", links))
                    for series in answers(one, target):
                        assert wanted <= series["metric"].keys(), panel["title"]
        for state in ('chain_state{state="intact"}', 'champion_alias_state{state="same"}'):
            (found,) = one.asked("query", query=f"gatelatch_{state}")["result"]
            assert found["value"][1] == "1"
        names = one.asked("label/model/values", **{"match[]": "gatelatch_model_up"})
        assert names == ["churn"]
        Ledger.open().freeze("churn", "frozen", by="ada", reason="holidays")
        awaited(lambda: frozen not in unanswered(one), "the freeze")


def test_where_all_is_calm_only_those_panels_are_empty_that_say_what_that_means(
    at: At, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("bootstrapped")
    models_folder(tmp_path / "models", MODEL, monkeypatch)
    land(6, y=pa.nulls(300, pa.int64()))
    assert watch(6).verdict == "steady"
    may_be = {
        (board.uid, panel.title)
        for board in command.BOARDS
        for panel in board.panels
        if panel.empty
    }
    with watching(tmp_path, "--check-every", "1") as one:
        awaited(lambda: one.asked("query", query=LOOKED)["result"], "the chain")
        found = unanswered(one)
        assert found <= may_be
        # Only a model without any window has none of these, and one from the past is always late.
        said = {title for _, title in may_be - found}
        assert said == {
            "Models by the verdict of the newest window",
            "Overdue windows",
            "Rows of the newest window",
            "Pressure of each statistic",
            "Verdict of the newest window",
            "Since chains were looked at",
            "Answers, since the beginning",
        }
