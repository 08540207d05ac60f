"""What a spec says about scoring, and what follows from it for the columns of its source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tasks.spec.model import ModelSpec

Spec = Callable[..., ModelSpec]
WRITES = {"path": "scores"}


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
