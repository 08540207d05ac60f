"""A person in front of Airflow's own screens: a real browser, logged in as the approver."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect, sync_playwright

if TYPE_CHECKING:
    from .conftest import Running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_MISSING = "chromium is missing: apt-get install chromium (or your system's package)"
after_a_click = pytest.mark.skipif(CHROMIUM is None, reason=_MISSING)


@pytest.fixture
def page(running: Running) -> Iterator[Page]:
    """A browser, logged in to Airflow as the approver through the login page."""
    if CHROMIUM is None:
        pytest.skip(_MISSING)
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        page = browser.new_page(viewport={"width": 1400, "height": 1300})
        page.set_default_timeout(30_000)
        expect.set_options(timeout=30_000)
        page.goto(running.settings.airflow_url)
        page.locator("input[name=username]").fill("ada")
        page.locator("input[name=password]").fill(running.settings.passwords["ada"])
        page.locator("button[type=submit]").click()
        page.wait_for_url(re.compile(r"/(home)?$"))
        yield page
        browser.close()


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
