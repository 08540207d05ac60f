"""How a compose file is read: its variables, its order, and what it may not lack."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.native.compose_file import ComposeError, filled, read
from ops.native.images import ROOT

PLAIN = st.text(st.characters(codec="ascii", exclude_characters="{}$"))


@given(PLAIN, PLAIN, PLAIN)
def test_a_variable_takes_its_value_or_its_default(before: str, value: str, usual: str) -> None:
    text = f"{before}${{NAME:-{usual}}}"
    assert filled(text, {"NAME": value}) == before + (value or usual)
    assert filled(text, {}) == before + usual


@given(st.text())
def test_no_value_is_taken_for_a_variable_itself(value: str) -> None:
    assert filled("${NAME:-x}", {"NAME": value, "OTHER": "no"}) == (value or "x")


@given(PLAIN)
def test_a_default_may_hold_another_variable(value: str) -> None:
    text = "${URL:-http://localhost:${PORT:-80}}"
    assert filled(text, {"PORT": value}) == f"http://localhost:{value or 80}"
    assert filled(text, {"PORT": value, "URL": "x"}) == "x"


def test_a_doubled_sign_is_the_shells_own() -> None:
    assert filled({"a": ["$$(cat f) $${X}"]}, {"X": "no"}) == {"a": ["$(cat f) ${X}"]}


def test_what_is_no_text_stays_as_it_is() -> None:
    assert filled({"read_only": True, "retries": 5}, {}) == {"read_only": True, "retries": 5}


def test_a_variable_that_must_be_set_is_refused_by_name() -> None:
    assert filled("${NAME:?say it}", {"NAME": "x"}) == "x"
    with pytest.raises(ComposeError, match="NAME is not set: say it"):
        filled("${NAME:?say it}", {"NAME": ""})


def test_services_come_behind_those_that_they_wait_for() -> None:
    project = read(ROOT / "docker-compose.yaml", {})
    order = [service.name for service in project.in_order()]
    assert sorted(order) == sorted(project.services)
    for service in project.services.values():
        for other in service.waits_for:
            assert order.index(other) < order.index(service.name)


def test_services_that_wait_for_each_other_are_refused(tmp_path: Path) -> None:
    wait = "depends_on: {%s: {condition: service_started}}"
    (tmp_path / "c.yaml").write_text(
        f"services: {{a: {{image: x, {wait % 'b'}}}, b: {{image: x, {wait % 'a'}}}}}"
    )
    with pytest.raises(ComposeError, match="wait for each other"):
        list(read(tmp_path / "c.yaml", {}).in_order())


PROFILES = """
services:
  always: {image: x, depends_on: {some: {condition: service_healthy, required: false}}}
  some: {image: x, profiles: [a, b]}
  other: {image: x, profiles: [c], depends_on: {some: {condition: service_started}}}
"""


@pytest.mark.parametrize(
    ("asked", "started"),
    [
        (None, {"always"}),
        ("", {"always"}),
        ("d", {"always"}),
        ("b", {"always", "some"}),
        (" a , c", {"always", "some", "other"}),
        ("*", {"always", "some", "other"}),
    ],
)
def test_a_service_of_a_profile_is_there_where_that_is_asked_for(
    tmp_path: Path, asked: str | None, started: set[str]
) -> None:
    (tmp_path / "c.yaml").write_text(PROFILES)
    project = read(tmp_path / "c.yaml", {} if asked is None else {"COMPOSE_PROFILES": asked})
    assert project.services.keys() == started
    assert project.resting.keys() == {"always", "some", "other"} - started
    assert project.services["always"].waits_for.keys() == started & {"some"}
    assert {service.name for service in project.in_order()} == started


def test_who_needs_a_service_that_is_not_asked_for_is_refused_with_its_profile(
    tmp_path: Path,
) -> None:
    (tmp_path / "c.yaml").write_text(PROFILES)
    with pytest.raises(ComposeError, match="other waits for some: COMPOSE_PROFILES=a,b starts it"):
        read(tmp_path / "c.yaml", {"COMPOSE_PROFILES": "c"})
