"""A spec's digest over releases: new options leave it as it is, a changed default does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel, Field, create_model

from tasks.ledger import evidence
from tasks.spec import form
from tasks.spec.approval_options import Approval
from tasks.spec.gate_options import Gates, SliceOver, SlicePolicy
from tasks.spec.model import ModelSpec
from tasks.spec.policy_options import Drift, Effect
from tests.conftest import CHURN
from tests.support.flow import MODEL
from tests.support.rows import proposal

RICH: dict[str, Any] = {
    **CHURN,
    "source": {"path": "rows/*.parquet", "time": "time", "key": "id", "weight": "w"},
    "label": {"column": "y", "classes": [0, 1], "source": {"path": "labels.csv"}},
    "expectations": [{"type": "expect_column_values_to_not_be_null", "column": "x"}],
    "gates": {"brier": {"at_most": 0.2}, "slices": {"over": [{"column": "region"}]}},
    "latch": {"rest": "14d"},
}


class Extra(BaseModel):
    size: int = 3
    kind: str = "plain"


def with_option(part: type[BaseModel], name: str, kind: Any, default: Any) -> Any:
    return create_model(part.__name__, __base__=part, **{name: (kind, default)})


def release(drift: Any = Drift, approval: Any = Approval, gates: Any = Gates, **own: Any) -> Any:
    """Return the spec of a later release, some of whose parts have an option more."""
    parts: dict[str, Any] = {
        "drift": (drift, drift()),
        "approval": (approval, approval()),
        "gates": (gates, Field(default_factory=gates.default)),
        **own,
    }
    return create_model("ModelSpec", __base__=ModelSpec, **parts)


SLICED = with_option(
    Gates,
    "slices",
    with_option(SlicePolicy, "over", tuple[with_option(SliceOver, "quantiles", int, 0), ...], ()),
    SlicePolicy(),
)
LATER = {
    "a number in a part": release(drift=with_option(Drift, "patience", int, 3)),
    "an optional part in a part": release(drift=with_option(Drift, "energy", Effect | None, None)),
    "a part of its own": release(deployment=(Extra, Extra())),
    "what decides": release(approval=with_option(Approval, "escalate", str, "never")),
    "an option of what stands in a list": release(gates=SLICED),
}


@pytest.mark.parametrize("raw", [CHURN, RICH, MODEL.model_dump(mode="json")])
@pytest.mark.parametrize("later", LATER.values(), ids=LATER)
def test_a_new_option_with_a_default_changes_no_digest_and_no_evidence(
    raw: dict[str, Any], later: Any
) -> None:
    before, after = ModelSpec.model_validate(raw), later.model_validate(raw)
    assert after.digest == before.digest
    shown = evidence.of_proposal(before, proposal())
    assert evidence.of_proposal(after, proposal()) == shown


@pytest.mark.parametrize(
    ("name", "used"),
    [
        ("a number in a part", {"drift": {"patience": 4}}),
        ("an optional part in a part", {"drift": {"energy": {"effect": 0.2}}}),
        ("a part of its own", {"deployment": {"size": 4}}),
        ("what decides", {"approval": {"escalate": "always"}}),
        (
            "an option of what stands in a list",
            {"gates": {"slices": {"over": [{"column": "region", "quantiles": 4}]}}},
        ),
    ],
)
def test_a_new_option_that_is_used_changes_the_digest(name: str, used: dict[str, Any]) -> None:
    before = LATER[name].model_validate(CHURN).digest
    assert LATER[name].model_validate({**CHURN, **used}).digest != before


def test_an_option_more_in_a_new_part_changes_no_digest_of_who_uses_the_part() -> None:
    more = with_option(Extra, "colour", str, "none")
    used = {**CHURN, "deployment": {"size": 4}}
    first, second = (release(deployment=(kind, kind())) for kind in (Extra, more))
    assert second.model_validate(used).digest == first.model_validate(used).digest


def test_a_default_that_changes_later_changes_the_digest_of_who_left_the_option_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changed = release(drift=with_option(Drift, "blind_at", float, 4.0))
    assert changed.model_validate(CHURN).digest != ModelSpec.model_validate(CHURN).digest
    monkeypatch.setattr(form, "ADDED", {"drift.patience": 3})
    came, later = (release(drift=with_option(Drift, "patience", int, d)) for d in (3, 5))
    assert came.model_validate(CHURN).digest == ModelSpec.model_validate(CHURN).digest
    assert later.model_validate(CHURN).digest != came.model_validate(CHURN).digest


@pytest.mark.parametrize(
    ("raw", "digest"),
    [
        (CHURN, "49aa08a5cd21"),
        (RICH, "8823d0025f48"),
        (MODEL.model_dump(mode="json"), "034f5f31d9eb"),  # as in tests/upgrade
    ],
)
def test_the_digest_is_that_of_release_0_1(raw: dict[str, Any], digest: str) -> None:
    assert ModelSpec.model_validate(raw).digest == digest


def options(part: type[BaseModel], path: str = "") -> Iterator[tuple[str, bool]]:
    """Yield the path of every option, and whether it must be given."""
    for name, option in part.model_fields.items():
        here = f"{path}.{name}".lstrip(".")
        yield here, option.is_required()
        for inner in parts(option.annotation):
            yield from options(inner, here)


def parts(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for inner in get_args(kind):
        yield from parts(inner)


def test_every_option_is_of_release_0_1_or_listed_with_the_default_that_it_came_with() -> None:
    now = dict(options(ModelSpec))
    told = "write it into ADDED of tasks/spec/form.py with its default: {}"
    optional = {path for path, required in now.items() if not required}
    missing = sorted(optional - form.FIRST_OPTIONS - form.ADDED.keys())
    assert not missing, told.format(missing)
    assert now.keys() >= form.FIRST_OPTIONS, (
        "an option of release 0.1 is gone, so every digest changes"
    )
