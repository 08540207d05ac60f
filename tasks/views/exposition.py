"""The metrics of all models for Prometheus: what stands in the ledger now, read as it is scraped.

No sample carries a time of its own: Prometheus refuses those of past windows, and the newest window
is what stands now, whenever it was. Its end is a metric.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
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
from tasks.spec.model import ModelSpec
from tasks.views.followed_specs import FollowedSpecs
from tasks.views.metric_catalogue import OF_EXPORTER, OF_MODELS
from tasks.views.model_metrics import SeenModel, model_samples
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

_log = logging.getLogger(__name__)

_FORMATS = 8  # that a client may ask for and that are kept


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look at the ledger gave: the exporter's own metrics, and those of all models."""

    own: list[Metric]
    shown: Shown


class LedgerMetrics(Collector):
    """Collects what stands now. Several threads may ask at once; each look is whole.

    Where the ledger cannot be read, it is opened again at the next look. `up` says whether it was
    read at the last one.
    """

    def __init__(self) -> None:
        self.up = False
        self._lock = Lock()
        self._specs = FollowedSpecs()
        self._reader: LedgerReader | None = None
        self._follower: Follower | None = None
        self._shown: Shown = {}
        self._said: dict[str, str] = {}

    def describe(self) -> Iterable[Metric]:
        """Yield every family without samples, so that nothing is read when it is registered."""
        return [new_family(one) for one in (*OF_EXPORTER, *OF_MODELS)]

    def collect(self) -> Iterator[Metric]:
        """Yield every family with what stands now."""
        found = self.look()
        yield from found.own
        yield from families_of(found.shown)

    def look(self) -> Look:
        """Read what is new; what is shown of a model is the same again if nothing is."""
        with self._lock:
            begun = time.perf_counter()
            specs, mistakes = self._specs.load()
            for number, mistake in enumerate(mistakes):
                self._say(f"spec {number}", mistake)
            try:
                self._read(specs)
                self.up = True
                self._said.pop("ledger", None)
            except (GatelatchError, sa.exc.SQLAlchemyError) as error:
                self._say("ledger", f"the ledger is not read: {error}")
                self.close()
                self.up = False
            seconds = time.perf_counter() - begun
            return Look(own=_own(self.up, seconds, len(mistakes)), shown=self._shown)

    def _read(self, specs: list[ModelSpec]) -> None:
        if self._reader is None or self._follower is None:
            self._reader = LedgerReader.open_to_read()
            self._follower = Follower(self._reader)
        found = self._follower.statuses(specs)
        self._shown = {model: self._shown_of(model, one) for model, one in found.items()}

    def _shown_of(self, model: str, status: Status | GatelatchError) -> ShownModel | None:
        """Return what is shown of a model; None if it cannot be read, which the log then says."""
        known = self._shown.get(model)
        if known is not None and known.status is status:
            return known
        assert self._reader is not None
        try:
            if not isinstance(status, Status):
                raise status
            asked_at = self._reader.asked_at(model)
            recorded = self._reader.recorded(model) if status.spec.notify else None
            samples = model_samples(SeenModel(status=status, asked_at=asked_at, recorded=recorded))
        except sa.exc.SQLAlchemyError:
            raise
        except Exception as error:  # one model never costs another its metrics
            self._say(model, f"{model} is not shown: {type(error).__name__}: {error}")
            return None
        self._said.pop(model, None)
        return ShownModel(status, samples)

    def close(self) -> None:
        """Let go of the ledger; the next look opens it again."""
        if self._reader is not None:
            self._reader.close()
        self._reader = self._follower = None
        self._shown = {}

    def _say(self, about: str, text: str) -> None:
        """Log a text once, and again only after something else was said."""
        if self._said.get(about) != text:
            self._said[about] = text
            _log.warning("%s", text)


class Exposition:
    """The page that Prometheus scrapes. What did not change is not written out again."""

    def __init__(self) -> None:
        self.metrics = LedgerMetrics()
        self.registry = CollectorRegistry()
        self.registry.register(self.metrics)
        self._process = ProcessCollector(registry=None)
        self._lock = Lock()
        self._writers: dict[str, PageWriter] = {}

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
            if content_type not in self._writers and len(self._writers) >= _FORMATS:
                self._writers.clear()
            writer = self._writers.setdefault(content_type, PageWriter(encoder))
            written = writer.page(found.shown)
        end = END_OF_PAGE if own.endswith(END_OF_PAGE) else b""
        return content_type, own.removesuffix(END_OF_PAGE) + written + end


def _own(up: bool, seconds: float, mistakes: int) -> list[Metric]:
    values = {
        "gatelatch_ledger_up": float(up),
        "gatelatch_ledger_read_duration_seconds": seconds,
        "gatelatch_spec_mistakes": float(mistakes),
        "gatelatch_build_info": 1.0,
    }
    labels = {"gatelatch_build_info": (__version__,)}
    families = []
    for one in OF_EXPORTER:
        family = new_family(one)
        add_sample(family, one, labels.get(one.name, ()), values[one.name])
        families.append(family)
    return families
