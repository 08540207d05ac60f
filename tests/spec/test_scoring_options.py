"""What a spec says about scoring, and what follows from it for the columns of its source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tasks.spec import form
from tasks.spec.model import ModelSpec

Spec = Callable[..., ModelSpec]
WRITES = {"path": "scores"}
TABLE = {"table": "lake.scores", "database": "DB"}
WIRED = {"version_column": "v"}


def canary(**options: Any) -> dict[str, Any]:
    return {"scoring": {**WRITES, "canary": options}, "source": WIRED}


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"scoring": {"path": "scores", "on": ["landing"]}}, "source.asset is left out"),
        ({"scoring": {"path": "scores", "on": []}}, "at least 1 item"),
        ({"scoring": {"path": "scores", "on": ["daily"]}}, "scoring.on.0"),
        ({"scoring": WRITES, "source": {"margin": "x"}}, "column 'x' is what `scoring` writes"),
        ({"scoring": WRITES, "source": {"version_column": "y"}}, "column 'y' is what `scoring`"),
        ({"scoring": WRITES, "source": {"key": "decision"}}, "two columns 'decision'"),
        ({"scoring": WRITES, "source": {"margin": "probability"}}, "two columns 'probability'"),
        ({"scoring": {}}, "write either `path` (Parquet files) or `table` (SQL)"),
        ({"scoring": {**WRITES, **TABLE}}, "write either `path` (Parquet files) or `table` (SQL)"),
        ({"scoring": {"table": "scores"}}, "`table` and `database` go together"),
        ({"scoring": {**WRITES, "database": "DB"}}, "`table` and `database` go together"),
        ({"scoring": {**TABLE, "table": "lake." + 51 * "s"}}, "longer than 50 characters"),
        ({"scoring": TABLE, "source": {"key": "promotion"}}, "two columns 'promotion'"),
        ({**canary(share=0.1), "source": {}}, "source.version_column is left out"),
        (canary(share=1), "1 is where each canary ends by itself; leave it out"),
        (canary(ramp=[0.1, 1.0]), "1 is where each canary ends by itself; leave it out"),
        (canary(share=0), "write a share between 0 and 1, such as 0.1"),
        (canary(share=-0.1), "write a share between 0 and 1, such as 0.1"),
        (canary(share=1.5), "write a share between 0 and 1, such as 0.1"),
        (canary(share=float("nan")), "finite number"),
        (canary(ramp=[0.5, 0.5]), "goes from 0.5 to 0.5; write shares that rise"),
        (canary(ramp=[0.5, 0.1]), "goes from 0.5 to 0.1; write shares that rise"),
        (canary(), "write either `share`"),
        (canary(share=0.1, ramp=[0.1]), "write either `share`"),
        (canary(share=0.1, windows=0), "greater than or equal to 1"),
        (canary(share=0.1, windows=1), "less than latch.open.breaches 2"),
    ],
)
def test_a_scoring_that_cannot_be_is_named(spec: Spec, parts: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match="validation error") as said:
        spec(**parts)
    assert why in str(said.value)


def test_the_scores_take_the_names_that_the_source_gives_them(spec: Spec) -> None:
    plain = spec(scoring=WRITES)
    assert plain.score_columns == ("margin", "probability", "decision", "model_version")
    assert plain.joined_scores == ()
    wired = spec(scoring=WRITES, source={"margin": "f", "version_column": "v"})
    assert wired.score_columns == ("f", "probability", "decision", "v")
    assert wired.joined_scores == ("f", "v")


def test_rows_are_trained_on_before_they_are_scored(spec: Spec) -> None:
    wired = spec(scoring=WRITES, source={"margin": "f", "version_column": "v"})
    assert {"f", "v"} <= set(wired.columns)
    assert not {"f", "v"} & set(wired.unscored.columns)
    logged = spec(source={"margin": "f"})
    assert logged.unscored is logged  # what production logged stands in the rows themselves


def test_a_spec_without_scoring_keeps_its_digest(spec: Spec) -> None:
    assert spec().digest == spec(scoring=None).digest != spec(scoring=WRITES).digest
    assert spec(scoring=WRITES).digest == spec(scoring={**WRITES, "on": ["window"]}).digest


def test_scores_go_to_files_or_to_a_table_and_a_spec_of_files_keeps_its_digest(spec: Spec) -> None:
    files, table = spec(scoring=WRITES).scoring, spec(scoring=TABLE).scoring
    assert files is not None
    assert table is not None
    assert (files.kind, table.kind) == ("path", "table")
    assert str(table.place) == "table lake.scores"
    assert spec(scoring=TABLE).digest != spec(scoring=WRITES).digest
    assert form.canonical(spec(scoring=WRITES))["scoring"] == WRITES


def test_a_canary_has_its_share_or_its_ramp_as_steps(spec: Spec) -> None:
    def steps(**options: Any) -> tuple[float, ...]:
        scoring = spec(**canary(**options)).scoring
        assert scoring is not None
        assert scoring.canary is not None
        return scoring.canary.steps

    assert steps(share=0.1) == (0.1,)
    assert steps(ramp=[0.1, 0.5]) == (0.1, 0.5)


def test_a_spec_without_a_canary_keeps_its_digest(spec: Spec) -> None:
    plain = spec(scoring=WRITES, source=WIRED)
    assert plain.digest == spec(scoring={**WRITES, "canary": None}, source=WIRED).digest
    assert plain.digest != spec(**canary(share=0.1)).digest
