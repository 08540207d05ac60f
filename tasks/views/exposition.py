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
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from tasks import __version__
from tasks.errors import GatelatchError
from tasks.ledger.follower import Follower
from tasks.ledger.reader import LedgerReader
from tasks.ledger.status import Status
from tasks.spec.model import ModelSpec
from tasks.views.followed_specs import FollowedSpecs
from tasks.views.metric_catalogue import OF_EXPORTER, OF_MODELS, MetricFamily
from tasks.views.model_metrics import MetricSample, SeenModel, model_samples

_log = logging.getLogger(__name__)

_END = b"# EOF\n"  # of OpenMetrics
_FORMATS = 8  # that a client may ask for and that are kept


@dataclass(frozen=True)
class _Shown:
    """The samples of a model, and the status that they were made of."""

    status: Status
    samples: Sequence[MetricSample]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look at the ledger gave: the exporter's own metrics, and those of all models."""

    own: list[Metric]
    models: list[Metric]


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
        self._shown: dict[str, _Shown | None] = {}
        self._models: list[Metric] = []
        self._said: dict[str, str] = {}

    def describe(self) -> Iterable[Metric]:
        """Yield every family without samples, so that nothing is read when it is registered."""
        return [_family(one) for one in (*OF_EXPORTER, *OF_MODELS)]

    def collect(self) -> Iterator[Metric]:
        """Yield every family with what stands now."""
        found = self.look()
        yield from found.own
        yield from found.models

    def look(self) -> Look:
        """Read what is new; the models' metrics are the same list again if nothing is."""
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
            return Look(own=_own(self.up, seconds, len(mistakes)), models=self._models)

    def _read(self, specs: list[ModelSpec]) -> None:
        if self._reader is None or self._follower is None:
            self._reader = LedgerReader.open_to_read()
            self._follower = Follower(self._reader)
        found = self._follower.statuses(specs)
        shown = {model: self._shown_of(model, status) for model, status in found.items()}
        before, self._shown = self._shown, shown
        same = before.keys() == shown.keys() and all(before[m] is shown[m] for m in shown)
        if not same or not self._models:
            self._models = _families(shown)

    def _shown_of(self, model: str, status: Status | GatelatchError) -> _Shown | None:
        """Return what is shown of a model; None if it cannot be read, which the log then says."""
        known = self._shown.get(model)
        if known is not None and known.status is status:
            return known
        assert self._reader is not None
        try:
            if not isinstance(status, Status):
                raise status
            asked_at = self._reader.asked_at(model)
            samples = model_samples(SeenModel(status=status, asked_at=asked_at))
        except sa.exc.SQLAlchemyError:
            raise
        except Exception as error:  # one model never costs another its metrics
            self._say(model, f"{model} is not shown: {type(error).__name__}: {error}")
            return None
        self._said.pop(model, None)
        return _Shown(status, samples)

    def close(self) -> None:
        """Let go of the ledger; the next look opens it again."""
        if self._reader is not None:
            self._reader.close()
        self._reader = self._follower = None
        self._shown, self._models = {}, []

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
        self._pages: dict[str, tuple[list[Metric], bytes]] = {}

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
        own = encoder(_Collected([*found.own, *self._process.collect()])).removesuffix(_END)
        models, written = self._pages.get(content_type, (None, b""))
        if models is not found.models:
            written = encoder(_Collected(found.models))
            if len(self._pages) >= _FORMATS:
                self._pages.clear()
            self._pages[content_type] = found.models, written
        return content_type, own + written


@dataclass(frozen=True)
class _Collected(Collector):
    families: Sequence[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.families


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
        family = _family(one)
        _add(family, one, labels.get(one.name, ()), values[one.name])
        families.append(family)
    return families


def _families(shown: dict[str, _Shown | None]) -> list[Metric]:
    families = {one.name: (_family(one), one) for one in OF_MODELS}
    for model, known in shown.items():
        family, one = families["gatelatch_model_up"]
        _add(family, one, (model,), float(known is not None))
        for metric, labels, value in known.samples if known else ():
            family, one = families[metric]
            _add(family, one, (model, *labels), value)
    return [family for family, _ in families.values()]


def _family(one: MetricFamily) -> Metric:
    if one.type == "counter":
        return CounterMetricFamily(one.name.removesuffix("_total"), one.says, labels=one.labels)
    if one.type == "info":
        return InfoMetricFamily(one.name.removesuffix("_info"), one.says, labels=())
    return GaugeMetricFamily(one.name, one.says, labels=one.labels)


def _add(family: Metric, one: MetricFamily, labels: Sequence[str], value: float) -> None:
    family.add_sample(one.name, dict(zip(one.labels, labels, strict=True)), value)
