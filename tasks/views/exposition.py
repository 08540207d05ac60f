"""The metrics of all models for Prometheus: what stands in the ledger now, read as it is scraped.

No sample carries a time of its own: Prometheus refuses those of past windows, and the newest window
is what stands now, whenever it was. Its end is a metric.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tasks import __version__
from tasks.errors import GatelatchError
from tasks.ledger.follower import Follower
from tasks.ledger.reader import LedgerReader
from tasks.ledger.status import Status
from tasks.promotion.time_left import time_is_up
from tasks.spec.model import ModelSpec
from tasks.views.followed_specs import FollowedSpecs
from tasks.views.metric_catalogue import EVERY, OF_CHECKS, OF_EXPORTER
from tasks.views.model_metrics import SeenModel, model_samples
from tasks.views.said_once import SaidOnce
from tasks.views.slow_checks import SlowChecks
from tasks.views.written_metrics import (
    END_OF_PAGE,
    Collected,
    PageWriter,
    Shown,
    ShownModel,
    add_sample,
    families_of,
    new_family,
)

_FORMATS = 8  # that a client may ask for and that are kept


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look gave: the exporter's own metrics, those of all models, and of their checks."""

    own: list[Metric]
    shown: Shown
    checked: Shown


class LedgerMetrics(Collector):
    """Collects what stands now. Several threads may ask at once; each look is whole.

    Where the ledger cannot be read, it is opened again at the next look. `up` says whether it was
    read at the last one.
    """

    def __init__(self, checks: SlowChecks) -> None:
        self.up = False
        self._checks = checks
        self._lock = Lock()
        self._specs = FollowedSpecs()
        self._reader: LedgerReader | None = None
        self._follower: Follower | None = None
        self._shown: Mapping[str, ShownModel | None] = {}
        self._said = SaidOnce()

    def describe(self) -> Iterable[Metric]:
        """Yield every family without samples, so that nothing is read when it is registered."""
        return [new_family(one) for one in EVERY]

    def collect(self) -> Iterator[Metric]:
        """Yield every family with what stands now."""
        found = self.look()
        yield from found.own
        yield from families_of(found.shown)
        yield from families_of(found.checked, OF_CHECKS)

    def look(self) -> Look:
        """Read what is new; what is shown of a model is the same again if nothing is."""
        with self._lock:
            begun = time.perf_counter()
            specs, mistakes = self._specs.load()
            for number, mistake in enumerate(mistakes):
                self._said.say(f"spec {number}", mistake)
            try:
                self._read(specs)
                self.up = True
                self._said.well("ledger")
            except (GatelatchError, sa.exc.SQLAlchemyError) as error:
                self._said.say("ledger", f"the ledger is not read: {error}")
                self.close()
                self.up = False
            seconds = time.perf_counter() - begun
            own = _own(self.up, seconds, len(mistakes), self._checks.ended)
            checked = {model: self._checks.of(model) for model in self._shown}
            return Look(own=own, shown=self._shown, checked=checked)

    def _read(self, specs: list[ModelSpec]) -> None:
        if self._reader is None or self._follower is None:
            self._reader = LedgerReader.open_to_read()
            self._follower = Follower(self._reader)
        found = self._follower.statuses(specs)
        self._checks.watch(found)
        self._shown = {model: self._shown_of(model, one) for model, one in found.items()}

    def _shown_of(self, model: str, status: Status | GatelatchError) -> ShownModel | None:
        """Return what is shown of a model; None if it cannot be read, which the log then says."""
        known = self._shown.get(model)
        if known is not None and known.status is status:
            return known
        try:
            if not isinstance(status, Status):
                raise status
            samples = model_samples(self._seen(status))
        except sa.exc.SQLAlchemyError:
            raise
        except Exception as error:  # one model never costs another its metrics
            self._said.say(model, f"{model} is not shown: {type(error).__name__}: {error}")
            return None
        self._said.well(model)
        return ShownModel(status, samples)

    def _seen(self, status: Status) -> SeenModel:
        assert self._reader is not None
        reader, model = self._reader, status.spec.model
        ends: dict[str, datetime] = {}
        touched = reader.touched(model) if status.live else {}
        for proposal in status.live:
            with suppress(GatelatchError):  # as of two candidates: whoever acts on it is told so
                until = time_is_up(status, reader, proposal, touched[proposal.proposal])
                if until is not None:
                    ends[proposal.proposal] = until
        recorded = reader.when_recorded(model) if status.spec.notify else None
        asked_at = reader.asked_at(model)
        return SeenModel(status=status, asked_at=asked_at, time_is_up=ends, recorded=recorded)

    def close(self) -> None:
        """Let go of the ledger; the next look opens it again."""
        if self._reader is not None:
            self._reader.close()
        self._reader = self._follower = None
        self._shown = {}


class Exposition:
    """The page that Prometheus scrapes. What did not change is not written out again.

    Parameters
    ----------
    checks
        Whoever made them starts them. Of what nobody starts the page says `unseen`.
    """

    def __init__(self, checks: SlowChecks | None = None) -> None:
        self.metrics = LedgerMetrics(checks or SlowChecks())
        self.registry = CollectorRegistry()
        self.registry.register(self.metrics)
        self._process = ProcessCollector(registry=None)
        self._lock = Lock()
        self._writers: dict[str, tuple[PageWriter, PageWriter]] = {}

    def page(self, accepted: str, names: Sequence[str] = ()) -> tuple[str, bytes]:
        """Return the content type and the page.

        Parameters
        ----------
        accepted
            The client's Accept header.
        names
            Of the series that are wanted alone; none: all.
        """
        encoder, content_type = choose_encoder(accepted)
        if names:
            return content_type, encoder(self.registry.restricted_registry(names))
        found = self.metrics.look()
        own = encoder(Collected([*found.own, *self._process.collect()]))
        with self._lock:
            if content_type not in self._writers:
                if len(self._writers) >= _FORMATS:
                    self._writers.clear()
                self._writers[content_type] = PageWriter(encoder), PageWriter(encoder, OF_CHECKS)
            models, checks = self._writers[content_type]
            written = models.page(found.shown) + checks.page(found.checked)
        end = END_OF_PAGE if own.endswith(END_OF_PAGE) else b""
        return content_type, own.removesuffix(END_OF_PAGE) + written + end


def _own(up: bool, seconds: float, mistakes: int, checked: float | None) -> list[Metric]:
    values = {
        "gatelatch_ledger_up": float(up),
        "gatelatch_ledger_read_duration_seconds": seconds,
        "gatelatch_spec_mistakes": float(mistakes),
        "gatelatch_checks_end_timestamp_seconds": checked,
        "gatelatch_build_info": 1.0,
    }
    labels = {"gatelatch_build_info": (__version__,)}
    families = []
    for one in OF_EXPORTER:
        family = new_family(one)
        if (value := values[one.name]) is not None:
            add_sample(family, one, labels.get(one.name, ()), value)
        families.append(family)
    return families
