"""Samples as the client library's families, and the pages written of them, model by model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from tasks.ledger.status import Status
from tasks.views.metric_catalogue import OF_MODELS
from tasks.views.metric_family import MetricFamily, MetricSample

END_OF_PAGE = b"# EOF\n"  # of OpenMetrics
Encoder = Callable[[Collector], bytes]


class Sampled(Protocol):
    """What has samples of a model, and always the same: what changes is another object."""

    @property
    def samples(self) -> Sequence[MetricSample]: ...


@dataclass(frozen=True, eq=False)
class ShownModel:
    """The samples of a model, and the status that they were made of."""

    status: Status
    samples: Sequence[MetricSample]


Shown = Mapping[str, Sampled | None]  # by model; None: it cannot be read


@dataclass(frozen=True)
class Collected(Collector):
    """Families that are there already."""

    families: Sequence[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.families


class PageWriter:
    """Writes the page of all models in one format; only what changed is written out again.

    Lines of a family stand together, whatever model they are of, so that each model's lines are
    kept by family.
    """

    def __init__(self, encoder: Encoder, families: Sequence[MetricFamily] = OF_MODELS) -> None:
        self._encoder = encoder
        self._families = families
        self._heads = [self._written(new_family(one)) for one in families]
        self._lines: dict[str, tuple[Sampled | None, list[bytes]]] = {}

    def page(self, shown: Shown) -> bytes:
        """Return the page of these models, without what ends it."""
        before, self._lines = self._lines, {}
        for model, one in shown.items():
            known = before.get(model)
            if known is None or known[0] is not one:
                known = one, self._lines_of(model, one)
            self._lines[model] = known
        by_family = zip(*(lines for _, lines in self._lines.values()), strict=True)
        bodies = [b"".join(lines) for lines in by_family] or [b""] * len(self._heads)
        return b"".join(head + body for head, body in zip(self._heads, bodies, strict=True))

    def _lines_of(self, model: str, one: Sampled | None) -> list[bytes]:
        families = families_of({model: one}, self._families)
        pairs = zip(self._heads, families, strict=True)
        return [self._written(family).removeprefix(head) for head, family in pairs]

    def _written(self, family: Metric) -> bytes:
        return self._encoder(Collected([family])).removesuffix(END_OF_PAGE)


def families_of(shown: Shown, of: Sequence[MetricFamily] = OF_MODELS) -> list[Metric]:
    """Return these families, in the order of the catalogue, with these models' samples."""
    families = {one.name: (new_family(one), one) for one in of}
    for model, known in shown.items():
        if of is OF_MODELS:
            family, one = families["gatelatch_model_up"]
            add_sample(family, one, (model,), float(known is not None))
        for metric, labels, value in known.samples if known else ():
            family, one = families[metric]
            add_sample(family, one, (model, *labels), value)
    return [family for family, _ in families.values()]


def new_family(one: MetricFamily) -> Metric:
    """Return a family without samples."""
    if one.type == "counter":
        return CounterMetricFamily(one.name.removesuffix("_total"), one.says, labels=one.labels)
    if one.type == "info":
        return InfoMetricFamily(one.name.removesuffix("_info"), one.says, labels=())
    return GaugeMetricFamily(one.name, one.says, labels=one.labels)


def add_sample(family: Metric, one: MetricFamily, labels: Sequence[str], value: float) -> None:
    """Add a series with these values of the family's labels."""
    family.add_sample(one.name, dict(zip(one.labels, labels, strict=True)), value)
