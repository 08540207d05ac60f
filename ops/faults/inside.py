"""Runs beside a worker: accepts the first champions, and says what the ledger and MLflow hold.

`python -m ops.faults.inside accept UNTIL DAYS MODEL …` and `… seen MODEL …`.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime, timedelta
from typing import Any

from tasks.spec.spec_files import load_all

# Of the clock, of chance, or made of the name of the model.
_OWN = ("recorded_at", "run_id", "evidence", "reference", "asked", "id", "head")


def accept(until: datetime, days: int, models: list[str]) -> None:
    """Make the first champion of each model, by what the tasks of a retrain call."""
    from tasks.flows import retrain
    from tasks.promotion import decisions, promotion, proposals

    answer = {
        "chosen_options": ["Approve"],
        "params_input": {"comment": "first champion"},
        "responded_by_user": {"id": "2", "name": "ada"},
        "timedout": False,
    }
    for spec in [spec for spec in load_all()[0] if spec.model in models]:
        proposals.propose(
            spec,
            "first",
            reason="bootstrap",
            proposer="otto",
            training_window=timedelta(days=days),
            until=until,
            now=until,
        )
        decisions.decide(spec, "first", "retrain", answer)
        run = retrain.train(spec, "first")["candidate_run"]
        retrain.calibrate(spec, "first", run)
        retrain.gate(spec, "first", run)
        retrain.register(spec, "first", run)
        decisions.decide(spec, "first", "promote", answer)
        promotion.promote(spec, "first")
    print("accepted")


def seen(model: str) -> dict[str, Any]:
    """Return what a model left in ledger, MLflow and store, but clock, chance and its name."""
    from tasks import store
    from tasks.audit import findings
    from tasks.ledger.ledger import Ledger
    from tasks.registry import tracking

    trail, client = Ledger.open().trail(model), tracking.connect()
    tables: dict[str, list[Any]] = {}
    for (table, _), row in sorted(trail.rows.items()):
        kept = {k: v for k, v in row.items() if k not in _OWN and "digest" not in k}
        tables.setdefault(table, []).append(kept)
    registered = client.get_registered_model(model)
    versions = client.search_model_versions(f"name = '{model}'")
    found = {
        **tables,
        "links": len(trail.links),
        "fault": findings.verify_trail(model, trail).fault,
        "aliases": {k: int(v) for k, v in registered.aliases.items()},
        "versions": sorted(int(v.version) for v in versions),
        # Without digests, of which one is made of the spec, and so of the name. What killed
        # processes left half-written is looked for elsewhere.
        "files": [
            re.sub(r"[0-9a-f]{12,}", "…", name)
            for name in store.files_below("")
            if model in re.split(r"[/.]", name) and not name.endswith(".partial")
        ],
    }
    text = json.dumps(found, default=str, sort_keys=True)
    return dict(json.loads(text.replace(model, "MODEL")))


if __name__ == "__main__":
    if sys.argv[1] == "accept":
        accept(datetime.fromisoformat(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
    else:
        print("\n" + json.dumps({model: seen(model) for model in sys.argv[2:]}))
