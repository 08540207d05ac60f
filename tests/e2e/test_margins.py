"""The margin view as a person meets it: in Airflow's frame and alone, with eyes and a keyboard."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from .browser import after_a_click
from .conftest import Running
from .landed import ACCEPTED, DAY

pytestmark = after_a_click
MODEL = "looked_at"


def test_the_margin_view_in_airflows_frame_and_at_its_own_address(
    running: Running, page: Page
) -> None:
    url = running.settings.airflow_url
    violations: list[str] = []
    page.on(
        "console",
        lambda said: violations.append(said.text) if "Content Security" in said.text else None,
    )

    # In the frame: the entry of the navigation, the theme of Airflow, and a way out of the frame.
    page.goto(f"{url}/plugin/margins")
    framed = page.frame_locator("iframe")
    expect(framed.get_by_role("heading", name="Margins")).to_be_visible()
    page.evaluate("document.documentElement.className = 'dark'")
    expect(framed.locator("html")).to_have_attribute("data-theme", "dark")
    page.evaluate("document.documentElement.className = 'light'")
    expect(framed.locator("html")).to_have_attribute("data-theme", "light")
    framed.get_by_role("link", name=MODEL, exact=True).click()
    framed.get_by_role("link", name=f"monitor.{MODEL}", exact=True).first.click()
    page.wait_for_url(re.compile(rf"{url}/dags/monitor\.{MODEL}"))

    # Alone, by the keyboard: to the content first, then search, which says what it found.
    page.goto(f"{url}/gatelatch/margins")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    page.get_by_label("Model", exact=True).focus()
    page.keyboard.type(MODEL)
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile(r"^1 of \d+ models"))).to_be_visible()
    assert violations == []


def test_charts_zoom_and_open_as_tables_by_the_keyboard(running: Running, page: Page) -> None:
    running.accept(MODEL, "first", ACCEPTED, 8 * DAY)
    running.windows(MODEL, ACCEPTED)
    page.goto(f"{running.settings.airflow_url}/gatelatch/margins/{MODEL}")
    expect(page.locator("[data-lanes] canvas")).to_be_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")  # on paper nobody scrolls
    assert page.locator("[data-plot] canvas").count() == page.locator("[data-plot]").count() > 9
    behind = page.locator("details").filter(has_text="What the latch reads as a table")
    expect(behind.locator("table")).to_be_hidden()
    behind.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(behind.locator("table")).to_be_visible()
    expect(behind.locator("tbody tr")).to_have_count(len(running.status(MODEL).observations))
    page.get_by_role("link", name="The newest window").click()
    expect(page.get_by_role("heading", name="one window")).to_be_visible()
    expect(page.locator("svg.chart").first).to_be_visible()


def test_a_visitor_without_a_session_logs_in_and_comes_back(running: Running, page: Page) -> None:
    page.context.clear_cookies()
    asked = f"{running.settings.airflow_url}/gatelatch/margins?q={MODEL}"
    page.goto(asked)
    page.wait_for_url(re.compile("/auth/login"))
    page.locator("input[name=username]").fill("ada")
    page.locator("input[name=password]").fill(running.settings.passwords["ada"])
    page.locator("button[type=submit]").click()
    page.wait_for_url(asked)
    expect(page.get_by_text(re.compile(r"^1 of \d+ models"))).to_be_visible()
