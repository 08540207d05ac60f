"""An MLflow that nobody answers for: every step fails within seconds, and goes on afterwards."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.audit.verified_model import model_of
from tasks.flows import asking, retrain, rollback
from tasks.ledger.ledger import Ledger
from tasks.promotion import decisions, promotion
from tasks.registry import registry, tracking
from tasks.registry.tracking import RegistryUnreachable
from tests.support.flow import FIRST, MODEL, At, alias, answer, beginning, propose, read, watch

SECONDS = 20  # MLflow's own patience is several minutes


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


@pytest.fixture
def hanging() -> Iterator[int]:
    """Return a port where somebody accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


def unreachable(patch: pytest.MonkeyPatch, uri: str) -> None:
    patch.setenv("MLFLOW_TRACKING_URI", uri)
    tracking.connect.cache_clear()
    registry.load_version.cache_clear()


@pytest.mark.parametrize("scheme", ["http://127.0.0.1", "postgresql+psycopg2://u@127.0.0.1"])
@pytest.mark.parametrize("how", ["dead", "hanging"])
def test_a_registry_that_does_not_answer_is_an_error_within_seconds(
    scheme: str, how: str, hanging: int, stores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreachable(monkeypatch, f"{scheme}:{hanging if how == 'hanging' else 9}/mlflow")
    for ask in (lambda: registry.load_version("churn", 1, "digest"), tracking.prepare_store):
        began = time.monotonic()
        with pytest.raises(RegistryUnreachable, match="MLflow does not answer"):
            ask()
        assert time.monotonic() - began < SECONDS


def test_every_step_without_a_registry_leaves_nothing_half_done_and_resumes(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("drifted")
    propose()
    decisions.decide(MODEL, FIRST, "retrain", answer())

    def step(act: Callable[[], Any]) -> Any:
        """Try the step without a registry, then with it."""
        before = read()
        with monkeypatch.context() as patch:
            unreachable(patch, "http://127.0.0.1:9")
            began = time.monotonic()
            with pytest.raises(RegistryUnreachable, match="MLflow does not answer"):
                act()
            assert time.monotonic() - began < SECONDS
            tracking.connect.cache_clear()
        assert read() == before
        return act()

    run = step(lambda: retrain.train(MODEL, FIRST))["candidate_run"]
    step(lambda: retrain.calibrate(MODEL, FIRST, run))
    assert step(lambda: retrain.gate(MODEL, FIRST, run))["passed"]
    step(lambda: retrain.register(MODEL, FIRST, run))
    step(lambda: watch(11))
    asking.to_promote(MODEL, FIRST, "/dags/here")
    decisions.decide(MODEL, FIRST, "promote", answer())
    assert alias() == 1
    step(lambda: model_of(MODEL, Ledger.open(), 2))
    # Without the heads that MLflow keeps the ledger is not verified, and nothing is promoted on it.
    assert step(lambda: promotion.promote(MODEL, FIRST)).version == 2
    watch(13)
    assert alias() == 2
    step(lambda: rollback.target(MODEL, None))
