"""The data of the charts within a page: no name in it can end the script that holds it."""

from __future__ import annotations

import json

from tasks.reports.plots import plots
from tasks.reports.timeline import verdicts_of
from tasks.views.chart_script import as_script
from tests.support.stood import seen


def test_no_name_of_a_class_ends_the_script_that_holds_the_data() -> None:
    evil = "</script><!--&"
    names = ("share", "share_reference", "hinge_loss", "error_rate", "error_rate_reference")
    window = seen(0, figures={"classes": {evil: dict.fromkeys(names, 0.5)}})
    text = str(as_script([window], plots([window]), [("verdict", verdicts_of([window]))], []))
    assert "<" not in text
    titles = [p["title"] for p in json.loads(text)["plots"]]
    assert f"error rate of class {evil}" in titles
