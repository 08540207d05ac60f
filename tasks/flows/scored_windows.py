"""The scores that stand of a window, and whether the monitor can read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tasks.data import window_rows
from tasks.data.readers import SourceError
from tasks.data.score_manifest import ScoreManifest
from tasks.data.score_places import place_of
from tasks.errors import Retryable
from tasks.ledger.records import Promotion
from tasks.promotion.ramp import share_told
from tasks.scoring import score_window
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window


class NotYetScored(Retryable):
    """A window that the monitor is to measure by its scores, which are not there yet."""


@dataclass(frozen=True, kw_only=True)
class ScoredWindow:
    """The scores of a window: what they are, where, and whether this call wrote them."""

    manifest: ScoreManifest
    place: str
    written: bool

    def told(self, spec: ModelSpec, window: Window) -> str:
        """Return a sentence for the log."""
        found = self.manifest
        unfit = ", ".join(f"{rows:,} because {why}" for why, rows in found.unfit.items())
        beside = found.beside
        shared = (
            f" ({beside.rows:,} of them by version {beside.version}: version {found.version} has "
            f"{share_told(beside.share)} of the keys)"
            if beside
            else ""
        )
        return (
            f"{spec.model} v{found.version} {window}: {found.rows:,} rows "
            f"{'scored' if self.written else 'were scored before, and stay as they are'}, "
            f"in {self.place}{shared}" + (f"; not scored: {unfit}" if unfit else "")
        )

    def to_json(self) -> dict[str, Any]:
        """Return it ready for JSON: counts and addresses, never a row."""
        return {**self.manifest.to_json(), "place": self.place, "written": self.written}


def scores_by(spec: ModelSpec, window: Window, champion: Promotion) -> ScoredWindow | None:
    """Return the window's scores, if they are those of its champion.

    Raises
    ------
    tasks.scoring.score_window.ScoresRefused
        If no worker wrote them.
    tasks.data.readers.SourceError
        If they cannot be read.
    """
    place = place_of(spec)
    promotion = place.newest_scores(spec, window)
    if promotion is None:
        return None
    manifest = score_window.manifest_of(spec, window, promotion)
    if manifest is None or manifest.version != champion.version:
        return None
    return ScoredWindow(
        manifest=manifest, place=place.scores_named(spec, window, promotion), written=False
    )


def require_scores(spec: ModelSpec, window: Window, champion: Promotion) -> None:
    """Return if the monitor can read what `scoring` writes of a window, or has nothing to read.

    Raises
    ------
    NotYetScored
        If the rows are there, and the scores of the window's champion are not.
    """
    if not spec.joined_scores or scores_by(spec, window, champion) is not None:
        return
    try:
        next(iter(window_rows.batches(spec.unscored, window, [spec.source.key])))
    except SourceError:  # the monitor says so itself
        return
    raise NotYetScored(
        f"{window} of {spec.model} is not scored by version {champion.version}, its champion: run "
        f"score.{spec.model} for it; the monitor then measures it"
    )
