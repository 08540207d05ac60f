"""A stack of one model for `python -m tasks doctor`, and what is found in it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.doctor.checkups import CHECKUPS
from tasks.doctor.examination import Examined, examine
from tasks.doctor.patient import Patient
from tasks.ledger.ledger import Ledger
from tests.support import flow
from tests.support.terminal import run

# Of a stack without an address of Airflow, which no test here starts.
AWAY = {("airflow", "unseen"), ("DAG files", "unseen")}


ENDED = {**flow.SPEC, "window": {**flow.SPEC["window"], "end": "2026-01-11"}}


Break = Callable[["Stack"], object]


@dataclass(frozen=True)
class Stack:
    """A stack of one model with a champion and windows, in a folder of its own."""

    folder: Path
    patch: pytest.MonkeyPatch

    def write_spec(self, **parts: Any) -> None:
        (self.folder / "models/churn.yaml").write_text(yaml.safe_dump({**ENDED, **parts}))

    def set(self, name: str, value: object) -> None:
        self.patch.setenv(name, str(value))

    @property
    def ledger(self) -> Ledger:
        return Ledger.open()

    def ledger_path(self) -> Path:
        return self.folder / "ledger.db"


def examined(*words: str, code: int = 1) -> list[dict[str, Any]]:
    result = run("doctor", "--json", *words)
    assert result.exit_code == code, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)["checks"]
    assert json.loads(result.stdout)["ill"] is bool(code)
    return found


def unwell(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what was looked at and is not well."""
    return [
        f
        for f in found
        if f["state"] != "well"
        and (f["check"], f["state"]) not in AWAY
        and "not looked at" not in f["finding"]
    ]


def examined_at(moment: datetime) -> dict[str, Examined]:
    """Return what is found where the clock shows another time."""
    with Patient(None, dict(os.environ), lambda: moment) as patient:
        return {one.name: one for one in examine(CHECKUPS, patient)}
