"""A place with a model, a ledger and channels, in which people are asked and told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.ledger.ledger import Ledger
from tasks.notices.channels import channels_of_file
from tasks.notices.sender import Looked, send_due
from tasks.spec import spec_files
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN
from tests.support import forging
from tests.support.rows import proposal
from tests.support.stood import at, seen

AIRFLOW = "https://airflow.example"


@dataclass
class Asked:
    """The folder of it all, and the ledger."""

    folder: Path
    ledger: Ledger

    @property
    def spec(self) -> ModelSpec:
        return spec_files.find("churn")

    def ask(self, name: str = "next", step: str = "retrain", model: str = "churn") -> None:
        """Propose, and put the question to people."""
        self.ledger.propose(proposal(name, model=model))
        forging.ask(self.ledger, name, step, model)

    def observe(self, *pressures: float | None, last: int | None = None) -> None:
        """Observe a window for each pressure; the last one is the newest there is by now."""
        newest = (datetime.now(UTC) - at(1)).days if last is None else last
        for number, pressure in enumerate(pressures, newest - len(pressures) + 1):
            self.ledger.observe(seen(number, pressure))

    def look(self, now: datetime | None = None, **parts: Any) -> Looked:
        """Send what is due."""
        channels = channels_of_file()
        assert channels is not None
        specs = spec_files.load_all()[0]
        return send_due(specs, channels, now or datetime.now(UTC), AIRFLOW, **parts)

    def name_channels(self, urls: Mapping[str, str]) -> None:
        (self.folder / "channels.yaml").write_text(yaml.safe_dump(dict(urls), sort_keys=False))

    def write_spec(self, model: str = "churn", **parts: Any) -> None:
        written = {**CHURN, "model": model, **parts}
        (self.folder / "models" / f"{model}.yaml").write_text(yaml.safe_dump(written))


def asked_in(
    folder: Path,
    patch: pytest.MonkeyPatch,
    urls: Mapping[str, str],
    notify: Mapping[str, str],
) -> Asked:
    """Return a place in a folder: churn has a first champion, and `notify` says who is told."""
    (folder / "models").mkdir()
    patch.setenv("GATELATCH_LEDGER", f"sqlite:///{folder / 'ledger.db'}")
    patch.setenv("GATELATCH_MODELS", str(folder / "models"))
    patch.setenv("GATELATCH_CHANNELS", str(folder / "channels.yaml"))
    patch.setenv("COLUMNS", "200")
    ledger = Ledger.open()
    forging.version(ledger, 1)
    place = Asked(folder, ledger)
    place.name_channels(urls)
    place.write_spec(notify=dict(notify))
    return place
