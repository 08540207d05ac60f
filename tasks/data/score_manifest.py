"""What the scores of a window say of themselves: what made them, and of which rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from tasks.data.readers import SourceError
from tasks.formats import parsed_json

MANIFEST_SCHEMA = "gatelatch.scores/1"
AGAIN = "score the window again (DAG score.MODEL)"


@dataclass(frozen=True, kw_only=True)
class BesideManifest:
    """The version that scored `rows` beside a champion which had this `share` of the keys."""

    version: int
    artifact_digest: str
    share: float
    rows: int


@dataclass(frozen=True, kw_only=True)
class ScoreManifest:
    """What the scores of a window were made by, and of which rows.

    `data_digest` is that of the rows that were scored: key, time and features. `unfit` counts those
    that have no score, by reason. `beside` is there in a canary; `rows` then counts those of both.
    """

    model: str
    window: str
    version: int
    promotion: int
    artifact_digest: str
    data_digest: str
    rows: int
    unfit: Mapping[str, int]
    beside: BesideManifest | None = None

    def to_json(self) -> dict[str, Any]:
        kept = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.beside is None:
            del kept["beside"]
        else:
            kept["beside"] = vars(self.beside)
        return {"schema": MANIFEST_SCHEMA, **kept, "unfit": dict(self.unfit)}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> ScoreManifest:
        """Return what `to_json` gave. Raises ValueError."""
        if raw.get("schema") != MANIFEST_SCHEMA:
            raise ValueError
        kept = {field.name: raw[field.name] for field in fields(cls) if field.name != "beside"}
        beside = raw.get("beside")
        return cls(**kept, beside=None if beside is None else BesideManifest(**beside))


def manifest_in(text: str, place: str) -> ScoreManifest:
    """Return the manifest in the text beside scores. Raises SourceError."""
    try:
        outer: Any = parsed_json(text)
        return ScoreManifest.from_json(parsed_json(outer["manifest"]))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise SourceError(
            f"the manifest of {place} cannot be read; remove it, then {AGAIN}"
        ) from None
