"""The worst rows of a window, for the few who may see them: ranked, recorded, and then shown."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from tasks.classifier.margins import hinge
from tasks.flows.row_scores import AcceptedRows, NoScoredRows, RowScores, scored_rows_of
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import RowLook
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError
from tasks.spec.windows import Window

if TYPE_CHECKING:
    from tasks.arrays import Floats, Ints

Ranking: TypeAlias = Literal["loss", "margin", "contribution"]


@dataclass(frozen=True, kw_only=True)
class RankedRow:
    """One row: what is said of it, and the columns that were asked for.

    `margin` is f(x) of two classes; of more, the top score minus the second. `contributions` are
    the features' parts of it, the largest first. `loss` is the hinge loss, None without a label.
    """

    key: Any
    margin: float
    decided: str
    loss: float | None
    contributions: dict[str, float]
    columns: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class WorstRows:
    """The worst rows of a window, the worst first; `ranked` of the accepted ones had a rank."""

    scored: AcceptedRows
    by: Ranking
    columns: tuple[str, ...]
    rows: list[RankedRow]
    ranked: int

    @property
    def told(self) -> str:
        """Return a sentence on what is listed, and what is not."""
        of, checked = self.scored, self.scored.checked
        without = checked.accepted - self.ranked
        return (
            f"{of.spec.model} version {of.version}, {of.window}: {len(self.rows):,} of "
            f"{checked.accepted:,} accepted rows, by {self.by}"
            + (f"; {without:,} without a label have no loss" if without else "")
            + f"; {checked.quarantined:,} in quarantine are not among them"
        )


def worst(
    spec: ModelSpec,
    window: Window,
    *,
    by: Ranking,
    at_most: int,
    columns: Sequence[str] = (),
) -> WorstRows:
    """Return the worst rows of a window as its champion scores them; memory does not grow with it.

    Parameters
    ----------
    by
        `loss`: the largest hinge loss first. `margin`: the nearest to the border first.
        `contribution`: the largest part of a margin that one feature has first.

    Raises
    ------
    tasks.spec.part.SpecError
        If a column is none that the spec names.
    NoScoredRows
        If the window has no champion, no accepted row, or, for `loss`, no label.
    tasks.registry.tracking.RegistryRefused, tasks.ledger.chain.LedgerRefused
        If the model or the ledger is not what was accepted.
    """
    unknown = [name for name in columns if name not in spec.columns]
    if unknown:
        raise SpecError(
            f"--columns {', '.join(unknown)}: no column that the spec of {spec.model} names; "
            f"there are: {', '.join(spec.columns)}"
        )
    scored = scored_rows_of(spec, window, Ledger.open())
    best: list[tuple[float, int, RankedRow]] = []
    first = ranked = 0
    for batch in scored.batches():
        _need_columns(batch, columns)
        rank = _ranks(batch, by)
        known = np.flatnonzero(~np.isnan(rank))
        ranked += len(known)
        # No more than could still be among them become Python's objects.
        nearest = known[np.argsort(rank[known], kind="stable")[:at_most]]
        rows = _ranked_rows(scored, batch, nearest, columns)
        places = (first + nearest).tolist()
        found = zip(rank[nearest].tolist(), places, rows, strict=True)
        best = heapq.nsmallest(at_most, [*best, *found])
        first += batch.rows.num_rows
    if not ranked:
        raise NoScoredRows(
            f"{spec.model} {window}: none of the {scored.checked.accepted:,} accepted rows has a "
            f"label, so none has a loss; rank them --by margin, or wait for labels of "
            f"{spec.label.source or spec.source} (label.delay)"
        )
    return WorstRows(
        scored=scored,
        by=by,
        columns=tuple(columns),
        rows=[row for _, _, row in best],
        ranked=ranked,
    )


def look_of(found: WorstRows, *, by: str, shown: str) -> RowLook:
    """Return what is to be recorded before these rows are shown."""
    of = found.scored
    return RowLook(
        model=of.spec.model,
        purpose="worst",
        window_start=of.window.start,
        window_end=of.window.end,
        version=of.version,
        data_digest=of.checked.data_digest,
        by=by,
        ranked=found.by,
        rows=len(found.rows),
        columns=list(found.columns),
        shown=shown,
    )


def _need_columns(batch: RowScores, columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in batch.rows.schema.names]
    if missing:
        raise SpecError(f"--columns {', '.join(missing)}: not in the rows of this window")


def _ranks(batch: RowScores, by: Ranking) -> Floats:
    """Return what puts a batch's rows in order, the worst having the least; NaN: no rank."""
    if by == "loss":
        return batch.labelled_margins  # the hinge loss falls as they rise
    if by == "margin":
        return np.abs(batch.margins)
    return np.asarray(-np.abs(batch.contributions()[1]).max(axis=1))


def _ranked_rows(
    scored: AcceptedRows, batch: RowScores, places: Ints, columns: Sequence[str]
) -> Iterator[RankedRow]:
    if not len(places):
        return
    names, parts = batch.contributions(places)
    picked = batch.rows.take(places)
    keys = picked.column(scored.spec.source.key).to_pylist()
    shown = [picked.column(name).to_pylist() for name in columns]
    margins, losses = batch.margins[places], hinge(batch.labelled_margins[places])
    decided = batch.decided[places]
    for row, key in enumerate(keys):
        order = np.argsort(-np.abs(parts[row]), kind="stable")
        yield RankedRow(
            key=key,
            margin=float(margins[row]),
            decided=scored.classes[decided[row]],
            loss=None if np.isnan(losses[row]) else float(losses[row]),
            contributions={names[i]: float(parts[row, i]) for i in order},
            columns={name: values[row] for name, values in zip(columns, shown, strict=True)},
        )
