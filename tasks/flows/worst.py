"""The worst rows of a window, for the few who may see them: ranked, recorded, and then shown."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

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
from tasks.ledger.records import RowLook
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError
from tasks.spec.windows import Window

if TYPE_CHECKING:
    from tasks.arrays import Floats

Ranking: TypeAlias = Literal["loss", "margin", "contribution"]


@dataclass(frozen=True, kw_only=True)
class WorstRows:
    """The worst rows of a window, the worst first; `ranked` of the accepted ones had a rank."""

    scored: AcceptedRows
    by: Ranking
    columns: tuple[str, ...]
    rows: list[DescribedRow]
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
    if by == "contribution":
        need_contributions(scored, "rank the rows --by loss or margin")
    best: list[tuple[float, int, DescribedRow]] = []
    first = ranked = 0
    for batch in scored.batches():
        need_columns(batch, columns, "--columns")
        rank = _ranks(batch, by)
        known = np.flatnonzero(~np.isnan(rank))
        ranked += len(known)
        # No more than could still be among them become Python's objects.
        nearest = known[np.argsort(rank[known], kind="stable")[:at_most]]
        rows = describe_rows(spec, scored.classes, batch, nearest, columns, "--columns")
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


def _ranks(batch: RowScores, by: Ranking) -> Floats:
    """Return what puts a batch's rows in order, the worst having the least; NaN: no rank."""
    if by == "loss":
        return batch.labelled_margins  # the hinge loss falls as they rise
    if by == "margin":
        return np.abs(batch.margins)
    return np.asarray(-np.abs(batch.contributions()[1]).max(axis=1))
