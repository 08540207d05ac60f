"""Rows that weigh more or less than others in a window's losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tasks.spec.source_options import Source
from tests.support.flow import MODEL, At, beginning, land, rows
from tests.support.late import watch

WEIGHED = MODEL.model_copy(
    update={"source": Source.model_validate({**MODEL.source.model_dump(), "weight": "w"})}
)


@pytest.fixture
def at(stores: Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def test_the_losses_of_a_window_are_weighed_and_its_margins_are_not(at: At) -> None:
    at("drifted")
    plain = watch(9, MODEL).figures
    right = rows(8, 300)["y"]  # any 0 and 1
    land(9, w=np.full(300, 2.5))
    equal = watch(9, WEIGHED).figures
    land(9, w=right.astype(float))
    some = watch(9, WEIGHED).figures
    assert equal["hinge_loss"] == pytest.approx(plain["hinge_loss"])
    assert some["hinge_loss"] != pytest.approx(plain["hinge_loss"])
    value = {
        name: [s["value"] for s in f["statistics"][:3]]
        for name, f in (("plain", plain), ("equal", equal), ("some", some))
    }
    assert value["plain"] == value["equal"] == value["some"]


def test_weights_that_sum_to_zero_leave_the_losses_out_and_say_so(at: At) -> None:
    at("bootstrapped")
    land(6, w=[0.0] * 300)
    seen = watch(6, WEIGHED)
    assert seen.verdict == "steady"
    assert (seen.figures["labelled"], "accuracy" in seen.figures) == (300, False)
    assert [s["name"] for s in seen.figures["statistics"]] == [
        "ks",
        "wasserstein",
        "margin_density",
    ]
    (warning,) = seen.figures["warnings"]
    assert "weights of the labelled rows sum to zero" in warning


def test_a_row_whose_weight_is_no_weight_is_quarantined(at: At) -> None:
    at("bootstrapped")
    land(6, w=[None, float("nan"), -0.5, float("inf"), 0.0, *[1.0] * 295])
    assert watch(6, WEIGHED).figures["quarantined"] == 4
    land(6, w=["heavy"] * 300)
    assert "on column 'w': number; the source has string" in watch(6, WEIGHED).reason
    land(6)
    assert "on column 'w': not in the source" in watch(6, WEIGHED).reason
