"""Findings from facts, without a stack: thresholds, secrets, order, what bars what, the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.doctor.checkups import CHECKUPS, checkups_table
from tasks.doctor.examination import Checkup, Examined, examine
from tasks.doctor.finding import Finding, without_secrets
from tasks.doctor.patient import Patient
from tasks.errors import Final
from tasks.redaction import secrets_of

ILL = Finding(state="ill", finding="it is broken", remedy="mend it")
GOOD = {
    "MLFLOW_TRACKING_URI": "http://mlflow:5000",
    "GATELATCH_LEDGER": "postgresql+psycopg://gatelatch:secret@db/gatelatch",
    "GATELATCH_STORE": "/store",
}


def check(name: str, look: Callable[[Patient], Iterator[Finding]], *needs: str) -> Checkup:
    return Checkup(name=name, looks_at="things", look=look, needs=needs)


def look_around(*checkups: Checkup, seconds: float = 30, **environment: str) -> dict[str, Examined]:
    patient = Patient(None, environment, lambda: datetime.now(UTC))
    return {one.name: one for one in examine(checkups, patient, seconds)}


def finds(*findings: Finding) -> Callable[[Patient], Iterator[Finding]]:
    return lambda patient: iter(findings)


def test_a_check_that_hangs_is_left_with_what_it_found_and_the_next_one_looks() -> None:
    released = Event()

    def hang(patient: Patient) -> Iterator[Finding]:
        yield ILL
        released.wait(60)

    found = look_around(
        check("a", hang), check("b", finds()), check("c", finds(), "a"), seconds=0.2
    )
    released.set()
    assert [f.finding for f in found["a"].findings] == [
        "it is broken",
        "no end after 0.2 s: something that it looks at does not answer",
    ]
    assert (found["a"].hangs, found["b"].state, found["c"].barred_by) == (True, "well", "a")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Final("spec.yaml: no such model"), "spec.yaml: no such model"),
        (ValueError("row 17: 42.5"), "it cannot be looked at (ValueError)"),
    ],
)
def test_a_check_that_fails_is_ill_and_only_our_own_errors_are_quoted(
    error: Exception, said: str
) -> None:
    def fail(patient: Patient) -> Iterator[Finding]:
        raise error
        yield ILL

    found = look_around(check("a", fail), check("b", finds()))
    (only,) = found["a"].findings
    assert (only.state, only.finding, found["b"].state) == ("ill", said, "well")


def test_what_bars_a_check_bars_those_that_need_it_and_names_the_first_cause() -> None:
    bars = Finding(state="ill", finding="away", remedy="start it", bars=True)
    found = look_around(
        check("a", finds(bars)),
        check("b", finds(ILL), "a"),
        check("c", finds(ILL), "b"),
        check("d", finds(ILL)),
        check("e", finds(), "d"),
    )
    assert [found[name].barred_by for name in "bcde"] == ["a", "a", None, None]
    assert found["c"].findings[0].remedy == "mend that of `a` first"


def test_each_check_needs_only_what_is_looked_at_before_it() -> None:
    names = [one.name for one in CHECKUPS]
    assert len(set(names)) == len(names)
    for place, one in enumerate(CHECKUPS):
        assert set(one.needs) <= set(names[:place]), one.name


def test_the_page_has_the_table_of_checks_as_the_command_prints_it() -> None:
    page = (Path(__file__).parents[2] / "docs/doctor.md").read_text()
    start = "<!-- python -m tasks doctor --checks -->\n"
    assert page.partition(start)[2].partition("<!-- end -->")[0] == checkups_table()


SIGNS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=8, max_size=30)


@given(secret=SIGNS, name=st.sampled_from(["GATELATCH_LEDGER", "SALES_URL"]))
def test_no_finding_holds_a_password_of_the_environment(secret: str, name: str) -> None:
    for text in (
        f"postgresql://role:{secret}@host/db",
        f"postgresql://host/db?user=role&password={secret}",
    ):
        found = without_secrets(
            Finding(state="ill", finding=f"no {text}", remedy=f"say {secret}"),
            secrets_of({name: text, "MLFLOW_TRACKING_PASSWORD": secret}),
        )
        assert secret not in found.finding + found.remedy
        assert "***" in found.finding
