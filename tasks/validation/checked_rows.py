"""The rows of an interval: the bad ones put aside with their reason, the rest handed on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks import formats, scratch, store
from tasks.data import keys
from tasks.data.digest import Digest
from tasks.data.outside import Outside
from tasks.data.readers import SourceChanged, SourceError
from tasks.data.served_by import ScoredBy, ServedCount
from tasks.data.window_rows import batches
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tasks.validation.checked_window import WindowOutcome, judge_window
from tasks.validation.quarantine import Quarantine, positions_of, quarantined_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.arrays import Ints

CHECKED_FORMAT = 1  # of the JSON; release 0.1 wrote the same without a number
_AGAIN = "clear this run from its first task on to check them again"


@dataclass(frozen=True, kw_only=True)
class Checked(WindowOutcome):
    """What a check found of an interval's rows, and where the bad ones are.

    `data_digest` is of the rows, `seen_digest` of them and of what lies outside of all windows;
    `scored_by` is None where the spec names no such column; `quarantine` are addresses in the
    store. `checks` are for the page of the report, and no part of the JSON.
    """

    data_digest: str
    seen_digest: str
    quarantine: tuple[str, ...]
    scored_by: ScoredBy | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it ready for JSON, without the single checks."""
        scored = {} if self.scored_by is None else {"scored_by": self.scored_by.to_json()}
        reasons = {"reasons": dict(self.reasons)} if self.reasons else {}
        return {
            "format": CHECKED_FORMAT,
            "problem": self.problem,
            "rows": self.rows,
            "accepted": self.accepted,
            "quarantined": self.quarantined,
            **reasons,
            **scored,
            "warnings": list(self.warnings),
            "data_digest": self.data_digest,
            "seen_digest": self.seen_digest,
            "quarantine": list(self.quarantine),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Checked:
        """Return what `to_json` wrote. Raises formats.OtherFormat if it cannot."""
        return formats.load_stored(
            "check of the rows",
            raw,
            {CHECKED_FORMAT: cls._read},
            newer=f"install that release, or {_AGAIN}",
        )

    @classmethod
    def _read(cls, raw: Mapping[str, Any]) -> Checked:
        return cls(
            problem=raw["problem"],
            rows=raw["rows"],
            accepted=raw["accepted"],
            quarantined=raw["quarantined"],
            checks=(),
            warnings=tuple(raw["warnings"]),
            reasons=raw.get("reasons", {}),
            data_digest=raw["data_digest"],
            seen_digest=raw.get("seen_digest", raw["data_digest"]),
            quarantine=tuple(raw["quarantine"]),
            scored_by=ScoredBy.from_json(raw["scored_by"]) if "scored_by" in raw else None,
        )


def check_rows(
    spec: ModelSpec,
    window: Window,
    constants: Mapping[str, float],
    names: Mapping[str, int] | None = None,
) -> Checked:
    """Check the rows of any interval, and put the bad ones in quarantine.

    Parameters
    ----------
    constants
        Numeric features that were constant in the reference, with their value.
    names
        Which version each name in `source.version_column` stands for; None: they are numbers.

    Raises
    ------
    SourceChanged
        If the source changes while it is read.
    SpecError
        If an expectation of the spec cannot be used.
    """
    with scratch.folder() as folder, Quarantine(folder) as bad:
        checked = _check(spec, window, constants, bad.add, names)
        kept = bad.put(f"{store.QUARANTINE}{spec.model}/{window.name}/{checked.data_digest}")
    return replace(checked, quarantine=kept)


def _check(
    spec: ModelSpec,
    window: Window,
    constants: Mapping[str, float],
    quarantine: Callable[[pa.Table], None],
    names: Mapping[str, int] | None = None,
) -> Checked:
    digest, outside = Digest(), Outside()
    scored = ServedCount(spec.source.version_column, names)
    try:
        repeated = keys.repeated_keys(lambda: batches(spec, window, [spec.source.key]))
        outcome = judge_window(
            spec,
            window,
            scored.tap(batches(spec, window, digest=digest, outside=outside)),
            repeated=repeated,
            constants=constants,
            quarantine=quarantine,
        )
    except SourceChanged:
        raise
    except SourceError as error:
        outcome = _unreadable(str(error))
        digest = Digest.of(str(error))  # a file that breaks after it was missing is news
        outside = Outside()
    return Checked(
        problem=outcome.problem,
        rows=outcome.rows,
        accepted=outcome.accepted,
        quarantined=outcome.quarantined,
        checks=outcome.checks,
        warnings=(*outcome.warnings, *outside.told),
        reasons=outcome.reasons,
        data_digest=str(digest),
        seen_digest=digest.beside(outside.told),
        quarantine=(),
        scored_by=scored.scored_by() if spec.source.version_column else None,
    )


def _unreadable(problem: str) -> WindowOutcome:
    return WindowOutcome(rows=0, accepted=0, quarantined=0, checks=(), problem=problem, warnings=())


def check_without_keeping(
    spec: ModelSpec, window: Window, constants: Mapping[str, float]
) -> tuple[Checked, Ints]:
    """Check rows as `check_rows` does, and leave nothing in the store.

    Returns
    -------
    What was found, and the positions of the bad rows in the stream, rising; shape (n,).
    """
    bad = [np.empty(0, dtype=np.int64)]
    checked = _check(spec, window, constants, lambda rows: bad.append(positions_of(rows)))
    return checked, np.sort(np.concatenate(bad))


def accepted(spec: ModelSpec, window: Window, checked: Checked) -> Iterator[pa.RecordBatch]:
    """Yield the rows of an interval without the quarantined ones.

    Raises
    ------
    SourceChanged
        If the rows are no longer those that were checked.
    """
    yield from accepted_but(spec, window, quarantined_rows(checked.quarantine), checked.data_digest)


def accepted_but(
    spec: ModelSpec, window: Window, bad: Ints, data_digest: str
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of an interval without those at the `bad` positions; see `accepted`."""
    import pyarrow as pa

    digest = Digest()
    first = 0
    for batch in batches(spec, window, digest=digest):
        here = bad[np.searchsorted(bad, first) : np.searchsorted(bad, first + batch.num_rows)]
        if len(here):
            keep = np.ones(batch.num_rows, dtype=bool)
            keep[here - first] = False
            yield batch.filter(pa.array(keep))
        else:
            yield batch
        first += batch.num_rows
    if str(digest) != data_digest:
        raise SourceChanged(
            f"the rows of {window} changed after they were validated; clear this run from its "
            "first task on to use the new ones"
        )
