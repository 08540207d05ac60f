"""MLflow's aliases follow the ledger, whoever runs next and whatever somebody did by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.flows import rollback
from tasks.ledger.ledger import Ledger
from tasks.promotion import promotion, proposals
from tasks.registry import model_aliases, registry, tracking
from tasks.registry.tracking import RegistryRefused
from tests.support.flow import FIRST, MODEL, At, beginning, promote, watch


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def aliases() -> dict[str, int]:
    found = tracking.connect().get_registered_model("churn").aliases
    return {name: int(version) for name, version in found.items()}


def follow() -> None:
    promotion.follow(MODEL, Ledger.open())


def test_a_candidate_is_challenger_until_it_is_champion(at: At) -> None:
    at("registered")
    assert aliases() == {"champion": 1, "challenger": 2}
    promote(FIRST)
    assert aliases() == {"champion": 2, "previous": 1}
    tags = tracking.connect().get_model_version("churn", "2").tags
    assert (tags["gatelatch.promoted_by"], tags["gatelatch.promotion"]) == ("ada", "2")
    rollback.by_hand(MODEL, "back", version=1, by="otto", reason="worse")
    rollback.promote_back(MODEL, "back")
    assert aliases() == {"champion": 1, "previous": 2}


def test_a_withdrawn_candidate_is_challenger_no_more(at: At) -> None:
    at("registered")
    proposals.withdraw(MODEL, FIRST, "otto", "not today")
    follow()
    assert aliases() == {"champion": 1}


NEXT: dict[str, Callable[[], Any]] = {
    "the monitor": lambda: watch(11),
    "the retrain run": lambda: promotion.promote(MODEL, FIRST),
}


@pytest.mark.parametrize("who", NEXT)
def test_a_crash_between_ledger_and_alias_is_finished_by(
    who: str, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    at("registered")
    with monkeypatch.context() as patch:
        patch.setattr(model_aliases, "point", killed)
        with pytest.raises(KeyboardInterrupt):
            promote(FIRST)
    assert aliases() == {"champion": 1, "challenger": 2}
    NEXT[who]()
    assert aliases() == {"champion": 2, "previous": 1}
    assert tracking.connect().get_model_version("churn", "2").tags["gatelatch.promoted_by"] == "ada"


def test_nothing_to_follow_costs_one_request(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    at("promoted")
    client = tracking.connect()
    asked = []
    for name in [n for n in dir(client) if not n.startswith("_")]:
        real = getattr(client, name)
        if callable(real):
            monkeypatch.setattr(
                client, name, lambda *a, _n=name, _f=real, **k: (asked.append(_n), _f(*a, **k))[1]
            )
    follow()
    assert asked == ["get_registered_model"]


def test_an_alias_that_was_moved_by_hand_is_named_and_put_back(
    at: At, caplog: pytest.LogCaptureFixture
) -> None:
    at("registered")
    client = tracking.connect()
    client.set_registered_model_alias("churn", "champion", "2")
    watch(11)
    assert aliases()["champion"] == 1
    assert "the alias champion was moved to version 2 in MLflow by hand" in caplog.text
    assert "the ledger says version 1, so it was put back" in caplog.text


def test_a_champion_that_was_deleted_by_hand_is_named_with_the_way_out(
    at: At, caplog: pytest.LogCaptureFixture
) -> None:
    at("promoted")
    tracking.connect().delete_model_version("churn", "2")
    registry.load_version.cache_clear()
    with pytest.raises(
        RegistryRefused, match=r"churn version 2 cannot be fetched.*rollback\.churn"
    ):
        watch(11)
    follow()
    assert "churn version 2 (champion) was deleted in MLflow" in caplog.text
    assert rollback.target(MODEL, None) == (2, 1)
    rollback.by_hand(MODEL, "back", version=1, by="otto", reason="deleted")
    rollback.promote_back(MODEL, "back")
    assert aliases() == {"champion": 1}
    assert watch(11).version == 1
