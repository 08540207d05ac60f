"""The command `python -m tasks canary`: where a champion's canary stands, and how to skip it."""

from __future__ import annotations

from typing import Annotated

import typer

from tasks.cli.console import Model, fail, find_or_fail, out
from tasks.errors import GatelatchError


def canary(
    model: Model,
    skip: Annotated[
        bool, typer.Option("--skip", help="give the champion all of the keys at once")
    ] = False,
    reason: Annotated[
        str | None, typer.Option(help="why it is skipped; recorded in the ledger")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="who skips it: one of those who decide on the promotion")
    ] = None,
) -> None:
    """Show which share of the keys a new champion scores, or skip the rest of its canary.

    To stop a canary is to roll back: `python -m tasks rollback`. Exit code 0: it was shown, or is
    skipped. 1: nothing was changed, and the message says why.
    """
    from tasks.ledger import status
    from tasks.ledger.ledger import Ledger
    from tasks.promotion import ramping
    from tasks.promotion.needed_rows import needed

    spec = find_or_fail(model)
    if skip != (reason is not None) or skip != (by is not None):
        fail("to skip a canary give all of --skip, --reason and --by", 2)
    try:
        if reason is not None and by is not None:
            ramping.skip_canary(spec, by=by, reason=reason)
            out.print(
                f"the canary of {model} is skipped: its champion scores all of the keys of "
                f"the windows that are scored from now on",
                markup=False,
            )
            return
        ledger = Ledger.open()
        known = status.read(spec, ledger)
        ramp = ramping.ramp_read(known, ledger)
        if ramp is None:
            out.print(f"{model}: no canary; its champion scores all of the keys", markup=False)
            return
        lines = [f"{model}: {ramp.told}"]
        if ramp.over is None:
            lines.append(f"rows of version {ramp.champion} in windows that count: {ramp.rows:,}")
            new, old = (ledger.version(model, v) for v in (ramp.champion, ramp.earlier))
            needs = needed(known, ramp.share, new, old)
            lines += [s for s in (needs.told, needs.too_small, ramp.stuck or ramp.why) if s]
        out.print("\n".join(lines), markup=False)
    except GatelatchError as error:
        fail(error)
