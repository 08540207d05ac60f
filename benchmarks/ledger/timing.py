"""What every step of this benchmark shares: seconds of a piece of work, and the folder's stores."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.ledger import made

Told = dict[str, float]
URL = os.environ.get("LEDGER_OF_YEARS", "sqlite:///ledger.db")


def timed(work: Callable[[], Any]) -> Told:
    """Run the work once, and return its seconds and this process's seconds of CPU."""
    begun, before = time.perf_counter(), time.process_time()
    work()
    cpu, seconds = time.process_time() - before, time.perf_counter() - begun
    return {"seconds": seconds, "cpu": cpu}


def use_folder(models: int) -> str:
    """Let specs, ledger, keys and store be those of the current folder; return the ledger's URL."""
    folder = Path("models")
    folder.mkdir(exist_ok=True)
    for number in range(models):
        model = made.name(number)
        if not (path := folder / f"{model}.yaml").exists():
            path.write_text(json.dumps(made.raw_spec(model)))
    os.environ |= {
        "GATELATCH_LEDGER": URL,
        "GATELATCH_MODELS": str(folder),
        "GATELATCH_STORE": str(Path("store").absolute()),
        "GATELATCH_SIGNING_KEY": "signing.pem",
    }
    return URL
