"""What a retention policy takes away, what is held back from it, and what people then read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from tasks import store
from tasks.__main__ import app
from tasks.audit import verification
from tasks.flows.expire import held_since
from tasks.ledger import kept_fold, status
from tasks.ledger.chain import LedgerRefused
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Observation
from tasks.registry import tracking
from tasks.spec.model import ModelSpec
from tasks.views.board import material
from tests.conftest import CHURN
from tests.support.forging import as_owner, version
from tests.support.rows import observation, proposal

START = datetime(2026, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
KEEPS = {"figures": "20d", "quarantine": "10d", "summaries": "15d", "review": "5d"}


def window(number: int, **parts: Any) -> Observation:
    start = START + number * DAY
    figures = {
        "accepted": 300,
        "labelled": 300,
        "features": [{"feature": "x", "shift": 0.1, "spread": 1.0}],
        "report": "reports/churn/validation-1.html",
    }
    return observation(window_start=start, window_end=start + DAY, **{"figures": figures, **parts})


@pytest.fixture
def past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Return a ledger of forty windows with their files, of a spec with a retention."""
    monkeypatch.setenv("GATELATCH_LEDGER", f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.setenv("GATELATCH_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("GATELATCH_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(kept_fold, "NEWEST_READ", 8)
    tracking.connect.cache_clear()  # another test's MLflow knows other versions of churn
    (tmp_path / "models").mkdir()
    (tmp_path / "models/churn.yaml").write_text(yaml.safe_dump({**CHURN, "retention": KEEPS}))
    ledger = Ledger.open()
    version(ledger, 1)
    for number in range(40):
        seen = ledger.observe(window(number))
        store.write(f"quarantine/churn/{seen.window.name}/abc-0.parquet", "rows")
        store.write(f"review/churn/{seen.window.name}/v1-abc.json", "{}")
        store.write(f"summaries/churn/v1/{seen.window.name}-spec-data.json", "{}")
    return ledger


def spec(**parts: Any) -> ModelSpec:
    return ModelSpec.model_validate({**CHURN, "retention": KEEPS, **parts})


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_the_policy_is_carried_out_recorded_and_told(past: Ledger) -> None:
    before = status.read(spec(), past)
    tried = run("expire", "churn", "--dry-run")
    assert tried.exit_code == 0, tried.output
    assert "20 windows' figures up to 2026-01-29 would be thinned" in tried.output
    assert past.trail("churn").head == past.trail("churn").links[-1].digest
    assert len(store.files_below("quarantine/churn")) == 40

    done = run("expire", "--all", "--by", "ada")
    assert done.exit_code == 0, done.output
    assert "20 windows' figures up to 2026-01-29 thinned (retention.figures: 20d)" in done.output
    assert "30 files of quarantine up to 2026-02-08 removed" in done.output
    assert len(store.files_below("quarantine/churn")) == 10
    assert len(store.files_below("summaries/churn")) == 15
    assert len(store.files_below("review/churn")) == 8  # the newest eight are held back
    verification.require(past, "churn", whole=True)
    after = status.read(spec(), past)
    assert (after.history, after.due) == (before.history, before.due)

    audited = run("audit", "churn", "--verify", "--wide").output
    assert "figures of windows thinned up to 2026-01-29: 20" in audited
    assert "quarantine removed up to 2026-02-08: 30" in audited
    old = after.observations[0]
    assert (old.numbers.gone or "").endswith("(retention.figures: 20d)")
    assert material(after, old).missing == old.numbers.gone
    assert "0 windows' figures" in run("expire", "churn").output


def test_nothing_expires_without_a_policy(past: Ledger, tmp_path: Path) -> None:
    (tmp_path / "models/churn.yaml").write_text(yaml.safe_dump(CHURN))
    head = past.trail("churn").head
    assert "everything is kept; set `retention`" in run("expire", "churn").output
    assert past.trail("churn").head == head


def test_a_retention_changes_no_digest() -> None:
    assert spec().digest == ModelSpec.model_validate(CHURN).digest


def test_an_altered_ledger_is_refused_and_nothing_is_thinned(past: Ledger) -> None:
    with as_owner(past) as link:
        link.exec_driver_sql("update observations set pressure = 0.2 where id = 3")
    done = run("expire", "churn")
    assert done.exit_code == 1
    assert LedgerRefused.__name__ not in done.output
    assert "is not as it was recorded" in done.output
    assert all("features" in o.figures for o in past.history("churn"))


def held(past: Ledger, **parts: Any) -> int:
    """Return the number of the first window that is held back."""
    return (held_since(status.read(spec(**parts), past)) - START) // DAY


def test_what_decisions_may_need_is_held_back(past: Ledger) -> None:
    assert held(past) == 32  # the newest eight
    assert held(past, slo={"window": 12}) == 28
    assert held(past, label={**CHURN["label"], "delay": "4d"}) == 19  # five times four days
    served = {**CHURN["source"], "version_column": "version"}
    assert held(past, source=served) == 0  # both versions may serve since the promotion
    since = START + 10 * DAY
    past.propose(proposal("mine", trained_from=since, trained_until=since + 9 * DAY))
    assert held(past) == 0  # and its candidate is compared since then


def test_an_open_episode_is_held_back(past: Ledger) -> None:
    for number in range(40, 60):
        past.observe(window(number, verdict="drifting", pressure=2.0))
    assert status.read(spec(), past).latch.state == "open"
    assert held(past) <= 40
