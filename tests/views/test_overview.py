"""The page of all models: searched, filtered, paged, and plain where there is nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

from tasks.ledger.records import Freeze
from tasks.views.overview import PAGE_MODELS, Asked, overview
from tasks.views.standing import Standing

NOW = datetime(2026, 2, 1, tzinfo=UTC)


def _calm(name: str, owner: str = "team") -> Standing:
    return Standing(model=name, owner=owner, champion=1, since=NOW, verdict="steady", pressure=0.2)


def _models(page: str) -> list[str]:
    return re.findall(r'href="/gatelatch/margins/([a-z0-9_]+)"', page)


def _page(standings: list[Standing], **parts: object) -> str:
    asked = Asked(**parts)  # type: ignore[arg-type]  # the test names what it asks for
    return overview(standings, asked, NOW, base="/gatelatch")


def test_models_are_found_by_name_by_owner_and_by_state() -> None:
    rows = [_calm("churn"), _calm("fraud", "other"), Standing(model="fresh", owner="team")]
    assert _models(_page(rows)) == ["fresh", "churn", "fraud"]
    assert _models(_page(rows, text="FRAU")) == ["fraud"]
    assert _models(_page(rows, owner="other")) == ["fraud"]
    assert _models(_page(rows, state="untrained")) == ["fresh"]
    nothing = _page(rows, text="zzz")
    assert "No model matches" in nothing


def test_models_are_found_by_a_tag_and_each_tag_leads_there() -> None:
    rows = [replace(_calm("churn"), tags=("eu", "tier 1")), replace(_calm("fraud"), tags=("eu",))]
    page = _page([*rows, _calm("bare")])
    assert 'href="?tag=tier%201">tier 1</a>' in page
    assert "<option>tier 1</option>" in page
    assert _models(_page(rows, tag="eu")) == ["churn", "fraud"]
    assert _models(_page(rows, tag="tier 1")) == ["churn"]
    assert _models(_page(rows, tag="<script>")) == []
    assert 'name="tag"' not in _page([_calm("bare")])


def test_a_page_holds_so_many_models_and_the_next_one_keeps_the_question() -> None:
    rows = [_calm(f"m{i:03}") for i in range(2 * PAGE_MODELS + 1)]
    first, last = _page(rows, owner="team"), _page(rows, owner="team", page=99)
    assert len(_models(first)) == PAGE_MODELS
    assert "?owner=team&amp;page=2" in first
    assert _models(last) == ["m100"]
    assert 'rel="next"' not in last


def test_a_model_that_cannot_be_read_says_why_in_its_row() -> None:
    page = _page([Standing(model="odd", problem="odd.yaml: 1 mistake(s)\n  window: <missing>")])
    assert "window: &lt;missing&gt;" in page
    assert "cannot be read" in page


def test_without_models_the_page_says_what_a_model_is() -> None:
    assert "There is no model that you may read" in _page([])


def test_while_models_are_unread_the_page_says_so_and_loads_itself_again() -> None:
    page = overview([_calm("churn")], Asked(), NOW, base="/gatelatch", unread=7)
    assert "1 of 8 models are read" in page
    assert 'http-equiv="refresh"' in page
    assert 'http-equiv="refresh"' not in _page([_calm("churn")])


def test_all_frozen_models_are_found_and_each_row_says_who_froze_it_and_why() -> None:
    freeze = Freeze(
        model="open", number=1, state="frozen", by="ada", reason="<holidays>", recorded_at=NOW
    )
    held = replace(_calm("held"), frozen=freeze)
    opened = replace(held, model="open", latch="open", episode="e", held="e.1")
    rows = [_calm("calm"), held, opened]
    assert _models(_page(rows)) == ["open", "held", "calm"]
    assert _models(_page(rows, state="frozen")) == ["open", "held"]
    assert _models(_page(rows, state="drifting")) == ["open"]
    page = _page([opened])
    assert "by ada since 2026-02-01: &lt;holidays&gt;" in page
    assert "held back: e.1" in page
    assert "frozen" not in _page([_calm("calm")])
