"""What channels were not told, for whoever looks: counts by channel, and sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from tasks.notices.events import ModelFacts
from tasks.notices.owed import owed
from tasks.spec.model import ModelSpec


@dataclass(frozen=True, kw_only=True)
class Untold:
    """What one channel was not told: `pending` is tried, `failed` no more; `why`, if known."""

    pending: int
    failed: int
    why: str

    @property
    def sentence(self) -> str:
        """Return it for people, after the name of the channel; empty if all was told."""
        parts = [
            f"{count} {what}"
            for count, what in ((self.pending, "not told yet"), (self.failed, "given up"))
            if count
        ]
        told = ", ".join(parts)
        return f"{told}: {self.why}" if told and self.why else told


def untold(facts: ModelFacts, now: datetime | None = None) -> Mapping[str, Untold]:
    """Return what each channel of a model was not told.

    Without a time it is what the rows alone tell, up to the newest of them.
    """
    when = now or facts.recorded.newest or datetime.fromtimestamp(0, UTC)
    found = owed(facts, when)
    counts = {}
    for channel in facts.status.spec.notify:
        mine = [one for one in found if one.channel == channel]
        failed = sum(one.state == "failed" for one in mine)
        pending = sum(one.is_pending for one in mine)
        whys = [one.detail for one in mine if one.detail and one.state != "told"]
        counts[channel] = Untold(pending=pending, failed=failed, why=whys[-1] if whys else "")
    return counts


def missed_by(found: Mapping[str, Untold]) -> list[str]:
    """Return a sentence on each channel that was not told everything."""
    return [f"Channel {name}: {one.sentence}" for name, one in found.items() if one.sentence]


def who_is_told(spec: ModelSpec) -> str:
    """Return for people which channels hear of a model."""
    if not spec.notify:
        return "nobody: the spec names no channel under notify"
    above = {"info": "everything", "ticket": "tickets and pages", "page": "pages"}
    return ", ".join(f"{name} ({above[least]})" for name, least in spec.notify.items())
