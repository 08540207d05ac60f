"""Windows measured under several versions: in shadow, and of versions that serve a share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.flows import monitor
from tasks.flows.measure import measure
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Observation
from tasks.spec.model import ModelSpec
from tests.support.flow import MODEL, At, beginning, land, told, window

SHADOWED = ModelSpec.model_validate({**MODEL.model_dump(mode="json"), "shadow": {"windows": 2}})
LOGGED = ModelSpec.model_validate(
    {
        **MODEL.model_dump(mode="json"),
        "source": {**MODEL.source.model_dump(mode="json"), "version_column": "scored_by"},
    }
)
BY_TWO = 60  # of the 300 rows of a day, in `share`


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def watch(spec: ModelSpec, number: int, version: int | None = None) -> Observation:
    validated = monitor.validate(spec, window(number), version=version)
    return monitor.judge(spec, window(number), measure(spec, window(number), validated))


def share(number: int, count: int = BY_TWO) -> None:
    """Land a day of which version 2 scored the last rows, and version 1 the others."""
    land(number, scored_by=["v1"] * (300 - count) + ["2"] * count)


def observed() -> list[Observation]:
    return sorted(Ledger.open().history("churn"), key=lambda o: (o.window, o.version))


def test_a_candidate_in_shadow_is_observed_beside_the_champion_and_changes_no_state(
    at: At,
) -> None:
    at("registered")
    seen = watch(SHADOWED, 11)
    assert (seen.version, seen.verdict) == (1, "drifting")
    beside = observed()[-1]
    assert (beside.version, beside.verdict, beside.window) == (2, "steady", window(11))
    assert beside.data_digest == seen.data_digest
    assert [w["version"] for w in told()["windows"]] == [1] * 6
    assert beside.figures["hinge_loss"] < seen.figures["hinge_loss"]


def test_shadow_windows_come_after_the_training_rows(at: At) -> None:
    at("registered")
    watch(SHADOWED, 10)
    assert 2 not in {o.version for o in observed()}


def test_what_a_shadow_observed_is_what_the_what_if_says(at: At) -> None:
    at("registered")
    watch(SHADOWED, 11)
    shadow = observed()[-1]
    assert watch(SHADOWED, 11, version=2) == shadow
    assert watch(SHADOWED, 11, version=1) == observed()[-2]


def test_both_versions_are_measured_in_one_pass_over_the_rows(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("registered")
    validated = monitor.validate(SHADOWED, window(11))
    reads: list[Any] = []
    from tasks.validation import checked_rows

    read = checked_rows.batches
    monkeypatch.setattr(checked_rows, "batches", lambda *a, **k: reads.append(a) or read(*a, **k))
    measure(SHADOWED, window(11), validated)
    assert len(reads) == 1


@pytest.mark.parametrize("order", [[12, 11], [11, 12, 11, 12]], ids=["backwards", "twice"])
def test_the_order_of_shadow_windows_leaves_no_trace(at: At, order: list[int]) -> None:
    at("registered")
    for number in (11, 12):
        watch(SHADOWED, number)
    forwards = observed()
    at_once = told()
    at("registered")
    for number in order:
        watch(SHADOWED, number)
    assert (observed(), told()) == (forwards, at_once)


def test_each_version_is_measured_on_the_rows_that_it_scored(at: At) -> None:
    at("promoted")
    share(11)
    seen = watch(LOGGED, 11)
    (other,) = (o for o in observed() if o.window == window(11) and o.version == 1)
    assert (seen.version, seen.figures["accepted"]) == (2, BY_TWO)
    assert (other.figures["accepted"], other.verdict) == (300 - BY_TWO, "drifting")
    assert seen.figures["scored_by"] == {
        "versions": {"1": 300 - BY_TWO, "2": BY_TWO},
        "others": 0,
        "none": 0,
    }
    assert [w["version"] for w in told()["windows"]][-1] == 2


def test_a_share_too_small_to_be_measured_is_measured_on_the_champions_rows(at: At) -> None:
    at("promoted")
    share(11, 260)  # version 1 scored 40, and min_rows is 50
    watch(LOGGED, 11)
    seen = [(o.version, o.figures["accepted"]) for o in observed() if o.window == window(11)]
    assert seen == [(1, 260), (2, 260)]


def test_a_champion_that_scored_no_row_is_insufficient_by_name(at: At) -> None:
    at("promoted")
    share(11, 0)
    seen = watch(LOGGED, 11)
    assert (seen.version, seen.verdict) == (2, "insufficient")
    assert "none of the 300 accepted rows was scored by version 2" in seen.reason
    assert "roll it back" in seen.reason


def test_rows_of_unknown_versions_are_counted_and_named_but_not_measured(at: At) -> None:
    at("promoted")
    by = ["2"] * 200 + ["9"] * 60 + [None] * 30 + ["canary"] * 10
    land(11, scored_by=by)
    validated = monitor.validate(LOGGED, window(11))
    assert validated.remark == (
        "rows were scored 60 by version 9, unknown to the ledger; 40 rows name no version: "
        "they are not measured"
    )
    measured = measure(LOGGED, window(11), validated)
    assert monitor.judge(LOGGED, window(11), measured).figures["accepted"] == 200
    assert [o.version for o in observed() if o.window == window(11)] == [1, 2]


@pytest.mark.parametrize("order", [[12, 11], [12, 11, 12]], ids=["backwards", "twice"])
def test_the_order_of_windows_with_a_canary_leaves_no_trace(at: At, order: list[int]) -> None:
    at("promoted")
    for number in (11, 12):
        share(number)
        watch(LOGGED, number)
    forwards = observed(), told()
    at("promoted")
    for number in (11, 12):
        share(number)
    for number in order:
        watch(LOGGED, number)
    assert (observed(), told()) == forwards


def test_a_version_column_that_the_source_lacks_is_named(at: At) -> None:
    at("promoted")
    seen = watch(LOGGED, 11)
    assert (seen.verdict, "'scored_by'" in seen.reason) == ("insufficient", True)


def test_the_summary_of_many_batches_is_that_of_one(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("promoted")
    share(11)
    whole = measure(LOGGED, window(11), monitor.validate(LOGGED, window(11)))
    from tasks import store
    from tasks.validation import checked_rows

    before = [store.read_bytes(v.summary) for v in (whole, *whole.beside)]
    split = checked_rows.accepted

    def small(*given: Any) -> Any:
        for batch in split(*given):
            yield from (batch.slice(first, 7) for first in range(0, batch.num_rows, 7))

    monkeypatch.setattr("tasks.flows.measure.accepted", small)
    parts = measure(LOGGED, window(11), monitor.validate(LOGGED, window(11)))
    import json

    for one, path in zip(before, (parts, *parts.beside), strict=True):
        ours, theirs = json.loads(one), json.loads(store.read_bytes(path.summary))
        assert ours["scores"]["counts"] == theirs["scores"]["counts"]
        assert np.isclose(ours["losses"]["hinge"], theirs["losses"]["hinge"])
