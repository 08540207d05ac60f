"""A person in front of Airflow's own screens: a real browser, logged in as one of its users."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

from ops import stack_settings

if TYPE_CHECKING:
    from .conftest import Running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_MISSING = "chromium is missing: apt-get install chromium (or your system's package)"
after_a_click = pytest.mark.skipif(CHROMIUM is None, reason=_MISSING)


@pytest.fixture
def page(running: Running) -> Iterator[Page]:
    """A browser, logged in to Airflow as the approver through the login page."""
    with _browser(running, stack_settings.APPROVER) as page:
        yield page


@pytest.fixture
def operators_page(running: Running) -> Iterator[Page]:
    """A browser of the one who starts runs, and who cannot approve what he proposes."""
    with _browser(running, stack_settings.OPERATOR) as page:
        yield page


@contextmanager
def _browser(running: Running, user: str) -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip(_MISSING)
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        page = browser.new_page(viewport={"width": 1400, "height": 1300})
        page.set_default_timeout(30_000)
        expect.set_options(timeout=30_000)
        page.goto(running.settings.airflow_url)
        page.locator("input[name=username]").fill(user)
        page.locator("input[name=password]").fill(running.settings.passwords[user])
        page.locator("button[type=submit]").click()
        page.wait_for_url(re.compile(r"/(home)?$"))
        yield page
        browser.close()


@dataclass(frozen=True)
class Form:
    """The form that starts a run of a DAG, as a person meets it."""

    running: Running
    page: Page
    dag: str

    @property
    def button(self) -> Locator:
        return self.page.get_by_test_id("trigger-dag-submit")

    def open(self) -> None:
        """Go to the DAG and click on Trigger."""
        self.page.goto(f"{self.running.settings.airflow_url}/dags/{self.dag}")
        self.page.get_by_test_id("trigger-dag-button").click()
        expect(self.button).to_be_visible()

    def choose(self, field: str, value: str) -> None:
        """Take an entry of a list."""
        held = self.page.locator("div").filter(has=self.page.locator(f"[name=element_{field}]"))
        held.last.get_by_role("combobox").click()
        self.page.get_by_role("option", name=value, exact=True).click()

    def write(self, field: str, value: str) -> None:
        self.page.locator(f"#element_{field}").fill(value)

    def send(self) -> str:
        """Click on the button; return the run that Airflow then shows."""
        self.button.click()
        self.page.wait_for_url(re.compile("/runs/"))
        return unquote(self.page.url.partition("/runs/")[2].partition("/")[0])


@dataclass(frozen=True)
class Question:
    """The approval of one step of a run, as a person meets it."""

    running: Running
    page: Page
    model: str
    run: str
    step: str

    def open(self, read: str) -> None:
        """Wait until it is asked, go there, and see that the brief says what it should."""
        self.running.asked(self.model, self.run, self.step)
        base = f"{self.running.settings.airflow_url}/dags/{self.running.dag(self.model, self.step)}"
        self.page.goto(f"{base}/runs/{self.run}/tasks/approve_{self.step}/required_actions")
        expect(self.page.get_by_text(read)).to_be_visible()
        expect(self.page.get_by_text(re.compile("^Evidence"))).to_be_visible()

    def approve(self) -> None:
        """Click on the yes, with a reason, and wait for it in the ledger."""
        self.page.locator("#element_comment").fill("go")
        self.page.get_by_test_id("hitl-option-Approve").click()
        recorded = partial(self.running.recorded, self.model, self.run, self.step)
        self.running.operator.until(recorded, f"{self.step} decided")
