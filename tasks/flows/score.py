"""What the score DAG does with one window: its champion scores the rows, once.

In a canary it scores its share of the keys, and the version before it the others.
"""

from __future__ import annotations

from collections.abc import Callable

from tasks.audit.verified_model import champion_of
from tasks.data.score_places import place_of
from tasks.errors import Final, Retryable
from tasks.flows.monitor import NoChampion
from tasks.flows.scored_windows import ScoredWindow, scores_by
from tasks.ledger import kept_fold
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Promotion, champion_at
from tasks.promotion import ramping
from tasks.scoring import score_window
from tasks.scoring.scorer import Earlier, Scorer
from tasks.scoring.sides import Sides
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError
from tasks.spec.windows import Window


class ChampionChanged(Retryable):
    """Another version became the window's champion while it was scored; nothing was written."""


class ScoredOtherwise(Final):
    """A window's scores are of other rows than those that are there now; names both."""


def score_once(spec: ModelSpec, window: Window, *, again: bool = False) -> ScoredWindow:
    """Score a window with its champion, once for each version and digest of its rows.

    Parameters
    ----------
    again
        Write the scores anew where those that are there are of other rows.

    Raises
    ------
    tasks.flows.monitor.NoChampion
        If the window has no champion.
    ScoredOtherwise
        If the champion scored the window before, and its rows were others.
    ChampionChanged
        If another version became the window's champion meanwhile.
    tasks.data.readers.SourceError
        If the rows cannot be read, NoRows if there is none.
    tasks.registry.tracking.RegistryRefused, tasks.ledger.chain.LedgerRefused
        If the model or the ledger is not what was accepted.
    """
    if spec.scoring is None:
        raise SpecError(
            f"{spec.model}: the spec has no `scoring`; name scoring.path or scoring.table there"
        )
    ledger = Ledger.open()
    champion = _champion(spec, ledger, window)
    before = scores_by(spec, window, champion)
    if before is not None:
        rows = score_window.rows_digest(spec, window)
        if rows == before.manifest.data_digest:
            return before
        if not again:
            raise ScoredOtherwise(
                f"{before.place} holds the scores of {window} by version {champion.version} of "
                f"rows with the digest {before.manifest.data_digest}, and the rows now have the "
                f"digest {rows}; nothing is written. To score them anew, run score.{spec.model} "
                "with `again`"
            )
    scorer = Scorer(
        model=champion_of(spec, ledger, champion.version),
        version=champion.version,
        promotion=champion.number,
        artifact_digest=ledger.version(spec.model, champion.version).artifact_digest,
        earlier=_earlier(spec, ledger, window, champion),
    )
    manifest = score_window.write_scores(
        spec, window, scorer, _stands(spec, ledger, window, champion), again=again
    )
    place = place_of(spec).scores_named(spec, window, champion.number)
    return ScoredWindow(manifest=manifest, place=place, written=True)


def _champion(spec: ModelSpec, ledger: Ledger, window: Window) -> Promotion:
    found = champion_at(ledger.promotions(spec.model), window.start)
    if found is None:
        raise NoChampion(
            f"{spec.model} had no champion for {window}, so nothing is scored; train the first "
            f"one: trigger retrain.{spec.model} with reason 'bootstrap', then run this window again"
        )
    return found


def _earlier(
    spec: ModelSpec, ledger: Ledger, window: Window, champion: Promotion
) -> Earlier | None:
    """Return the version that scores the keys of a window which are not the champion's yet."""
    if spec.scoring is None or spec.scoring.canary is None:
        return None
    ramp = ramping.ramp_read(kept_fold.read_newest(spec, ledger, keep=False), ledger, window.start)
    if ramp is None or ramp.over is not None or ramp.promotion.number != champion.number:
        return None
    # Its link is the same on every worker, whatever key signs, and nobody knows it who does not
    # read the ledger. Another promotion draws other keys.
    link, _ = ledger.head_at(champion)
    return Earlier(
        model=champion_of(spec, ledger, ramp.earlier),
        version=ramp.earlier,
        artifact_digest=ledger.version(spec.model, ramp.earlier).artifact_digest,
        sides=Sides(share=ramp.share, secret=bytes.fromhex(link.digest)),
    )


def _stands(
    spec: ModelSpec, ledger: Ledger, window: Window, champion: Promotion
) -> Callable[[], None]:
    def stands() -> None:
        now = champion_at(ledger.promotions(spec.model), window.start)
        if now is None or now.number != champion.number:
            raise ChampionChanged(
                f"version {now and now.version} became champion of {spec.model} for {window} while "
                f"version {champion.version} scored it; nothing was written: run it again"
            )

    return stands
