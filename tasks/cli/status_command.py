"""The command `python -m tasks status`: where a model stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from tasks.cli.console import Model, Wide, find_or_fail

_SHOWN = 30  # windows of the tables


def status(
    model: Model,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of tables")] = False,
    windows: Annotated[
        int | None,
        typer.Option(
            min=1, help="how many of the newest windows to show; left out: 30, in JSON all"
        ),
    ] = None,
    wide: Wide = False,
) -> None:
    """Show a model's windows, latch, proposals and promotions."""
    from tasks.cli import status_tables
    from tasks.ledger import kept_fold
    from tasks.ledger import status as state
    from tasks.ledger.budget import error_budget_of
    from tasks.ledger.ledger import Ledger
    from tasks.ledger.status_json import status_json
    from tasks.notices.events import ModelFacts
    from tasks.notices.untold import Untold, untold
    from tasks.promotion.ramping import ramp_read

    ledger, spec = Ledger.open(), find_or_fail(model)
    shown = windows if as_json else windows or _SHOWN
    # Budgets and messages look further back than the windows that are shown.
    few = shown is not None and shown <= kept_fold.NEWEST_READ and not (spec.slo or spec.notify)
    known = kept_fold.read_newest(spec, ledger, keep=False) if few else state.read(spec, ledger)
    ramp = ramp_read(known, ledger)
    missed: Mapping[str, Untold] = {}
    if spec.notify:
        facts = ModelFacts(status=known, recorded=ledger.when_recorded(model))
        missed = untold(facts, datetime.now(UTC))
    if as_json:
        spent = error_budget_of(known)
        told: dict[str, Any] = {} if spent is None else {"error_budget": spent.to_json()}
        if ramp is not None:
            told["canary"] = ramp.to_json()
        channels = {name: asdict(one) for name, one in missed.items()}
        print(json.dumps({**status_json(known, windows), **told, "channels": channels}, indent=2))
    else:
        status_tables.show_status(known, windows or _SHOWN, missed=missed, ramp=ramp, wide=wide)
