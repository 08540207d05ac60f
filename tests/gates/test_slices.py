"""Slices: which there are, what they need to be judged, and that many refuse nobody good."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tasks.gates import slices
from tasks.gates.contest import Contest
from tasks.gates.gate_result import GateResult
from tasks.spec.gate_options import Gates
from tests.gates.test_declared_gates import scored

ROWS = 1000
SIDE = np.array(["north", "south"], dtype=object)[np.arange(ROWS) // 2 % 2]


def right(share: float, where: Any = True, seed: int = 0) -> Any:
    """Return labelled margins, of which a share is wrong somewhere."""
    wrong = (np.random.default_rng(seed).random(ROWS) < share) & where
    return np.where(wrong, -1.0, 1.0)


def judge(
    policy: dict[str, Any],
    candidate: Any,
    champion: Any = None,
    categorical: Any = None,
    columns: Any = None,
) -> dict[str | None, GateResult]:
    spec = Gates.model_validate({"slices": policy})
    theirs = None if champion is None else scored(champion)
    answers = Contest(candidate=scored(candidate), champion=theirs)
    found = slices.judge_slices(spec, answers, ("0", "1"), categorical or {}, columns or {}, seed=7)
    return {result.slice: result for result in found}


def test_classes_and_the_larger_values_of_categories_are_slices_by_themselves() -> None:
    plan = np.where(np.arange(ROWS) < 30, "rare", np.where(np.arange(ROWS) < 500, "a", "b"))
    found = judge({}, right(0.1), right(0.1), {"plan": plan})
    assert list(found) == ["class 0", "class 1", "plan b", "plan a", "plan, 1 other values"]
    assert {r.name for r in found.values()} == {"error_rate"}
    assert found["plan a"].rows == 470
    assert found["plan, 1 other values"].verdict == "not_judged"
    assert list(judge({"standard": False}, right(0.1), right(0.1), {"plan": plan})) == []


def test_a_slice_that_is_shown_to_be_worse_fails_though_all_rows_together_are_better() -> None:
    south = SIDE == "south"
    candidate, champion = right(0.3, south), right(0.5, ~south)
    found = judge({}, candidate, champion, {"side": SIDE})
    assert found["side south"].verdict == "failed"
    assert found["side north"].verdict == "passed"
    assert found["side south"].low is not None
    assert found["side south"].low > 0.1
    assert "shown to be worse by more than 0.1: interval" in found["side south"].reason


@pytest.mark.parametrize("bound", [0.1, 0.4])
def test_how_much_worse_is_accepted_is_said_in_the_spec(bound: float) -> None:
    south = SIDE == "south"
    policy = {"not_worse_by": bound}
    found = judge(policy, right(0.3, south), right(0.0), {"side": SIDE})
    assert found["side south"].passed is (bound == 0.4)


def test_below_the_least_rows_there_is_no_verdict_either_way() -> None:
    few = np.where(np.arange(ROWS) < 99, "few", "many")
    worse = np.where(few == "few", -1.0, 1.0)
    over = {"over": [{"column": "size", "values": ["few", "none"]}]}
    found = judge(over, worse, right(0), columns={"size": few})
    for name, rows in (("size few", 99), ("size none", 0)):
        assert found[name].verdict == "not_judged"
        assert found[name].passed
        assert found[name].reason == f"too few rows: {rows}, at least 100 for a verdict"
    found = judge({**over, "min_rows": 99}, worse, right(0), columns={"size": few})
    assert found["size few"].verdict == "failed"


def test_a_missing_column_is_a_failed_gate_that_names_it() -> None:
    found = judge({"over": [{"column": "region"}]}, right(0), right(0), columns={"side": SIDE})
    assert found["region"].verdict == "failed"
    assert found["region"].reason == (
        "cannot be computed: no column 'region' in the rows; add it to the source, or take it out "
        "of gates.slices.over"
    )
    assert found["class 0"].passed


def test_numbers_are_cut_at_edges_and_words_cannot_be() -> None:
    age = np.linspace(0, 99, ROWS)
    age[5] = np.nan
    over = {"over": [{"column": "age", "edges": [30, 60]}]}
    found = judge(over, right(0.1), right(0.1), columns={"age": age})
    counts = [found[f"age {n}"].rows for n in ("below 30", "30 to 60", "from 60")]
    assert sum(c or 0 for c in counts) == ROWS - 1
    found = judge(over, right(0.1), right(0.1), columns={"age": SIDE})
    assert found["age"].reason.endswith("'age' holds no numbers to cut at `edges`")


def test_values_that_few_rows_share_are_counted_and_never_named() -> None:
    customers = np.array([f"customer-{i // 2}" for i in range(ROWS)], dtype=object)
    over = {"over": [{"column": "customer"}]}
    found = judge(over, right(0.1), right(0.1), columns={"customer": customers})
    assert "customer, 500 other values" in found
    assert not any("customer-" in str(name) for name in found)


def test_numbers_and_gaps_are_values_too() -> None:
    region = np.where(np.arange(ROWS) % 4 == 0, None, np.arange(ROWS) % 2)
    over = {"over": [{"column": "region", "values": [0, 1]}, {"column": "region"}]}
    found = judge(over, right(0.1), right(0.1), columns={"region": region})
    assert {"region 0", "region 1", "region missing"} <= set(found)


def test_without_a_champion_slices_have_figures_and_no_verdict() -> None:
    found = judge({}, right(0.2))
    assert {r.verdict for r in found.values()} == {"not_judged"}
    assert found["class 0"].candidate == pytest.approx(0.2, abs=0.05)


def test_many_slices_seldom_refuse_a_candidate_that_is_as_good_as_allowed() -> None:
    refused = 0
    for seed in range(40):
        values = np.random.default_rng(seed).integers(0, 8, ROWS).astype(str)
        # Worse by as much as is accepted, everywhere: the hardest case.
        candidate, champion = right(0.2, seed=seed), right(0.1, seed=1000 + seed)
        found = judge({}, candidate, champion, {"value": values})
        assert len(found) == 10
        refused += any(not r.passed for r in found.values())
    assert refused <= 4  # 5 % of 40 rounds are 2; slices overlap, so it is fewer
    alone = {"confidence": 0.6}
    assert any(
        not judge(alone, right(0.3, seed=s), right(0.1, seed=99 + s))["class 0"].passed
        for s in range(9)
    )
