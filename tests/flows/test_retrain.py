"""Monitor and rollback without Airflow: broken data, order, what-if, and that no row leaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.classifier import finite
from tasks.data import apart
from tasks.data.readers import SourceChanged
from tasks.flows import monitor, rollback
from tasks.flows.measure import measure
from tasks.flows.rollback import RollbackError
from tasks.ledger.ledger import Ledger
from tests.support.flow import (
    FIRST,
    MARKER,
    MODEL,
    OUTLIER,
    STRANGE,
    At,
    alias,
    beginning,
    day,
    file,
    land,
    promote,
    propose,
    read,
    rows,
    told,
    watch,
    window,
)
from tests.support.lethal import lethal


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def test_drift_opens_the_latch_and_the_due_proposal_is_named_after_its_episode(at: At) -> None:
    at("drifted")
    known = read()
    assert [o.verdict for o in known.observations] == ["steady"] * 3 + ["drifting"] * 2
    states = [latch.state for _, latch in known.history.steps]
    assert states == ["closed"] * 4 + ["open"]  # what begins with a bootstrap does not rest
    assert read().due == FIRST
    propose()
    assert read().due is None


ORDERS = {"backwards": [10, 9, 8, 7, 6], "shuffled and twice": [8, 10, 6, 10, 9, 6, 7, 8]}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_the_order_in_which_windows_are_measured_leaves_no_trace(at: At, order: list[int]) -> None:
    at("drifted")
    forwards = Ledger.open().history("churn"), told()
    at("bootstrapped")
    for number in order:
        watch(number)
    history = sorted(Ledger.open().history("churn"), key=lambda o: o.window)
    assert (history, told()) == forwards


def test_a_what_if_version_changes_neither_status_nor_latch(at: At) -> None:
    at("registered")
    before = told()
    assert watch(10, version=2).verdict == "steady"
    assert told() == before
    assert [o.version for o in Ledger.open().history("churn")] == [1] * 5 + [2]


BROKEN = {
    "{date}.parquet": lambda: file(6).unlink(),
    "2026-01-06.parquet": lambda: file(6).write_bytes(file(6).read_bytes()[:2000]),
    "'z'": lambda: land(6, z=None),
    "'x'": lambda: land(6, x=[float("nan")] * 300),
    "by expect_column_values_to_be_between on column 'z'": lambda: land(6, z=[1.7e308] * 300),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_data_is_insufficient_by_name_and_the_next_windows_go_on(at: At, name: str) -> None:
    at("bootstrapped")
    BROKEN[name]()
    observed = watch(6)
    assert (observed.verdict, observed.pressure) == ("insufficient", None)
    assert name in observed.reason
    assert watch(7).verdict == "steady"
    land(6)
    assert watch(6).verdict == "steady"
    assert [w["verdict"] for w in told()["windows"]] == ["steady", "steady"]


def test_a_file_that_ends_its_reader_is_insufficient_by_name_and_the_same_each_time(at: At) -> None:
    at("bootstrapped")
    file(6).write_bytes(lethal(rows(6), nullable="x"))
    with apart.begun():
        observed = watch(6)
        assert (observed.verdict, observed.revision) == ("insufficient", 0)
        assert "2026-01-06.parquet cannot be read: it ends the process" in observed.reason
        assert watch(6) == observed
        assert watch(7).verdict == "steady"
        land(6)
        assert watch(6).verdict == "steady"


def test_scores_that_no_summary_can_take_make_their_window_insufficient_by_name(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("bootstrapped")
    # Features are bounded, and capped, so that few models pass it.
    monkeypatch.setattr(finite, "LARGEST", 15.0)
    columns = {name: rows(6)[name] for name in ("x", "z")}
    for values in columns.values():
        values[[3, 4]] = 99.0
    land(6, **columns)
    observed = watch(6)
    assert (observed.verdict, observed.figures["quarantined"]) == ("insufficient", 0)
    assert "version 1: the decision values of 2 row(s) are not finite, or bey" in observed.reason
    assert watch(7).verdict == "steady"


def test_a_single_huge_number_is_quarantined_and_its_window_judged(at: At) -> None:
    at("bootstrapped")
    z = rows(6)["z"]
    z[3] = 1e150
    land(6, z=z)
    observed = watch(6)
    assert (observed.verdict, observed.figures["quarantined"]) == ("steady", 1)


def test_a_window_that_is_missing_then_truncated_is_judged_anew(at: At) -> None:
    at("bootstrapped")
    whole = file(6).read_bytes()
    file(6).unlink()
    assert watch(6).revision == 0
    file(6).write_bytes(whole[:2000])
    assert [watch(6).revision for _ in range(2)] == [1, 1]


def test_rows_rewritten_after_validation_are_not_measured(at: At) -> None:
    at("bootstrapped")
    validated = monitor.validate(MODEL, window(6))
    land(6, x=rows(7)["x"])
    with pytest.raises(SourceChanged, match="validate"):
        measure(MODEL, window(6), validated)


@pytest.mark.parametrize("version", [None, 1])
def test_after_a_rollback_windows_meet_the_old_version_and_its_reference(
    at: At, version: int | None
) -> None:
    at("promoted")
    assert (read().champion, alias()) == (2, 2)
    assert watch(11).verdict == "steady"
    assert rollback.target(MODEL, version) == (2, 1)
    for _ in range(2):
        rollback.by_hand(MODEL, "rollback 1", version=version, by="ada", reason="complaints")
        rollback.promote_back(MODEL, "rollback 1")
    assert (read().champion, alias(), len(read().promotions)) == (1, 1, 3)
    observed = watch(12)
    assert (observed.version, observed.verdict) == (1, "drifting")
    assert watch(11).version == 2


def test_only_an_earlier_champion_can_be_rolled_back_to(at: At) -> None:
    at("registered")
    for version in (None, 1, 2, 99):
        with pytest.raises(RollbackError, match="earlier champions: none"):
            rollback.target(MODEL, version)


def test_no_value_of_a_row_reaches_a_report_or_brief(at: At) -> None:
    at("promoted")
    x, y = rows(11)["x"], rows(11)["y"]
    x[3], y[4] = OUTLIER, STRANGE
    land(11, x=x, y=y)
    assert watch(11).figures["quarantined"] == 2
    pages = [p for p in Path("store/reports").rglob("*") if p.is_file()]
    assert {"retrain.html", "promotion.html", "drift.svg"} <= {p.name for p in pages}
    text = "".join(p.read_text() for p in pages)
    seen = [MARKER, str(OUTLIER), str(STRANGE), *(f"{v:.6f}" for v in x)]
    assert [value for value in seen if value in text] == []


def test_a_window_in_flight_during_a_promotion_is_measured_with_the_new_champion(at: At) -> None:
    at("registered")
    begun = measure(MODEL, window(11), monitor.validate(MODEL, window(11)))
    promote(FIRST)
    assert begun.version == 1
    assert monitor.judge(MODEL, window(11), begun).version == 2
    assert read().observations[-1].window == window(11)


def test_what_a_broken_csv_holds_stays_out_of_the_reason(at: At) -> None:
    at("bootstrapped")
    csv = MODEL.source.model_copy(update={"path": "data/{date}.csv"})
    spec = MODEL.model_copy(update={"source": csv})
    good = "2026-01-06T00:00:00,1,0.5,0.5,1\n" * 40_000
    Path("data/2026-01-06.csv").write_text(f"time,id,x,z,y\n{good}2026-01-06,2,secret,0.5,1,1\n")
    problem = monitor.validate(spec, window(6)).problem
    assert "data/2026-01-06.csv cannot be read as csv: row 40,002 has 6 columns" in problem
    assert "secret" not in problem


def test_rows_outside_of_all_windows_are_told_and_telling_otherwise_is_a_new_revision(
    at: At,
) -> None:
    at("bootstrapped")
    kept = monitor.validate(MODEL, window(6))
    file = Path("data/2026-01-06.parquet")
    table = pq.read_table(file)

    def strange(count: int) -> None:
        times = pa.array([day(20)] * count, table.schema.field("time").type)
        more = table.slice(0, count).set_column(0, "time", times)
        pq.write_table(pa.concat_tables([table, more]), file)

    seen = []
    for count in (0, 2, 3):
        strange(count)
        seen.append(watch(6))
    assert [o.figures["warnings"] != [] for o in seen] == [False, True, True]
    assert seen[1].figures["warnings"][0].startswith("2 rows of ")
    assert [o.revision for o in seen] == [0, 1, 2]
    assert len({o.figures["accepted"] for o in seen}) == 1
    again = monitor.validate(MODEL, window(6))
    assert again.checked.data_digest == kept.checked.data_digest
    assert "2026-01-06.parquet are in no window" in Path(f"store/{again.report}").read_text()
