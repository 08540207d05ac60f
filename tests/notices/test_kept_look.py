"""Who tells reads the newest windows and what is kept, and tells what a look at all would tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tasks.ledger import kept_fold, stored
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Delivery, Notice, Observation, champion_at
from tasks.notices.events import ModelFacts
from tasks.notices.kept_look import read_all, read_to_tell
from tasks.notices.owed import subscribed_at, subscription
from tasks.notices.sender import Message, due_messages
from tasks.reports import chart, drift_evidence
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN
from tests.support import forging
from tests.support.rows import decision, observation, proposal
from tests.support.stood import statistic

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
AIRFLOW = "https://airflow.example"
LOSSES = (
    *("accuracy", "hinge_loss", "violation_rate", "error_rate", "squared_hinge"),
    *("margin", "unsigned_margin", "loss_tail_ratio", "effective_rows"),
)
NOTIFY = {"owners": "info", "on_call": "page"}
PLAIN = ModelSpec.model_validate(
    CHURN
    | {
        "calibration": {"method": "sigmoid"},
        "drift": {"calibration": {"propose": True}},
        "notify": NOTIFY,
        "slo": {"metric": "hinge_loss", "budget": 0.05, "window": "6d"},
    }
)
LATE = PLAIN.model_copy(update={"label": PLAIN.label.model_copy(update={"delay": DAY})})
BARE = PLAIN.model_copy(update={"slo": None, "notify": {"owners": "ticket"}})


class Dated(Ledger):
    """A ledger whose rows are recorded when the test says."""

    now = START

    def _insert(self, table: sa.Table, row: Mapping[str, Any], allowed: Any = None) -> None:
        super()._insert(table, {"recorded_at": self.now, **row}, allowed)


def window(number: int, pressure: float | None, labelled: int, **parts: Any) -> Observation:
    start = START + number * DAY
    drifts = pressure is not None and pressure > 1
    loss = 0.3 + (pressure or 0) / 10
    figures: dict[str, Any] = {"rows": 100, "accepted": 100, "labelled": labelled}
    if pressure is not None:
        figures |= {
            "statistics": [statistic("hinge_loss" if labelled else "ks", pressure, reference=0.3)],
            "calibration": {
                "verdict": "drifting" if pressure in (0.9, 1.4) else "steady",
                "pressure": 1.2 if pressure in (0.9, 1.4) else 0.2,
                "reason": "said",
                "statistics": [],
            },
        }
        if labelled:
            figures["losses"] = dict.fromkeys(
                (
                    *("accuracy", "hinge_loss", "violation_rate", "error_rate", "squared_hinge"),
                    *("margin", "unsigned_margin", "loss_tail_ratio", "effective_rows"),
                ),
                loss,
            )
    return observation(
        window_start=start,
        window_end=start + DAY,
        verdict="insufficient" if pressure is None else "drifting" if drifts else "steady",
        pressure=pressure,
        figures=figures,
        **parts,
    )


def promote(ledger: Ledger, since: int) -> None:
    number = len(ledger.promotions("churn")) + 1
    ledger.promote(
        "churn",
        f"p{number}",
        version=number,
        expected=number - 1 or None,
        effective_from=START + since * DAY,
        by="ada",
        reason="drift",
    )


def told(facts: ModelFacts, now: datetime) -> list[Any]:
    """Return every message that is due, word by word."""
    return [
        (m.channel, m.severity, [(o.event.key, o.attempt) for o in m.owed], m.text)
        for m in due_messages(facts, now, AIRFLOW, again=False)
    ]


def send(ledger: Dated, spec: ModelSpec, facts: ModelFacts, outcome: str | None) -> None:
    """Record what a look records: what the channels hear of, claims, and how each ended."""
    for channel, least in spec.notify.items():
        if subscribed_at(facts, channel, least) is None:
            _claim(ledger, subscription(least), channel, 0, least)
    messages: list[Message] = due_messages(facts, ledger.now, AIRFLOW, again=False)
    for message in messages:
        for one in message.owed:
            key, severity = one.event.key, one.event.severity
            _claim(ledger, key, message.channel, one.attempt, severity)
            if outcome is not None:
                ledger.deliver(
                    Delivery(
                        model="churn",
                        event=key,
                        channel=message.channel,
                        attempt=one.attempt,
                        outcome=outcome,  # type: ignore[arg-type]  # one that hypothesis drew
                        detail="",
                    )
                )


def _claim(ledger: Ledger, key: str, channel: str, attempt: int, severity: Any) -> None:
    ledger.claim(
        Notice(
            model="churn",
            event=key,
            channel=channel,
            attempt=attempt,
            severity=severity,
            message="said",
        )
    )


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GATELATCH_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(kept_fold, "NEWEST_READ", 4)
    monkeypatch.setattr(kept_fold, "BEHIND", 3)
    monkeypatch.setattr(drift_evidence, "BRIEF_WINDOWS", 6)
    monkeypatch.setattr(chart, "of_windows", lambda windows: "")  # the text is compared alone


@pytest.fixture
def dated(tmp_path: Path) -> Iterator[Dated]:
    ledger = Dated(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.create()
    promote(ledger, 0)
    yield ledger
    ledger.close()


OUTCOMES = st.sampled_from(["told"] * 6 + ["failed", None])
PRESSURES = st.sampled_from([0.1, 0.1, 0.1, 0.9, 1.5, None])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("next"), PRESSURES),
        *[st.tuples(st.just("next"), st.sampled_from([0.1] * 5 + [1.5])) for _ in range(4)],
        st.tuples(st.just("bare"), PRESSURES),
        st.tuples(st.just("skip"), st.just(0.1)),
        st.tuples(st.just("again"), st.integers(1, 20)),
        st.tuples(st.just("promote"), st.integers(-6, 1)),
        st.tuples(st.just("ask"), st.integers(0, 6)),
        st.tuples(st.just("end"), st.sampled_from(["rejected", "no_answer", "ended"])),
        st.tuples(st.just("freeze"), st.sampled_from(["frozen", "thawed"])),
        st.tuples(st.just("wait"), st.sampled_from([1, 6, 15, 700])),
    ),
    min_size=15,
    max_size=40,
)


class Story:
    """What happens to a model, a step at a time."""

    def __init__(self, ledger: Dated, data: st.DataObject) -> None:
        self.ledger, self.data, self.number, self.rows = ledger, data, 0, 0
        self.skipped: list[int] = []

    def next(self, kind: str, how: Any) -> None:
        ledger, name = self.ledger, f"asked{len(self.ledger.proposals('churn'))}"
        self.rows += 1
        end = START + self.number * DAY
        if kind in ("next", "bare"):
            self.number += 1
            ledger.now = max(ledger.now, START + self.number * DAY + MINUTE)
            self.observe(self.number - 1, how, 0 if kind == "bare" else 100)
        elif kind == "skip":
            self.skipped.append(self.number)
            self.number += 1
        elif kind == "again":
            # A window of the past: measured again, such as with late labels, or filled in.
            place = self.data.draw(st.sampled_from([*self.skipped, max(self.number - how, 0)]))
            if place < self.number:
                pressure = self.data.draw(PRESSURES)
                self.observe(place, pressure, self.data.draw(st.sampled_from([0, 100])))
        elif kind == "promote" and not self.frozen:
            promote(ledger, max(self.number + how, 1))
        elif kind == "ask" and not self.frozen:
            until = START + max(self.number - how, 0) * DAY
            version = len(ledger.promotions("churn"))
            ledger.propose(proposal(name, trained_until=until, champion=version))
            forging.ask(ledger, name, "retrain")
        elif kind == "end":
            live = {p.proposal for p in ledger.proposals("churn")}
            live -= {d.proposal for d in ledger.decisions("churn")}
            for one in sorted(live & {f"asked{n}" for n in range(99)})[:1]:
                ledger.decide(decision(how, proposal=one, effective_from=end))
        elif kind == "freeze":
            ledger.freeze("churn", how, by="ada", reason="holidays")
        elif kind == "wait":
            ledger.now += how * MINUTE

    @property
    def frozen(self) -> bool:
        freezes = self.ledger.freezes("churn")
        return bool(freezes) and freezes[-1].state == "frozen"

    def observe(self, place: int, pressure: float | None, labelled: int) -> None:
        ruled = champion_at(self.ledger.promotions("churn"), START + place * DAY)
        assert ruled is not None
        data, version = f"data {self.rows}", ruled.version
        self.ledger.observe(window(place, pressure, labelled, data_digest=data, version=version))


@pytest.mark.usefixtures("small")
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(STEPS, st.sampled_from([PLAIN, LATE, BARE]), st.data())
def test_whatever_comes_in_whatever_order_a_look_tells_what_a_look_at_all_windows_tells(
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    history: list[tuple[str, Any]],
    spec: ModelSpec,
    data: st.DataObject,
) -> None:
    """Also if channels fail, and if what is kept is an older one of the same ledger."""
    store = tmp_path / "store/told/churn.json"
    store.unlink(missing_ok=True)
    ledger = Dated(f"sqlite:///{tmp_path_factory.mktemp('look') / 'ledger.db'}")
    ledger.create()
    promote(ledger, 0)
    story, earlier = Story(ledger, data), []
    for kind, how in history:
        story.next(kind, how)
        if data.draw(st.booleans(), label="monitor"):
            kept_fold.read_newest(spec, ledger)
        facts = read_to_tell(spec, ledger, ledger.now)
        everything = read_all(spec, ledger)
        if len(facts.status.observations) < len(everything.status.observations):
            event("fewer windows were read")
        assert told(facts, ledger.now) == told(everything, ledger.now)
        if data.draw(st.sampled_from([True] * 5 + [False]), label="sends"):
            send(ledger, spec, facts, data.draw(OUTCOMES, label="outcome"))
        if store.exists():
            earlier.append(store.read_bytes())
            if data.draw(st.sampled_from([False, False, True]), label="put back"):
                store.write_bytes(data.draw(st.sampled_from(earlier), label="which"))
    ledger.close()


@pytest.mark.usefixtures("small")
def test_one_more_window_reads_only_the_newest(
    dated: Dated, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts, plain = [], stored.observations

    def counted(*arguments: Any) -> dict[int, Observation]:
        found = plain(*arguments)
        counts.append(len(found))
        return found

    def look(number: int) -> None:
        dated.now = START + (number + 1) * DAY + MINUTE
        dated.observe(window(number, 0.1, 100))
        facts = read_to_tell(PLAIN, dated, dated.now)
        send(dated, PLAIN, facts, "told")

    for number in range(40):
        look(number)
    monkeypatch.setattr(stored, "observations", counted)
    for number in range(40, 60):
        look(number)
    assert max(counts) <= 2 * 6 + kept_fold.NEWEST_READ + kept_fold.BEHIND  # twice the SLO window
    assert len(counts) == 20


@pytest.mark.usefixtures("small")
def test_a_window_that_a_monitor_folded_meanwhile_is_told_all_the_same(dated: Dated) -> None:
    """The labels of long ago come: its episode opens, and the monitor has seen it before."""
    for number in range(40):
        dated.now = START + (number + 1) * DAY + MINUTE
        dated.observe(window(number, 0.1, 100))
        send(dated, BARE, read_to_tell(BARE, dated, dated.now), "told")
    for number in (5, 6, 7):
        dated.observe(window(number, 1.5, 100, data_digest="late labels"))
    for number in range(40, 50):
        dated.now = START + (number + 1) * DAY + MINUTE
        dated.observe(window(number, 0.1, 100))
        kept_fold.read_newest(BARE, dated)
    due = told(read_to_tell(BARE, dated, dated.now), dated.now)
    assert [key for _, _, keys, _ in due for key, _ in keys] == ["episode/churn.v1.20260106T0000"]


@pytest.mark.usefixtures("small")
def test_who_is_told_of_more_from_now_on_reads_everything_once(dated: Dated) -> None:
    for number in range(40):
        dated.now = START + (number + 1) * DAY + MINUTE
        dated.observe(window(number, 0.1, 100))
        facts = read_to_tell(BARE, dated, dated.now)
        send(dated, BARE, facts, "told")
    assert len(facts.status.observations) < 40
    more = BARE.model_copy(update={"notify": {"owners": "info"}})
    assert more.digest == BARE.digest
    assert len(read_to_tell(more, dated, dated.now).status.observations) == 40
