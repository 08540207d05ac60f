"""Who acts reads the newest windows and a kept fold, and sees what a fold of all windows says."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.flows import late_labels
from tasks.ledger import kept_fold, status, stored
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Observation, champion_at
from tasks.ledger.status import Status
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN
from tests.support.again import write_again
from tests.support.rows import decision, observation, proposal

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SPEC = ModelSpec.model_validate(CHURN | {"calibration": {"method": "sigmoid"}})
LATE = SPEC.model_copy(update={"label": SPEC.label.model_copy(update={"delay": DAY})})
FILE = "folds/churn.json"


def window(number: int, pressure: float = 0.1, labelled: int = 100, **parts: Any) -> Observation:
    start = START + number * DAY
    return observation(
        window_start=start,
        window_end=start + DAY,
        verdict="drifting" if pressure > 1 else "steady",
        pressure=pressure,
        figures={
            "accepted": 100,
            "labelled": labelled,
            "calibration": {"verdict": "steady", "pressure": 0.2},
        },
        **parts,
    )


def promote(ledger: Ledger, since: int) -> None:
    past = ledger.promotions("churn")
    number = len(past) + 1
    ledger.promote(
        "churn",
        f"p{number}",
        version=number,
        expected=number - 1 or None,
        effective_from=START + since * DAY,
        by="ada",
        reason="drift",
    )


def told(known: Status) -> dict[str, Any]:
    """Return all that a run of the monitor acts on."""
    return {
        "latch": known.history.now,
        "calibration": known.calibration.now,
        "memories": (known.history.memory, known.calibration.memory),
        "due": known.due,
        "silence": known.silence,
        "patience": known.patience,
        "advice": known.advice,
        "given_up": known.given_up,
        "until": known.observed_until,
        "rows": (known.proposals, known.decisions, known.promotions),
        "newest": known.observations[-kept_fold.NEWEST_READ :],
        "steps": known.history.steps[-kept_fold.NEWEST_READ :],
    }


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GATELATCH_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(kept_fold, "NEWEST_READ", 4)
    monkeypatch.setattr(kept_fold, "BEHIND", 3)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("next"), st.sampled_from([0.1, 0.1, 0.9, 1.5])),
        st.tuples(st.just("next"), st.sampled_from([0.1, 0.9, 1.5])),
        st.tuples(st.just("bare"), st.sampled_from([0.1, 0.1, 1.5])),
        st.tuples(st.just("again"), st.integers(1, 15)),
        st.tuples(st.just("promote"), st.integers(-6, 1)),
        st.tuples(st.just("refuse"), st.integers(-3, 1)),
    ),
    min_size=12,
    max_size=40,
)


@pytest.mark.usefixtures("small")
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps, st.sampled_from([SPEC, LATE]), st.data())
def test_after_every_row_it_says_what_a_fold_of_all_windows_says(
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    history: Any,
    spec: ModelSpec,
    data: st.DataObject,
) -> None:
    """Also if what is kept is an older one of the same ledger, another ledger's, or damaged."""
    store = tmp_path / "store" / FILE
    ledger = Ledger(f"sqlite:///{tmp_path_factory.mktemp('kept') / 'ledger.db'}")
    ledger.create()
    promote(ledger, 0)
    number = 0
    earlier = [store.read_bytes()] if store.exists() else []  # of the example before: foreign
    for kind, how in history:
        version = len(ledger.promotions("churn"))
        if kind in ("next", "bare"):
            labelled = 0 if kind == "bare" else 100
            ledger.observe(window(number, how, labelled, version=version))
            number += 1
        elif kind == "again" and number >= how:
            ruled = champion_at(ledger.promotions("churn"), START + (number - how) * DAY)
            late = f"late {number} {how}"
            assert ruled is not None
            ledger.observe(window(number - how, 1.4, data_digest=late, version=ruled.version))
        elif kind == "promote":
            promote(ledger, max(number + how, 1))
        elif kind == "refuse":
            name = f"asked{len(ledger.proposals('churn'))}"
            ledger.propose(proposal(name, episode=f"churn.v1.{START:%Y%m%dT%H%M}"))
            at = START + max(number + how, 0) * DAY
            ledger.decide(decision("rejected", proposal=name, effective_from=at))
        if store.exists():
            earlier.append(store.read_bytes())
        if earlier and data.draw(st.booleans(), label="put back"):
            store.write_bytes(data.draw(st.sampled_from(earlier), label="which"))
        assert told(kept_fold.read_newest(spec, ledger)) == told(status.read(spec, ledger))
    ledger.close()


