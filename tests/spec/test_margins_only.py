"""What the spec of a model says that never comes here."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tasks.spec.model import ModelSpec
from tests.support.flow import SPEC
from tests.support.logged import RAW


def without(part: str, name: str) -> dict[str, Any]:
    return {part: {key: value for key, value in RAW[part].items() if key != name}}


def test_features_may_be_left_out_and_stay_left_out() -> None:
    spec = ModelSpec.model_validate(RAW)
    assert spec.features.columns == ()
    for again in (spec.model_dump(), spec.model_dump(mode="json", exclude_none=True)):
        assert ModelSpec.model_validate(again) == spec
    named = ModelSpec.model_validate(RAW | {"features": {"numeric": ["x"]}})
    assert named.features.columns == ("x",)
    assert named.digest != spec.digest
    assert {"score", "served_by"} <= set(spec.needed_columns)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (without("source", "margin"), "name in source.margin the column"),
        (without("source", "version_column"), "name in source.version_column the column"),
        ({"label": {"column": "y", "classes": [0, 1, 2]}}, "two classes"),
        ({"scoring": {"path": "scores"}}, "scoring needs the model here"),
        ({"shadow": {"windows": 2}}, "shadow.windows needs the model here"),
        ({"review": {"prefer": "conflicting"}}, "review.prefer: conflicting needs contributions"),
        ({"training": RAW["training"] | {"dag": "retrain.churn"}}, "is a DAG of this model"),
        ({"training": RAW["training"] | {"dag": "no dag"}}, "pattern"),
    ],
)
def test_what_a_model_that_is_not_here_lacks_is_named(parts: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ModelSpec.model_validate(RAW | parts)


def test_a_model_that_is_trained_here_has_features_and_no_dag_of_its_owner() -> None:
    with pytest.raises(ValidationError, match="name at least one feature column"):
        ModelSpec.model_validate(SPEC | {"features": {}})
    with pytest.raises(ValidationError, match=r"training\.dag is for a model that its owner"):
        ModelSpec.model_validate(SPEC | {"training": {"window": "2d", "dag": "theirs"}})
    theirs = {"window": "2d", "dag": "theirs", "estimator": "external"}
    assert ModelSpec.model_validate(SPEC | {"training": theirs}).training.dag == "theirs"
