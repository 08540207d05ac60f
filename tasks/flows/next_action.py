"""What is to be done after a window: a run to start, or why none is. It travels between tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class RunToStart:
    """A run of the DAG of a `flow`: `proposal` is its run id, `conf` what it is started with."""

    flow: Literal["retrain", "rollback"]
    proposal: str
    conf: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class NextAction:
    """A run to start, or else why none is.

    `silence` says why nobody is asked where something asks for it, `waits` that it is only too
    early to ask, or that a level was given up. One of the three is there.
    """

    run: RunToStart | None = None
    silence: str | None = None
    waits: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it ready for JSON, laid out as release 0.1 did."""
        if self.run is not None:
            return dict(vars(self.run))
        return {"waits": self.waits} if self.silence is None else {"silence": self.silence}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> NextAction:
        """Return what `to_json` gave."""
        if "proposal" in raw:
            return cls(run=RunToStart(**raw))
        return cls(silence=raw.get("silence"), waits=raw.get("waits"))
