"""The rows of a window that people are asked to label: chosen once, and kept in the store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from tasks import formats, store
from tasks.classifier import review_choice
from tasks.classifier.review_choice import Choice
from tasks.flows.row_scores import (
    AcceptedRows,
    DescribedRow,
    NoScoredRows,
    RowScores,
    describe_rows,
    need_columns,
    need_contributions,
    scored_rows_of,
)
from tasks.ledger.ledger import Ledger
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError
from tasks.spec.review_options import Review
from tasks.spec.windows import Window

QUEUE_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class QueuedRow:
    """A row to label. `key` is a text, as labels come back; `probability` that of being chosen."""

    key: str
    margin: float
    decided: str
    contributions: Mapping[str, float]
    probability: float
    columns: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ReviewQueue:
    """The `number`-th time that rows of a window were chosen, for people to label.

    `candidates` are the rows that could have been chosen.
    """

    model: str
    window: str
    number: int
    version: int
    data_digest: str
    prefer: str
    margin_below: float | None
    candidates: int
    rows: tuple[QueuedRow, ...]

    @property
    def told(self) -> str:
        """Return a sentence for a log: figures, never a row."""
        near = f" within {self.margin_below:g} of the border" if self.margin_below else ""
        return (
            f"{self.model} v{self.version} {self.window}: {len(self.rows):,} of "
            f"{self.candidates:,} rows without a label{near} are to be reviewed ({self.prefer})"
        )

    def to_json(self) -> dict[str, Any]:
        """Return it ready for JSON; values that JSON does not know are texts."""
        return {"format": QUEUE_FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> ReviewQueue:
        """Return what `to_json` wrote. Raises formats.OtherFormat if it cannot."""
        return formats.load_stored("review queue", raw, {QUEUE_FORMAT: cls._read})

    @classmethod
    def _read(cls, raw: Mapping[str, Any]) -> ReviewQueue:
        kept = {name: value for name, value in raw.items() if name not in (formats.KEY, "rows")}
        return cls(**kept, rows=tuple(QueuedRow(**row) for row in raw["rows"]))


def choose_once(spec: ModelSpec, window: Window) -> ReviewQueue | None:
    """Choose a window's rows for review and keep them, once for each version and data digest.

    None for a window without a champion, or without an accepted row.
    """
    try:
        scored = scored_rows_of(spec, window, Ledger.open())
    except NoScoredRows:
        return None
    path = _path(spec, window, scored)
    there = queues_of(spec, window)
    if path in there:
        return read_queue(path)
    if review_of(spec).prefer == "conflicting":
        need_contributions(scored, "write another review.prefer, such as uncertain")
    queue = choose(scored, review_of(spec), number=len(there) + 1)
    store.write(path, json.dumps(queue.to_json(), default=str))
    return queue


def choose(scored: AcceptedRows, review: Review, *, number: int = 1) -> ReviewQueue:
    """Return the rows for review among those without a label; memory does not grow with them."""
    spec, window = scored.spec, scored.window
    choice: Choice[QueuedRow] = Choice(review.prefer, review.at_most)
    for batch in scored.batches():
        open_ = batch.label < 0
        if review.margin_below is not None:
            open_ &= np.abs(batch.margins) < review.margin_below
        places = np.flatnonzero(open_)
        if not len(places):
            continue
        keys = key_texts(batch.rows.column(spec.source.key)).take(places).to_pylist()
        chance = review_choice.drawn(keys, f"{spec.model}/{window.name}/{spec.training.seed}")
        order = _order(batch, places, review, chance)
        slices = _slices(batch, places, review)
        mine = choice.places(order, chance, slices)
        rows = describe_rows(
            spec, scored.classes, batch, places[mine], review.columns, "review.columns"
        )
        for at, row in zip(mine, rows, strict=True):
            queued = _queued(row, keys[at])
            choice.add(float(order[at]), float(chance[at]), keys[at], slices[at], queued)
    return ReviewQueue(
        model=spec.model,
        window=window.name,
        number=number,
        version=scored.version,
        data_digest=scored.checked.data_digest,
        prefer=review.prefer,
        margin_below=review.margin_below,
        candidates=choice.candidates,
        rows=tuple(replace(one.row, probability=one.probability) for one in choice.chosen()),
    )


def key_texts(keys: Any) -> Any:
    """Return keys as the texts by which they are told to people, and told apart."""
    import pyarrow as pa

    return keys.cast(pa.string())


def review_of(spec: ModelSpec) -> Review:
    """Return what the spec says of review. Raises SpecError if it says nothing."""
    if spec.review is None:
        raise SpecError(f"{spec.model}: the spec has no `review`; write it there (docs/rows.md)")
    return spec.review


def queues_of(spec: ModelSpec, window: Window | None = None) -> list[str]:
    """Return the paths in the store of the model's queues, or of a window's."""
    below = f"{store.REVIEW}{spec.model}" + (f"/{window.name}" if window else "")
    return [path for path in store.files_below(below) if path.endswith(".json")]


def read_queue(path: str) -> ReviewQueue:
    """Return a queue of the store."""
    return ReviewQueue.from_json(
        formats.stored_json(store.read_bytes(path).decode(errors="replace"))
    )


def _path(spec: ModelSpec, window: Window, scored: AcceptedRows) -> str:
    digest = scored.checked.data_digest
    return f"{store.REVIEW}{spec.model}/{window.name}/v{scored.version}-{digest}.json"


def _order(batch: RowScores, places: Any, review: Review, chance: Any) -> Any:
    """Return what puts rows in order, those that are preferred having the least."""
    if review.prefer == "uncertain":
        return np.abs(batch.margins[places])
    if review.prefer == "conflicting":
        return -review_choice.conflict(batch.contributions(places)[1])
    return chance


def _slices(batch: RowScores, places: Any, review: Review) -> list[str]:
    if review.over is None:
        return [""] * len(places)
    need_columns(batch, [review.over], "review.over")
    return [str(value) for value in batch.rows.column(review.over).take(places).to_pylist()]


def _queued(one: DescribedRow, key: str) -> QueuedRow:
    return QueuedRow(
        key=key,
        margin=one.margin,
        decided=one.decided,
        contributions=one.contributions,
        probability=0.0,
        columns=one.columns,
    )
