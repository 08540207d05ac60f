"""When a window and its labels were recorded, as the ledger has it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tasks.ledger.ledger import Ledger
from tasks.ledger.recorded import RecordedTimes
from tests.support.rows import observation
from tests.support.stood import seen

HOUR = timedelta(hours=1)


def test_the_ledger_tells_of_each_word_when_it_was_recorded(ledger: Ledger) -> None:
    began = datetime.now(UTC) - timedelta(seconds=1)
    ledger.observe(observation(1))
    ledger.observe(observation(1, data_digest="new"))
    ledger.observe(observation(2, model="other"))
    first, again = ledger.history("churn")
    times = ledger.recorded("churn")
    assert len(times.found) == 2
    assert times.first(again) == times.of(first)
    moments = [times.of(first), times.of(again)]
    assert all(m is not None and began < m < datetime.now(UTC) for m in moments)


def test_a_window_came_with_its_first_word_and_its_labels_with_the_one_that_stands() -> None:
    words = [(seen(0, figures={"labelled": 0}), HOUR), (seen(0, revision=1), 9 * HOUR)]
    times = RecordedTimes.of_words((o, o.window_end + after) for o, after in words)
    first, again = (o for o, _ in words)
    assert (times.lag(first), times.label_lag(first)) == (HOUR, None)
    assert (times.lag(again), times.label_lag(again)) == (HOUR, 9 * HOUR)
    assert times.lag(seen(5)) is None
