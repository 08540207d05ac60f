"""The model card is shown by MLflow as Markdown: what people and data named is text in it."""

from __future__ import annotations

import re
from dataclasses import replace

from markdown_it import MarkdownIt

from tasks.gates.gate_result import GateResult
from tasks.registry.model_card import card
from tests.support.candidates import record

HARM = '<img src=x onerror=alert(1)> [here](https://evil.example) ![p](//evil.example/p) `a` | "b"'
# With HTML, as Markdown has it, and with tables. MLflow's own page also makes links of addresses.
LENIENT = MarkdownIt("commonmark", {"html": True}).enable("table")


def test_html_links_and_pictures_that_people_or_data_name_are_text_in_the_card() -> None:
    made = record(HARM)
    harmed = replace(
        made,
        owner=HARM,
        reason=HARM,
        proposer=HARM,
        label=HARM,
        classes=[HARM, "1"],
        features={"numeric": [HARM]},
        metrics=replace(made.metrics, warnings=(HARM,), logged_as=HARM),
        gates=(GateResult("slices", "failed", HARM, slice=f"{HARM} = {HARM}"),),
    )
    page = LENIENT.render(card(harmed, "d1ge"))
    tags = re.findall(r"<(\w+)([^>]*)>", page)
    assert {name for name, _ in tags}.isdisjoint({"img", "a", "script", "iframe"})
    shown = re.sub(r"<[^>]+>", "", page)
    assert shown.count("&lt;img src=x onerror=alert(1)&gt;") == 12
    assert shown.count("`a` | &quot;b&quot;") == 12
    rows = [row.count("<td") for row in page.split("<tr>") if "<td" in row]
    assert set(rows) == {5, 2, 3}  # no cell became two


def test_a_plain_card_reads_as_it_is_written() -> None:
    page = LENIENT.render(card(record(), "d1ge"))
    assert "Proposed as <code>p1</code> (drift) by otto; owner: team" in page
    assert "at most 0.5 | bound" in page
