"""What people read before they decide: figures, limits, gates, and no way out to another host."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import numpy as np
import pytest

from tasks.drift.catalogue import words
from tasks.drift.probabilities import HeldProbabilities
from tasks.drift.reliability_table import ReliabilityTable, reliability_to_json
from tasks.drift.statistic import Statistic
from tasks.flows import asking
from tasks.gates.gate_result import GateResult
from tasks.promotion.counted_rows import CountedRows
from tasks.reports import (
    brief_links,
    brief_page,
    chart,
    drift_evidence,
    markdown,
    promotion_brief,
    recalibration_brief,
    retrain_brief,
)
from tests.support.flow import FIRST, MODEL, At, beginning, land, propose, read, rows, watch

HARM = "<script>alert(1)</script><!-- gone --> [here](https://evil.example) ![p](//evil.example/p)"


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def shown(address: str) -> str:
    return Path("store/reports", address.removeprefix("/gatelatch/reports/")).read_text()


def hosts(page: str) -> set[str]:
    found = re.findall(r"""(?:href|src|action|url)\s*[=(]\s*["']?([^"'>)\s]+)""", page)
    assert "@import" not in page
    return {urlsplit(address).netloc for address in found}


def test_the_drift_brief_says_what_drifted_since_when_and_what_is_proposed(at: At) -> None:
    at("drifted")
    asked = propose()
    assert asked["subject"] == "churn: the margins drifted, retrain version 1?"
    for phrase in (
        "version 1 have drifted since 2026-01-09",
        "2 of the last 3 windows",
        "train `linear_svc` on 2026-01-09 → 2026-01-11",
        "nobody answers within 3d",
        "the latch rests for 2d",
        "proposed by gatelatch",
        f"Evidence `{asked['evidence'][:12]}`",
    ):
        assert phrase in asked["body"]


def test_the_drift_brief_counts_no_window_of_an_earlier_champion(at: At) -> None:
    at("drifted")
    propose()
    known = read()
    first, *later = known.observations
    other = replace(known, observations=[replace(first, version=7), *later])
    asked = replace(known.proposals[-1], trained_until=later[1].window_end)
    _, body = retrain_brief.retrain(other, asked, "/dags/here")
    assert "0 of the last 2 windows are above their limit" in body


def test_the_drift_brief_has_each_statistic_beside_its_limit(at: At) -> None:
    at("drifted")
    body = propose()["body"]
    newest = read().observations[-1].figures
    assert len(newest["statistics"]) == 13
    assert f"300 rows: {retrain_brief.as_text(read().observations[-1].reason)}." in body
    for s in newest["statistics"]:
        told = words(s["name"])
        name = re.escape(told + (f" of {s['of']}" if s["of"] else ""))
        assert re.search(rf"^\| {name} \| \{s['value']:+.3f}.* \| {s['limit']:.3f} \|", body, re.M)
    assert re.search(rf"^\| accuracy \| 0\.\d+ \| {newest['accuracy']:.3f} \|", body, re.M)


def test_of_many_classes_the_brief_shows_those_nearest_to_their_limit() -> None:
    overall = Statistic("ks", 0.1, 1.0, 1.0)
    classes = [
        Statistic(name, number / 40, 1.0, 1.0, of=f"{number:02}")
        for number in range(40)
        for name in ("class_loss", "class_recall", "class_margin")
    ]
    shown = drift_evidence._shown([*classes, overall])
    assert shown[-1] == overall
    assert {s.of for s in shown[:-1]} == {"34", "35", "36", "37", "38", "39"}
    assert len(shown) == 19


def test_of_the_probabilities_of_many_classes_those_nearest_to_their_limit_are_shown() -> None:
    names = [f"{number:02}" for number in range(40)]
    label = np.arange(800) % 40
    table = ReliabilityTable.of(np.full((800, 40), 1 / 40), label, None, names)
    policy = MODEL.drift
    statistics = [
        Statistic.measured("overconfidence", 0.001, 0.05, 0.01, policy),
        *(Statistic.measured("bias", int(n) / 500, 0.05, 0.01, policy, of=n) for n in names),
    ]
    held = HeldProbabilities(
        verdict="drifting",
        pressure=2.0,
        statistics=tuple(statistics),
        table=reliability_to_json(table),
    )
    changes = recalibration_brief._figures(held)[1]
    first = re.findall(r"^\| (overconfidence|bias of \d+) \|", changes, re.M)
    assert first == ["overconfidence", *(f"bias of {n}" for n in names[-6:])]


def test_the_first_brief_says_that_there_is_no_champion(at: At) -> None:
    at("bootstrapped")
    page = shown("churn/boot/retrain.html")
    assert "<strong><code>churn</code> has no champion yet.</strong>" in page
    page = shown("churn/boot/promotion.html")
    assert "There is no champion yet to compare it with." in page
    assert "there is still no champion." in page


@pytest.mark.parametrize(
    ("metric", "change", "told"),
    [
        ("accuracy", 0.1, "+0.100, better"),
        ("accuracy", -0.1, "-0.100, **worse**"),
        ("hinge_loss", -0.1, "-0.100, better"),
        ("violation_rate", 0.1, "+0.100, **worse**"),
        ("brier", 0.0001, "none"),
    ],
)
def test_the_promotion_brief_says_of_each_metric_whether_it_became_worse(
    metric: str, change: float, told: str
) -> None:
    assert promotion_brief._change(metric, change) == told


def test_the_promotion_brief_has_the_declared_gates_and_a_link_to_all(at: At) -> None:
    at("registered")
    asked = asking.to_promote(MODEL, FIRST, "/dags/here")
    gates = read().candidates[-1].gates
    loss = next(g for g in gates if g["name"] == "hinge_loss")
    line = next(row for row in asked["body"].splitlines() if row.startswith("| hinge loss | p"))
    assert retrain_brief.as_text(loss["reason"]) in line
    assert f"{loss['candidate']:.3f} against {loss['champion']:.3f}" in line
    assert "Of 2 slices " in asked["body"] or "checks of soundness" in asked["body"]
    (address,) = re.findall(r"\[All gates[^]]*\]\(([^)]+)\)", asked["body"])
    page = shown(address)
    assert FIRST in page
    for g in gates:
        assert (g["slice"] or g["name"].replace("_", " ")) in page
    assert asked["subject"] == "churn: promote version 2?"
    passed = sum(g["verdict"] == "passed" for g in gates)
    assert f"**No gate of version 2 failed** ({passed} passed" in asked["body"]
    assert "for windows from 2026-01-11 00:00 UTC on" in asked["body"]
    assert asked["evidence"][:12] in shown(asked["brief"])


def test_a_failed_gate_stands_in_the_table_though_the_spec_does_not_name_it(at: At) -> None:
    at("registered")
    candidate = read().candidates[-1]
    gates = [GateResult.from_json(gate) for gate in candidate.gates]
    failed = [replace(gate, verdict="failed") for gate in gates[-2:]]
    rows = promotion_brief._declared(MODEL, [*gates[:-2], *failed])
    assert [row[:2] for row in rows[1:]] == [
        ("shared keys", "**failed**"),
        ("shared content", "**failed**"),
    ]


def test_what_people_write_is_shown_as_text(at: At) -> None:
    at("bootstrapped")
    asked = propose("by hand", reason=HARM, proposer=f"otto {HARM}")
    page = shown(asked["brief"])
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "<!--" not in page
    assert hosts(page) <= {"", "mlflow.example"}
    assert "<img" not in page


def test_a_page_escapes_title_and_body() -> None:
    page = brief_page.as_page(HARM, f"{HARM}\n\n{markdown.table(('a', 'b'), [(HARM, '1')])}")
    assert page.count("&lt;script&gt;") == 4  # the title stands twice
    assert "<script" not in page
    assert "<!--" not in page


def test_no_page_links_to_another_host_than_the_mlflow_ui(at: At) -> None:
    at("registered")
    asking.to_promote(MODEL, FIRST, "/dags/here")
    pages = list(Path("store/reports").rglob("*.html"))
    assert {p.name for p in pages} >= {"retrain.html", "promotion.html"}
    assert {h for p in pages for h in hosts(p.read_text())} <= {"", "mlflow.example"}


def test_the_chart_is_an_svg_that_stands_alone(at: At) -> None:
    at("drifted")
    Path("data/2026-01-11.parquet").unlink()
    assert watch(11).verdict == "insufficient"
    windows = read().observations
    for shown_windows in (windows, windows[:1], windows[-1:]):
        svg = chart.of_windows(shown_windows)
        assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
        assert 'href="http' not in svg
    propose()
    ElementTree.parse(f"store/reports/churn/{FIRST}/drift.svg")


def test_a_sparkline_has_one_character_a_window() -> None:
    assert markdown.sparkline([]) == ""
    assert markdown.sparkline([0.0, None, 0.99, 1.0, 99.0]) == "▁·▄▅█"


@pytest.mark.parametrize("name", ["../../etc/passwd", "manual__2026-01-01T00:00:00+00:00", "a b/c"])
def test_a_proposal_names_one_folder_whatever_its_name(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", brief_links.slug(name))


def test_the_rows_of_many_classes_are_told_by_the_rarest() -> None:
    counts = {str(name): 3 + name for name in range(40)}
    counted = CountedRows(
        rows=9000, quarantined=2, labelled=2700, fit=counts, calibrate=counts, judge=counts
    )
    told = "\n".join(retrain_brief._rows(counted))
    assert "2,700 labelled of 9,000; 2 are quarantined" in told
    assert "| judge (newest) | 900 | 3 (0) |" in told


def test_a_chart_of_the_same_windows_is_the_same_file(at: At) -> None:
    at("drifted")
    windows = read().observations
    assert chart.of_windows(windows) == chart.of_windows(windows)


def test_what_is_asked_about_is_not_said_to_wait(at: At) -> None:
    at("drifted")
    land(11, y=1 - rows(11)["y"])  # the old rule again, so that the newest window does not breach
    assert watch(11).verdict == "steady"
    assert "the newest window does not breach" in str(read().patience)
    assert read().due is None
    land(11)
    watch(11)
    assert read().patience is None
    propose()
    land(12, y=1 - rows(12)["y"])
    assert watch(12).verdict == "steady"
    assert (read().latch.state, read().patience) == ("open", None)
