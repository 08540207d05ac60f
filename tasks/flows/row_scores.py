"""A window's accepted rows, each as the window's champion scores it; streamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks import threads
from tasks.audit.verified_model import classes_of, model_of
from tasks.classifier import older_classes, scoring
from tasks.classifier.adopted import is_logged
from tasks.classifier.contributions import row_contributions
from tasks.classifier.finite import need_finite
from tasks.classifier.linear import explained
from tasks.classifier.margins import confidence, hinge, margin
from tasks.data.frame import class_indices, feature_columns
from tasks.data.served_by import of_version
from tasks.errors import Final
from tasks.flows.observe import constants_of
from tasks.ledger.ledger import Ledger
from tasks.ledger.logged_names import logged_names
from tasks.ledger.records import champion_at
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError
from tasks.spec.windows import Window
from tasks.validation.checked_rows import Checked, accepted_but, check_without_keeping

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.arrays import Floats, Ints


class NoScoredRows(Final):
    """No row of a window can be ranked; the message says why."""


@dataclass(frozen=True, kw_only=True)
class DescribedRow:
    """One row: what is said of it, and the columns that were asked for.

    `margin` is f(x) of two classes; of more, the top score minus the second. `contributions` are
    the features' parts of it, the largest first; none where nobody can say them. `loss` is the
    hinge loss, None without a label.
    """

    key: Any
    margin: float
    decided: str
    loss: float | None
    contributions: dict[str, float]
    columns: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class RowScores:
    """A batch of accepted rows as a version scores them.

    `decision` has the shape (n,) of two classes, else (n, k). `label` are indices of `classes`, -1
    where none is known, shape (n,).
    """

    rows: pa.RecordBatch
    model: Any
    inputs: Any
    decision: Floats
    label: Ints

    @property
    def margins(self) -> Floats:
        """Return f(x) of two classes; of more, the top score minus the second; shape (n,)."""
        return confidence(self.decision)

    @property
    def labelled_margins(self) -> Floats:
        """Return the margins with their labels, NaN where none is known; shape (n,)."""
        found = np.full(len(self.label), np.nan)
        known = self.label >= 0
        found[known] = margin(self.decision[known], self.label[known])
        return found

    @property
    def decided(self) -> Ints:
        """Return the index of the class that is decided for; shape (n,)."""
        if self.decision.ndim == 1:
            return np.asarray(self.decision > 0, dtype=np.int64)
        return np.asarray(self.decision.argmax(axis=1))

    def contributions(self, places: Any = slice(None)) -> tuple[list[str], Floats]:
        """Return the features, and what each adds to the margins of some rows, shape (n, F).

        None of a model whose margins are no known sum over the features.
        """
        if not explained(self.model):
            return [], np.zeros((len(self.decision[places]), 0))
        return row_contributions(self.model, self.inputs[places], self.decision[places])


@dataclass(frozen=True, kw_only=True)
class AcceptedRows:
    """The accepted rows of a window, and what is known of them before the first is read."""

    spec: ModelSpec
    window: Window
    version: int
    classes: tuple[str, ...]
    checked: Checked
    model: Any
    bad: Ints
    names: Mapping[str, int] | None = None

    def batches(self) -> Iterator[RowScores]:
        """Yield the rows in the order of the source, up to 32 768 at a time.

        Raises
        ------
        tasks.data.readers.SourceChanged
            If they are no longer those that were checked.
        tasks.classifier.finite.NotFinite
            If one has a score that is no number.
        """
        at = older_classes.places(self.classes, self.spec.label.names)
        stream = accepted_but(self.spec, self.window, self.bad, self.checked.data_digest)
        with threads.one_blas_thread():
            for batch in stream:
                # Of a model that is never here, no other rows have margins of this version.
                mine = None if self.names is None else self.version
                rows = of_version(self.spec, batch, mine, self.names)
                if not rows.num_rows:
                    continue
                with np.errstate(over="ignore", invalid="ignore"):  # named by need_finite
                    decision, inputs = scoring.score(self.model, feature_columns(self.spec, rows))
                need_finite(decision)
                label = at[class_indices(self.spec, rows)]
                yield RowScores(
                    rows=rows, model=self.model, inputs=inputs, decision=decision, label=label
                )


def describe_rows(
    spec: ModelSpec,
    classes: Sequence[str],
    batch: RowScores,
    places: Ints,
    columns: Sequence[str],
    option: str,
) -> Iterator[DescribedRow]:
    """Yield some rows of a batch as they are described to people.

    Parameters
    ----------
    option
        Where the columns were named, for the error.

    Raises
    ------
    tasks.spec.part.SpecError
        If the rows do not have a column.
    """
    if not len(places):
        return
    need_columns(batch, columns, option)
    names, parts = batch.contributions(places)
    picked = batch.rows.take(places)
    keys = picked.column(spec.source.key).to_pylist()
    shown = {name: picked.column(name).to_pylist() for name in columns}
    margins, losses = batch.margins[places], hinge(batch.labelled_margins[places])
    decided = batch.decided[places]
    for row, key in enumerate(keys):
        order = np.argsort(-np.abs(parts[row]), kind="stable")
        yield DescribedRow(
            key=key,
            margin=float(margins[row]),
            decided=classes[decided[row]],
            loss=None if np.isnan(losses[row]) else float(losses[row]),
            contributions={names[i]: float(parts[row, i]) for i in order},
            columns={name: values[row] for name, values in shown.items()},
        )


def need_columns(batch: RowScores, columns: Sequence[str], option: str) -> None:
    """Raise SpecError if the rows do not have these columns, which an option named."""
    missing = [name for name in columns if name not in batch.rows.schema.names]
    if missing:
        raise SpecError(f"{option} {', '.join(missing)}: not in the rows of this window")


def need_contributions(scored: AcceptedRows, way_out: str) -> None:
    """Raise NoScoredRows if nobody can say which features a margin comes from."""
    if not explained(scored.model):
        why = "its margins are no sum over the features"
        if is_logged(scored.model):
            why = "production logs its margins, and the model itself is not here"
        raise NoScoredRows(
            f"{scored.spec.model} version {scored.version}: contributions are not available: "
            f"{why}; {way_out}"
        )


def scored_rows_of(
    spec: ModelSpec, window: Window, ledger: Ledger, version: int | None = None
) -> AcceptedRows:
    """Check a window's rows for a version, keeping nothing, and return how it scores them.

    Without a `version` it is the window's champion.

    Raises
    ------
    NoScoredRows
        If the window had no champion, or no row of it is accepted.
    tasks.registry.tracking.RegistryRefused, tasks.ledger.chain.LedgerRefused
        If the model or the ledger is not what was accepted.
    """
    if version is None:
        period = champion_at(ledger.promotions(spec.model), window.start)
        if period is None:
            raise NoScoredRows(
                f"{spec.model} had no champion for {window}; name a window since the first "
                f"promotion (python -m tasks status {spec.model})"
            )
        version = period.version
    model = model_of(spec, ledger, version)
    checked, bad = check_without_keeping(spec, window, constants_of(spec, ledger, version))
    if not checked.accepted:
        told = checked.problem or f"all {checked.rows:,} rows are in quarantine"
        raise NoScoredRows(f"{spec.model} {window}: no row is accepted: {told}")
    return AcceptedRows(
        spec=spec,
        window=window,
        version=version,
        classes=classes_of(spec, ledger, version),
        checked=checked,
        model=model,
        bad=bad,
        names=logged_names(spec, ledger.candidates(spec.model), version),
    )
