"""What the pages read: specs, and where each model stands, kept until its ledger or spec changes.

The one place where the pages meet files, the clock and the ledger, which is opened to be read only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any, Generic, TypeVar

from tasks import store
from tasks.disk import Unusable
from tasks.drift import reference as references
from tasks.drift.summary import Summary
from tasks.drift.summary_json import summary_in, summary_path
from tasks.errors import GatelatchError
from tasks.ledger.follower import Follower
from tasks.ledger.reader import LedgerReader
from tasks.ledger.recorded import RecordedTimes
from tasks.ledger.records import Observation, Question
from tasks.ledger.status import Status
from tasks.notices.events import ModelFacts
from tasks.notices.untold import missed_by, untold
from tasks.promotion.ramping import ramp_read
from tasks.reports import validation_page
from tasks.spec import spec_files
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError
from tasks.views.standing import Standing, standing
from tasks.views.window_page import Material

READING = 0.5  # seconds that a request reads models for the first time, before it shows the others


_Value = TypeVar("_Value")


@dataclass(frozen=True)
class _Kept(Generic[_Value]):
    """What was made of something, and of what: of the same object it is not made again."""

    of: object
    value: _Value


@dataclass(frozen=True)
class _Opened:
    """The ledger, and what folds its new rows only."""

    ledger: LedgerReader
    follower: Follower


@dataclass(frozen=True, kw_only=True)
class Specs:
    """The specs of the models folder by model, and of those that cannot be used the reason."""

    usable: dict[str, ModelSpec]
    mistaken: dict[str, str]

    @property
    def names(self) -> list[str]:
        return sorted({*self.usable, *self.mistaken})


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was read for the overview: `unread` models come later, see `Board.read_rest`."""

    standings: list[Standing]
    unread: int


