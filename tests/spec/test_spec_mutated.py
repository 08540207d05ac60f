"""Thousands of mutated specs beside a healthy one: none of them costs it its DAGs."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from tasks import bounds
from tasks.spec import spec_files
from tasks.spec.part import SpecError
from tests.conftest import CHURN
from tests.support.in_airflow import dags_of, three_dags
from tests.support.mutated import mutations


@pytest.mark.parametrize("seed", range(4))
def test_a_mutated_spec_is_usable_or_a_mistake_and_the_healthy_one_is_there(
    folder: Path, seed: int
) -> None:
    bad = folder / "bad.yaml"
    slowest = 0.0
    for content in mutations(seed, 500):
        bad.write_bytes(content)
        began = time.process_time()
        specs, mistakes = spec_files.load_all()
        slowest = max(slowest, time.process_time() - began)
        assert "churn" in [spec.model for spec in specs], content
        if len(specs) == 2:
            assert mistakes == []
            continue
        (told,) = mistakes
        assert told.startswith(f"{bad}: "), told
        assert len(told) < 10_000, told
        assert bounds.NOT_IN_PROSE.search(told) is None, told
        assert "cannot be used (" not in told, (told, content)  # foreseen, and said as such
    assert slowest < 5  # seconds of a processor, for what takes a millisecond


def test_of_what_is_usable_airflow_makes_all_dags(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Mutated ones, and those that say the most or the least that the bounds let pass."""
    bad, usable = folder / "bad.yaml", {}
    extremes = [
        {"window": {"every": every, "start": start, "timezone": zone, "grace": grace}}
        for every, start, zone, grace in [
            ("1m", "1700-01-01", "UTC", "36525d"),
            ("36525d", "1700-01-02", "Pacific/Kiritimati", "0d"),
            ("36525d", "2199-12-31", "Pacific/Pago_Pago", "36525d"),
            ("7d", "1883-11-18T12:03:58", "America/New_York", "1m"),
            ("1d", "2011-12-30", "Pacific/Apia", "0d"),
        ]
    ]
    extremes += [
        {"approval": {"timeout": "36525d"}, "training": {"window": "36525d", "seed": 2**32 - 1}},
        {"latch": {"open": {"breaches": 10_000, "of": 10_000}, "rest": "36525d"}},
        {"owner": {"name": "{{ 1/0 }} {% raw %}", "approvers": ["a" * 250]}},
        {"features": {"numeric": [f"column {n} {'é' * 200}" for n in range(120)]}},
    ]
    texts = [yaml.safe_dump({**CHURN, "model": "bad", **parts}).encode() for parts in extremes]
    for content in [*texts, *mutations(99, 200)]:
        bad.write_bytes(content)
        with suppress(SpecError):
            spec = spec_files.load_spec(bad)
            usable[spec.digest] = spec
        assert len(usable) == len(texts) or content not in texts[-1:]  # none of them is refused
    bad.unlink()
    chosen = list(usable.values())[:16]
    scoring = {f"score.bad{number}" for number, spec in enumerate(chosen) if spec.scoring}
    assert len(chosen) == 16
    for number, spec in enumerate(chosen):
        named = spec.model_dump(mode="json", exclude_none=True) | {"model": f"bad{number}"}
        (folder / f"bad{number}.yaml").write_text(yaml.safe_dump(named))
    dags, errors = dags_of(tmp_path_factory.mktemp("home"), folder)
    assert errors == {}
    models = ["churn", *(f"bad{number}" for number in range(len(chosen)))]
    assert set(dags) == scoring.union(*map(three_dags, models))
