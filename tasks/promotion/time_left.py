"""Until when a live proposal has time; what nobody ended by then, the monitor's next run ends."""

from __future__ import annotations

from datetime import datetime, timedelta

from tasks.bounds import shifted
from tasks.ledger.reader import LedgerReader
from tasks.ledger.records import Proposal
from tasks.ledger.status import Status
from tasks.promotion.shadow_wait import SHADOW_STEP, look_at

SLACK = timedelta(days=1)  # beyond `approval.timeout`, from one recorded step to the next


def time_is_up(
    known: Status, ledger: LedgerReader, proposal: Proposal, touched: datetime
) -> datetime | None:
    """Return from when on a live proposal is ended, whatever its run does (wall clock).

    None while its candidate waits for windows in the shadow, however long these take, and while a
    freeze holds the model. What a freeze held has all its time from the thaw on.

    Parameters
    ----------
    touched
        When the newest row about it was recorded.
    """
    if known.frozen or _in_shadow(known, ledger, proposal):
        return None
    since = max([touched, *(freeze.recorded_at for freeze in known.freezes)])
    return shifted(since, known.spec.approval.timeout + SLACK)


def _in_shadow(known: Status, ledger: LedgerReader, proposal: Proposal) -> bool:
    registered = any(c.proposal == proposal.proposal for c in known.candidates)
    if not known.spec.shadow.windows or not registered:
        return False
    decided = any((d.proposal, d.step) == (proposal.proposal, SHADOW_STEP) for d in known.decisions)
    return not decided and look_at(known, proposal, ledger).answer == "waiting"
