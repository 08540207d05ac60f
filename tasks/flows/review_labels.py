"""Labels that come back from review: counted apart, held against what was asked; in no loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.data.label_source import joined_keys, known_labels
from tasks.data.plain import plain_type
from tasks.data.readers import SourceError
from tasks.flows.review_queue import ReviewQueue, key_texts, queues_of, read_queue, review_of
from tasks.flows.row_scores import AcceptedRows
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class WeighedRate:
    """A rate among all `rows` that could have been chosen, of `labels`, with its standard error."""

    rate: float
    error: float
    rows: int
    labels: int


def weighed(wrong: Sequence[bool], probability: Sequence[float], rows: int) -> WeighedRate | None:
    """Return the rate of wrong answers among `rows`, of which some were drawn and labelled.

    Each label counts for 1/probability rows (Hájek, 1971). Its error is that of the linearised
    ratio, without the correction for a finite number of rows. None of fewer than two labels.

    Examples
    --------
    >>> weighed([True, False], [0.1, 0.4], 25).rate
    0.8
    """
    if len(wrong) < 2:
        return None
    weight = 1 / np.asarray(probability, dtype=np.float64)
    value = np.asarray(wrong, dtype=np.float64)
    rate = float((weight * value).sum() / weight.sum())
    error = float(np.sqrt((weight**2 * (value - rate) ** 2).sum()) / weight.sum())
    return WeighedRate(rate=rate, error=error, rows=rows, labels=len(value))


@dataclass(frozen=True, kw_only=True)
class Returned:
    """What came back of a window's queue.

    `unknown` labels name keys that no queue of the model has; of `twice` keys two labels differ;
    `after_the_fact` are rows that have a label of their own by now, of which some `differ`.
    `strange` ones name no class.
    """

    asked: int
    reviewed: int
    unknown: int
    twice: int
    strange: int
    after_the_fact: int
    differ: int
    error: WeighedRate | None = None

    @property
    def told(self) -> list[str]:
        """Return a sentence on each thing that is to be known."""
        lines = [
            f"{self.reviewed:,} of {self.asked:,} rows have a reviewed label; these are counted "
            "apart, and no loss of a window is estimated with them",
            "nothing is estimated of the other rows: these were chosen for their doubt, or fewer "
            "than two labels came back"
            if self.error is None
            else f"about {self.error.rate:.1%} ± {2 * self.error.error:.1%} of the "
            f"{self.error.rows:,} rows that could have been chosen are answered wrongly: of "
            f"{self.error.labels:,} labels, each weighed by its probability, two standard errors",
        ]
        wrong = {
            "name a key that no review of this model asked about; correct review.labels.key, or "
            "take them out": self.unknown,
            "have two labels that differ, and none counts; leave one": self.twice,
            "have a label that is none of label.classes; correct it": self.strange,
            "have a label of their own by now, which goes before the reviewed one"
            + (f" ({self.differ:,} differ)" if self.differ else ""): self.after_the_fact,
        }
        return lines + [f"{count:,} labels {what}" for what, count in wrong.items() if count]


def returned(scored: AcceptedRows) -> Returned:
    """Hold the labels that came back against what was asked of a window.

    Raises
    ------
    tasks.data.readers.SourceError
        If the labels cannot be read.
    """
    spec, window = scored.spec, scored.window
    queues = [read_queue(path) for path in queues_of(spec, window)]
    asked = {row.key for queue in queues for row in queue.rows}
    ever = {row.key for path in queues_of(spec) for row in read_queue(path).rows}
    key_type = next(iter(scored.batches())).rows.column(spec.source.key).type
    text_of = _by_joined_key(ever, plain_type(key_type))
    labels: dict[str, set[str]] = {}
    unknown: set[Any] = set()
    for batch in _came(spec, window, plain_type(key_type)):
        pairs = zip(batch.column("key").to_pylist(), batch.column("label").to_pylist(), strict=True)
        for joined, label in pairs:
            key = text_of.get(joined)
            if key is None:
                unknown.add(joined)
            elif key in asked:
                labels.setdefault(key, set()).add(label)
    twice = {key for key, said in labels.items() if len(said) > 1}
    single = {key: min(said) for key, said in labels.items() if key not in twice}
    strange = {key for key, label in single.items() if label not in spec.label.names}
    own = _own_labels(scored, single.keys() - strange)
    verdicts = Counter(own[key] == single[key] for key in own)
    return Returned(
        asked=len(asked),
        reviewed=len(single) - len(strange) - len(own),
        unknown=len(unknown),
        twice=len(twice),
        strange=len(strange),
        after_the_fact=len(own),
        differ=verdicts[False],
        error=_error(queues, {key: single[key] for key in single.keys() - strange}),
    )


def _error(queues: list[ReviewQueue], labels: dict[str, str]) -> WeighedRate | None:
    """Return what the newest queue tells of its rows, if chance chose them; else None."""
    queue = max(queues, key=lambda queue: queue.number, default=None)
    if queue is None or queue.prefer not in ("random", "slices"):
        return None
    rows = [row for row in queue.rows if row.key in labels]
    wrong = [row.decided != labels[row.key] for row in rows]
    return weighed(wrong, [row.probability for row in rows], queue.candidates)


def _by_joined_key(texts: set[str], key_type: pa.DataType) -> dict[Any, str]:
    """Return the texts of keys by the keys in the type in which labels name them."""
    import pyarrow as pa

    ordered = sorted(texts)
    try:
        keys = joined_keys(pa.array(ordered, pa.string()).cast(key_type), key_type)
    except pa.ArrowInvalid:  # whose text would quote a key
        raise SourceError(
            f"the keys that were asked about are no {key_type}, as those of the source now are; "
            "remove the older files below review/ in the store"
        ) from None
    return dict(zip(keys.to_pylist(), ordered, strict=True))


def _came(spec: ModelSpec, window: Window, key_type: pa.DataType) -> Iterator[pa.RecordBatch]:
    """Yield keys and labels, read as those of `label.source` are."""
    source = review_of(spec).labels
    if source is None:
        return
    named = source.model_copy(update={"column": source.column or spec.label.column})
    label = spec.label.model_copy(update={"source": named})
    yield from known_labels(spec.model_copy(update={"label": label}), window, key_type)


def _own_labels(scored: AcceptedRows, keys: set[str]) -> dict[str, str]:
    """Return the labels that rows have of their own by now, of these keys."""
    found: dict[str, str] = {}
    for batch in scored.batches() if keys else ():
        for key, label in zip(
            key_texts(batch.rows.column(scored.spec.source.key)).to_pylist(),
            batch.label,
            strict=True,
        ):
            if label >= 0 and key in keys:
                found[key] = scored.classes[label]
    return found
