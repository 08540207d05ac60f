"""What several tests of labels share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.spec.model import ModelSpec
from tests.support.labelled import Spec


@pytest.fixture
def late(spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spec:
    """Return a spec of rows in `r` and labels in `labels/`; keywords are parts of `label`."""
    monkeypatch.chdir(tmp_path)

    def make(classes: list[Any] | None = None, delay: str = "0d", **source: Any) -> ModelSpec:
        place = {"path": "labels/*"} if "table" not in source else {}
        label = {"classes": classes or [0, 1], "delay": delay, "source": {**place, **source}}
        return spec(source={"path": "r"}, label=label)

    return make