@pytest.mark.usefixtures("small")
def test_windows_that_a_promotion_takes_from_their_champion_do_not_rule_any_more(
    tmp_path: Path,
) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.create()
    promote(ledger, 0)
    for number in range(19):
        ledger.observe(window(number))
        assert told(kept_fold.read_newest(SPEC, ledger)) == told(status.read(SPEC, ledger))
    for since in (19, 16):
        promote(ledger, since)
        assert told(kept_fold.read_newest(SPEC, ledger)) == told(status.read(SPEC, ledger))
    ledger.close()


def forty_windows(ledger: Ledger) -> None:
    promote(ledger, 0)
    for number in range(40):
        ledger.observe(window(number))


@pytest.fixture
def years(ledger: Ledger, small: None) -> Ledger:
    """Return a ledger of forty windows, of which all was read once."""
    write_again(ledger, forty_windows)
    kept_fold.read_newest(SPEC, ledger)
    return ledger


def test_one_more_window_reads_only_the_newest(
    years: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts, plain = [], stored.observations

    def counted(*arguments: Any) -> dict[int, Observation]:
        found = plain(*arguments)
        counts.append(len(found))
        return found

    monkeypatch.setattr(stored, "observations", counted)
    for number in range(40, 60):
        years.observe(window(number))
        kept_fold.read_newest(SPEC, years)
    assert max(counts) <= kept_fold.NEWEST_READ + 6 + kept_fold.BEHIND  # six wait for labels
    assert len(counts) == 20


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: {**kept, "fold": kept["fold"].replace('"calm": ', '"calm": 1')},
        lambda kept: {**kept, "signature": "AAAA"},
        lambda kept: {"fold": kept["fold"]},
        lambda kept: [],
    ],
)
def test_what_was_changed_in_the_store_is_not_used_and_the_log_says_so(
    years: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Any
) -> None:
    file = tmp_path / "store" / FILE
    file.write_text(json.dumps(damage(json.loads(file.read_text()))))
    with caplog.at_level(logging.WARNING):
        assert len(kept_fold.read_newest(SPEC, years).observations) == 40
    assert "is not used, and all windows are read" in caplog.text
    assert kept_fold.load_fold(SPEC) is not None  # it was made anew


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_another_spec_is_folded_anew(years: Ledger) -> None:
    assert len(kept_fold.read_newest(SPEC, years).observations) < 40
    other = SPEC.model_copy(update={"latch": SPEC.latch.model_copy(update={"rest": 9})})
    assert other.digest != SPEC.digest
    assert len(kept_fold.read_newest(other, years).observations) == 40


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_fold_of_an_older_format_is_made_anew(
    years: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of format 1 had counted windows as calm whose labels are awaited."""
    (tmp_path / "store" / FILE).unlink()
    with monkeypatch.context() as older:
        older.setattr(kept_fold, "FOLD_FORMAT", 1)
        kept_fold.read_newest(SPEC, years)
        assert kept_fold.load_fold(SPEC) is not None
    assert kept_fold.load_fold(SPEC) is None
    assert len(kept_fold.read_newest(SPEC, years).observations) == 40


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_what_is_kept_of_one_model_is_nothing_for_another(years: Ledger, tmp_path: Path) -> None:
    other = SPEC.model_copy(update={"model": "other"})
    (tmp_path / "store/folds/other.json").write_bytes((tmp_path / "store" / FILE).read_bytes())
    assert kept_fold.load_fold(SPEC) is not None
    assert kept_fold.load_fold(other) is None


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_windows_that_wait_for_labels_are_all_there(ledger: Ledger, small: None) -> None:
    late = SPEC.model_copy(update={"label": SPEC.label.model_copy(update={"delay": 3 * DAY})})
    promote(ledger, 0)
    for number in range(50):
        ledger.observe(window(number))
        seen = kept_fold.read_newest(late, ledger).observations
        everything = ledger.observations("churn")
        newest = everything[-1].window
        assert late_labels.due_again(late, seen, newest) == late_labels.due_again(
            late, everything, newest
        )
    assert len(seen) < len(everything)