class Board:
    """What a process keeps of specs and ledger between requests; for several threads."""

    def __init__(self, ledger: Callable[[], LedgerReader] = LedgerReader.open_to_read) -> None:
        self._open = ledger
        self._lock = Lock()
        self._reads_rest = Lock()
        self._opened: _Opened | None = None
        self._specs: dict[Path, _Kept[ModelSpec | str]] = {}
        self._tried: set[str] = set()  # models of which all was read once, if it could be
        self._standings: dict[str, _Kept[Standing]] = {}
        self._recorded: _Kept[RecordedTimes] | None = None
        self._written: _Kept[list[Observation]] | None = None

    def specs(self) -> Specs:
        """Return the specs as the files are now; a file that did not change is not parsed again."""
        usable: dict[str, ModelSpec] = {}
        mistaken: dict[str, str] = {}
        for path in spec_files.list_specs(spec_files.models_folder())[0]:
            found = self._spec(path)
            if isinstance(found, str):
                mistaken[path.stem] = found
            else:
                usable[found.model] = found
        return Specs(usable=usable, mistaken=mistaken)

    def _spec(self, path: Path) -> ModelSpec | str:
        try:
            there = os.stat(path)
            mark = (there.st_mtime_ns, there.st_size)
        except OSError:
            mark = (0, 0)
        kept = self._specs.get(path)
        if kept is not None and kept.of == mark and mark != (0, 0):
            return kept.value
        try:
            found: ModelSpec | str = spec_files.load_spec(path)
        except SpecError as error:
            found = str(error)
        self._specs[path] = _Kept(mark, found)
        return found

    def standings(self, specs: Iterable[ModelSpec], seconds: float = READING) -> Seen:
        """Return where models stand.

        Models of which nothing was read yet are read for so many seconds, and then only counted.
        One that cannot be read says so.

        Raises
        ------
        GatelatchError
            If the ledger cannot be read at all.
        """
        follower = self._ledger().follower
        wanted, until = list(specs), monotonic() + seconds
        for spec in wanted:
            if spec.model not in self._tried and monotonic() < until:
                self._standing(spec, follower.statuses([spec])[spec.model])
                self._tried.add(spec.model)
        ready = [spec for spec in wanted if spec.model in self._tried]
        found = follower.statuses(ready)
        standings = [self._standing(spec, found[spec.model]) for spec in ready]
        return Seen(standings=standings, unread=len(wanted) - len(ready))

    def read_rest(self, specs: Iterable[ModelSpec]) -> None:
        """Read the models of which nothing was read yet, unless another thread does so."""
        if not self._reads_rest.acquire(blocking=False):
            return
        try:
            for spec in specs:
                self.standings([spec])
        except GatelatchError:  # the next request says why the ledger cannot be read
            return
        finally:
            self._reads_rest.release()

    def _standing(self, spec: ModelSpec, known: Status | GatelatchError) -> Standing:
        if isinstance(known, GatelatchError):  # such as a row of a newer release
            return Standing(
                model=spec.model, owner=spec.owner.name, tags=spec.tags, problem=str(known)
            )
        try:
            return self.standing_of(known)
        except Unusable:
            raise
        except GatelatchError as error:  # its figures are only read now
            return self._standing(spec, error)

    def status(self, spec: ModelSpec) -> Status:
        """Return the status of a model. Raises GatelatchError if it cannot be read."""
        return self._ledger().follower.status(spec)

    def questions(self, spec: ModelSpec) -> list[Question]:
        """Return what was asked about a model."""
        return self._ledger().ledger.questions(spec.model)

    def standing_of(self, known: Status) -> Standing:
        """Return where a model stands."""
        kept = self._standings.get(known.spec.model)
        # The follower returns the same status until there is something new.
        if kept is None or kept.of is not known:
            ledger, model = self._ledger().ledger, known.spec.model
            ramp, asked = ramp_read(known, ledger), ledger.questions(model)
            kept = _Kept(known, standing(known, asked, ledger.touched(model), ramp))
            self._standings[model] = kept
        return kept.value

    def missed(self, known: Status, now: datetime) -> list[str]:
        """Return sentences on what channels were not told of a model."""
        if not known.spec.notify:
            return []
        recorded = self._ledger().ledger.when_recorded(known.spec.model)
        return missed_by(untold(ModelFacts(status=known, recorded=recorded), now))

    def remembers(self, model: str) -> bool:
        """Return whether the ledger has a row about a model, be there a spec or not."""
        return self._ledger().ledger.head(model) is not None

    def recorded(self, known: Status) -> RecordedTimes:
        """Return when the windows of a model were recorded."""
        kept = self._recorded
        if kept is None or kept.of is not known:
            found = self._ledger().ledger.recorded(known.spec.model)
            kept = self._recorded = _Kept(known, found)
        return kept.value

    def written(self, known: Status) -> list[Observation]:
        """Return every observation ever written of a model: each version and each revision."""
        kept = self._written
        if kept is None or kept.of is not known:
            found = self._ledger().ledger.history(known.spec.model)
            kept = self._written = _Kept(known, found)
        return kept.value

    def _ledger(self) -> _Opened:
        with self._lock:
            if self._opened is None:
                reader = self._open()
                self._opened = _Opened(reader, Follower(reader))
            return self._opened


def why_unreadable(error: Exception) -> str:
    """Return what a page says instead of what cannot be read; of others' errors only the kind."""
    if isinstance(error, GatelatchError):
        return str(error)
    return (
        f"The ledger cannot be read ({type(error).__name__}); the log of the API server has the "
        "error. Mend the ledger, then load this page again."
    )


def material(known: Status, seen: Observation, **links: Any) -> Material:
    """Return what the page of a window shows beside the ledger's row of it.

    `links` are the further fields of Material.
    """
    reference = summary = None
    missing = seen.numbers.gone
    try:
        candidate = None if missing else known.candidate(seen.version)
        if candidate is not None:
            reference = references.reference_from_json(candidate.reference)
        summary = None if missing else _summary(seen)
    except FileNotFoundError as error:
        missing = f"{error}; if it expired, `python -m tasks audit {seen.model}` says when"
    except (GatelatchError, OSError) as error:
        missing = str(error)
    except (KeyError, TypeError, ValueError) as error:  # a file that is none of ours
        missing = f"what is kept of it cannot be read ({type(error).__name__})"
    if summary is None and missing is None:
        missing = "the window was not measured"
    return Material(seen=seen, summary=summary, reference=reference, missing=missing, **links)


def _summary(seen: Observation) -> Summary | None:
    """Return the window's summary from the store; None if none was made."""
    report = seen.numbers.report
    digest = report and validation_page.rows_validated(report, seen.model, seen.window)
    if not digest or seen.pressure is None:
        return None
    path = summary_path(seen.model, seen.version, seen.window, seen.spec_digest, digest)
    return summary_in(store.read_bytes(path), f"summary {store.url(path)}")
