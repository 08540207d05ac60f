"""Which settings a rehearsal tries against what nobody was told of."""

from __future__ import annotations

from typing import Any

from tasks.rehearsal.remedies import remedies
from tests.rehearsal.staged import scene
from tests.support import past


def halved(**drift: Any) -> dict[str, float]:
    found = remedies(past.spec(drift=drift), [scene()])
    return dict(next(r.settings for r in found if r.name == "effects of drift halved"))


def test_the_effect_of_every_statistic_that_is_measured_is_halved() -> None:
    plain = halved()
    assert plain["drift.ks.effect"] == 0.05
    assert plain["drift.class_margin.effect"] == 0.25
    assert halved(energy={"effect": 0.3}) == {**plain, "drift.energy.effect": 0.15}
