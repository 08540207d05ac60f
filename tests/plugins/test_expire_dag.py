"""The DAG that carries out the retention policies, in a real Airflow of its own."""

from __future__ import annotations

from pathlib import Path

import yaml

from tasks import store
from tasks.audit import verification
from tasks.ledger.ledger import Ledger
from tasks.ledger.thinning import EXPIRED
from tests.conftest import CHURN
from tests.flows.test_expire import past as past
from tests.flows.test_expire import window
from tests.support.in_airflow import RUN, dags_of, python, three_dags

EXPIRE = "gatelatch.expire"


def test_it_carries_out_every_policy_and_records_it(past: Ledger, tmp_path: Path) -> None:
    for number in range(40, 100):
        past.observe(window(number))
    models = tmp_path / "models"
    (models / "kept.yaml").write_text(yaml.safe_dump({**CHURN, "model": "kept"}))
    told = python(tmp_path, models, RUN, dag=EXPIRE, conf={})
    assert "STATE success" in told, told[-3000:]
    # All but the newest 64 windows, which are held back, and of the files what those leave.
    assert sum(EXPIRED in seen.figures for seen in past.history("churn")) == 36
    assert len(store.files_below("quarantine/churn")) < 40
    verification.require(past, "churn", whole=True)


def test_without_a_policy_in_any_spec_there_is_no_such_dag(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for retention in (None, {"figures": "20d"}):
        parts = {} if retention is None else {"retention": retention}
        (models / "churn.yaml").write_text(yaml.safe_dump({**CHURN, **parts}))
        dags, errors = dags_of(tmp_path, models)
        assert errors == {}
        assert set(dags) == three_dags("churn") | ({EXPIRE} if retention else set())
