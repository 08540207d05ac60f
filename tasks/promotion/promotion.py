"""Make an approved candidate champion: compare-and-set in the ledger, and MLflow follows."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from tasks.audit import heads, verification
from tasks.audit.verified_model import model_of
from tasks.ledger import evidence, kept_fold, status
from tasks.ledger.conflicts import Conflict
from tasks.ledger.ledger import Ledger
from tasks.ledger.reader import LedgerReader
from tasks.ledger.records import Decision, Promotion
from tasks.promotion import shadow_wait
from tasks.promotion.decisions import approved, decision_on, evidence_of
from tasks.promotion.proposals import (
    NotApproved,
    candidate_of,
    require_not_held,
    still_stands,
)
from tasks.registry import model_aliases, promotion_record, tagged_heads
from tasks.registry.promotion_record import PromotionRecord
from tasks.spec.model import ModelSpec

if TYPE_CHECKING:
    from tasks.registry.model_aliases import Alias

_LOG = logging.getLogger(__name__)
_ROUNDS = 50  # each ends a promotion of somebody else; to stop in between would leave a stale alias


def promote(spec: ModelSpec, proposal: str) -> Promotion:
    """Make the candidate champion, if it was approved and its champion still reigns.

    Raises
    ------
    NotApproved
        If no approval of exactly this evidence is recorded, or its shadow windows did not pass.
    tasks.registry.tracking.RegistryRefused
        If the registered files are not those that were approved.
    Conflict
        If another version became champion meanwhile; recorded, nothing is changed.
    tasks.ledger.freezes.Frozen
        If the model is frozen; nothing is recorded, and another call after the thaw promotes.
    tasks.ledger.chain.LedgerRefused
        If the ledger is not as it was recorded by who might.
    """
    ledger = Ledger.open()
    require_not_held(ledger, still_stands(ledger, spec, proposal))  # before what takes long
    verification.require(ledger, spec.model, whole=True)
    known = status.read(spec, ledger)
    asked = approved(spec, ledger, proposal, "promote")
    shadow_wait.require_shadow(spec, ledger, proposal)
    candidate = candidate_of(known, proposal)
    approval = decision_on(ledger, spec, proposal, "promote")
    shown = evidence_of(known, proposal, "promote")
    if approval.evidence != shown:
        raise NotApproved(
            f"{proposal}: {approval.by} approved evidence {evidence.short(approval.evidence)}, but "
            f"the evidence is now {evidence.short(shown)}; nothing is promoted. Propose again."
        )
    model_of(spec, ledger, candidate.version)  # the files, too, are those that were approved
    since = known.effective_from(candidate.trained_until)
    try:
        promotion = ledger.promote(
            spec.model,
            proposal,
            version=candidate.version,
            expected=asked.champion,
            effective_from=since,
            by=approval.by,
            reason=asked.reason,
        )
    except Conflict as conflict:
        ledger.decide(
            Decision(
                model=spec.model,
                proposal=proposal,
                step="promotion",
                answer="superseded",
                by="ledger",
                comment=str(conflict),
                evidence=shown,
                effective_from=known.decided_at(asked),
            )
        )
        raise
    settle(spec, ledger)
    return promotion


def settle(spec: ModelSpec, ledger: Ledger) -> None:
    """Let MLflow follow a promotion, and keep the ledger's heads out of the ledger's reach.

    Whoever scores without the ledger reads in MLflow which files a promotion made champion.

    The head of an earlier promotion that is not there was removed, or a crash kept it away: named
    as a warning in the log, and put back.
    """
    heads.keep(spec.model, ledger)
    follow(spec, ledger)
    _keep_heads(spec.model, ledger)


def _keep_heads(model: str, ledger: Ledger) -> None:

    there = heads.of_promotions(model, ledger)
    missing = tagged_heads.keep_heads(model, there)
    if back := [number for number in missing if number != max(there)]:
        _LOG.warning(
            "%s: the heads of promotions %s were not in MLflow: they are back", model, back
        )
    keep_promotions(model, ledger)


def keep_promotions(model: str, ledger: LedgerReader) -> None:
    """Keep each promotion, signed, with its version in MLflow, for who scores without the ledger.

    Raises
    ------
    tasks.ledger.chain.LedgerRefused
        If the ledger is not as it was recorded by who might.
    tasks.signing.keyring.KeyUnusable
        If one is missing, and there is no workers' key to sign it with.
    """
    verification.require(ledger, model)  # what is signed here is believed without the ledger
    records = [
        PromotionRecord(
            model=model,
            number=promotion.number,
            version=promotion.version,
            artifact_digest=ledger.version(model, promotion.version).artifact_digest,
            effective_from=promotion.effective_from.isoformat(),
        )
        for promotion in ledger.promotions(model)
    ]
    if records:
        promotion_record.keep_records(model, records)


def follow(spec: ModelSpec, ledger: Ledger) -> None:
    """Let MLflow's aliases follow the ledger, whichever step asks; one request if they do.

    So a crash between the two is finished by whatever runs next. What somebody changed in MLflow
    by hand is named as a warning in the log, and put back where it can be.
    """

    # The ledger may move on while the aliases are moved: look again until both agree.
    for _ in range(_ROUNDS):
        known = kept_fold.read_newest(spec, ledger)
        keep = partial(_keep_heads, spec.model, ledger)
        behind = model_aliases.point(spec.model, aliases(known), _promoted(known), keep)
        for alias in behind:
            if warning := _by_hand(known, alias):
                _LOG.warning(warning)
        if not any(alias.moved for alias in behind):
            return


def aliases(known: status.Status) -> dict[str, int | None]:
    """Return where the ledger has each alias: the champion, the one before, and who waits."""
    live = {p.proposal for p in known.live}
    waiting = [c.version for c in known.candidates if c.proposal in live]
    return {
        "champion": known.champion,
        "previous": known.promotions[-1].expected if known.promotions else None,
        "challenger": waiting[-1] if waiting else None,
    }


def _promoted(known: status.Status) -> dict[str, str]:
    """Return what the newest promotion adds to the lineage of its version."""
    if not known.promotions:
        return {}
    newest = known.promotions[-1]
    return {
        "promotion": str(newest.number),
        "promoted_by": newest.by,
        "promoted_by_proposal": newest.proposal,
        "effective_from": newest.effective_from.isoformat(),
        "promotion_reason": newest.reason[:500],
    }


def _by_hand(known: status.Status, alias: Alias) -> str | None:
    """Return what somebody did to an alias behind the ledger's back; None if nobody did."""
    model = known.spec.model
    if not alias.moved:
        return (
            f"{model} version {alias.wanted} ({alias.name}) was deleted in MLflow; go back to "
            f"another version (DAG rollback.{model}), or retrain"
        )
    # It stands where the last promotion found it: that one is only now followed.
    behind = known.promotions[-1].expected if known.promotions else None
    if alias.name != "champion" or alias.found == behind:
        return None
    found = "removed" if alias.found is None else f"moved to version {alias.found}"
    # At an earlier champion it may as well be late: several were promoted since.
    by_hand = "" if alias.found in {p.version for p in known.promotions} else " by hand"
    return (
        f"{model}: the alias champion was {found} in MLflow{by_hand}; the ledger says version "
        f"{alias.wanted}, so it was put back"
    )
