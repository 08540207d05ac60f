"""The forms from which people start runs, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from .browser import Form
from .conftest import Running
from .landed import HANDED, LANDING

DAGS = {
    f"retrain.{HANDED}": False,
    f"monitor.{HANDED}": False,
    f"score.{LANDING[0]}": False,
    f"rollback.{HANDED}": True,  # needs a reason
}


@pytest.mark.parametrize("dag", DAGS)
def test_a_form_can_be_sent_once_all_that_is_needed_is_written(
    running: Running, operators_page: Page, dag: str
) -> None:
    form = Form(running, operators_page, dag)
    form.open()
    if DAGS[dag]:
        expect(form.button).to_be_disabled()
        form.write("reason", "complaints")
    expect(form.button).to_be_enabled()
