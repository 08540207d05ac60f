"""What is advised if nothing can be said of window after window."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from tasks.drift.advice import ADVICE_WINDOWS, SeenWindow, advise
from tasks.drift.statistic import Statistic
from tasks.drift.verdict import Judgement
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN
from tests.support.judged import ar, of, reference_from, verdict


def spec_of(**parts: Any) -> ModelSpec:
    window = {**CHURN["window"], "every": "7d", "min_rows": 100}
    return ModelSpec.model_validate({**CHURN, "window": window, **parts})


def seen(verdict: str = "insufficient", **figures: Any) -> SeenWindow:
    usual: dict[str, Any] = {"reason": "why", "rows": 500, "labelled": 0, "statistics": ()}
    return SeenWindow(verdict, **usual | figures)


def statistic(name: str, noise: float, blind: bool = True) -> Statistic:
    return Statistic(name, 0.0, 0.1, noise, blind=blind)


def test_too_few_rows_ask_for_the_window_that_holds_enough() -> None:
    told = advise(spec_of(), [seen(rows=rows) for rows in (30, 45, 41, 40, 40, 40, 40, 12)])
    assert told == (
        "the last 8 windows say nothing: they hold 40 rows, and window.min_rows is 100; "
        "set window.every: 21d, 3 times as long"
    )


def test_blind_windows_ask_for_as_many_rows_as_the_best_statistic_needs() -> None:
    blind = seen(statistics=(statistic("ks", 2.0), statistic("hinge_loss", 0.8)))
    training = {**CHURN["training"], "window": "70d"}
    told = advise(spec_of(training=training), [blind] * ADVICE_WINDOWS)
    # Noise 8 times the effect: blind at 5 times; (8 / 5)² = 2.56.
    assert told == (
        "the last 8 windows say nothing: even hinge_loss would show only a change 8.0 times as "
        "large as one that matters, and drift.blind_at is 5; "
        "set window.every: 21d and training.window: 210d, 3 times as long each"
    )
    far = seen(statistics=(statistic("ks", 1e9),))
    assert "times as long would be needed" in str(advise(spec_of(), [far] * ADVICE_WINDOWS))


def test_windows_as_long_as_is_advised_are_blind_no_more() -> None:
    def said(times: int) -> Judgement:
        stream = ar(np.random.default_rng(10), 200 * 8 * 64, 0.98)
        rows = 200 * times
        reference = reference_from(stream[: rows * 8], count=8)
        return verdict(of(stream[-rows:]), reference, blind_at=2)

    silent = said(1)
    seen_so = seen(statistics=silent.statistics)
    told = str(advise(spec_of(drift={"blind_at": 2}), [seen_so] * ADVICE_WINDOWS))
    times = int(re.findall(r"(\d+) times as long each", told)[0])
    assert [said(n).verdict for n in (1, times)] == ["insufficient", "steady"]


def test_breaches_without_labels_ask_for_labels() -> None:
    waiting = seen(labelled=40, statistics=(statistic("ks", 0.1, blind=False),))
    told = advise(spec_of(drift={"confirm": "required"}), [waiting] * ADVICE_WINDOWS)
    assert "40 rows have labels where window.min_rows = 100 are needed" in str(told)
    assert str(told).endswith("land them, or set drift.confirm: if_labelled")


def test_what_validation_stops_is_named_with_the_reason_that_comes_most_often() -> None:
    stopped = [seen(rows=0, reason="no file")] * 5 + [seen(rows=0, reason="stale")] * 3
    told = advise(spec_of(), stopped)
    assert told == "the last 8 windows say nothing: 5 of them because of this: no file"


@pytest.mark.parametrize("verdict", ["steady", "drifting"])
def test_one_window_of_the_last_eight_that_says_something_is_enough(verdict: str) -> None:
    silent = [seen(rows=10)] * ADVICE_WINDOWS
    assert advise(spec_of(), silent[1:]) is None
    assert advise(spec_of(), [seen(verdict), *silent]) is not None
    for place in range(ADVICE_WINDOWS):
        assert advise(spec_of(), [*silent[:place], seen(verdict), *silent[place + 1 :]]) is None
