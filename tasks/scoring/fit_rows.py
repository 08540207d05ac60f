"""Which rows of a window can be scored, and why others cannot."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks.arrays import Mask
from tasks.data.frame import feature_columns
from tasks.data.keys import repeats
from tasks.data.readers import SourceError
from tasks.spec.model import ModelSpec

if TYPE_CHECKING:
    import pyarrow as pa

_LARGEST = 1e100  # beyond it the monitor puts a number aside, too


class FitRows:
    """Takes the rows that can be scored from a stream, and counts the others by reason.

    Parameters
    ----------
    repeated
        Keys that occur more than once, from `repeated_keys`; the first row of each is scored.
    """

    def __init__(self, spec: ModelSpec, repeated: pa.Array) -> None:
        self._spec, self._repeated = spec, repeated
        self._seen: set[Any] = set()
        self.unfit: Counter[str] = Counter()

    def of(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, dict[str, NDArray[Any]]]:
        """Return the rows of a batch that can be scored, and their feature columns.

        Raises
        ------
        SourceError
            If a column is not there, or of no type that a feature has.
        """
        spec = self._spec
        source = spec.source
        for name in (source.time, source.key, *spec.features.columns):
            if name not in batch.schema.names:
                raise SourceError(f"{source} has no column {name!r}; write it, then score again")
            batch = self._take(batch, _there(batch.column(name)), f"{name} is missing")
        if len(self._repeated):
            keys = batch.column(source.key)
            again = repeats(keys, keys.type, self._repeated, self._seen)
            batch = self._take(batch, ~again, f"{source.key} stood there before")
        columns = self._columns(batch)
        for name in spec.features.numeric:
            low, high = _ends(columns[name])
            if not (low >= -_LARGEST and high <= _LARGEST):
                with np.errstate(invalid="ignore"):
                    finite = np.abs(columns[name]) <= _LARGEST
                batch = self._take(batch, finite, f"{name} is not finite")
                columns = {other: column[finite] for other, column in columns.items()}
        return batch, columns

    def _columns(self, batch: pa.RecordBatch) -> dict[str, NDArray[Any]]:
        import pyarrow as pa

        try:
            return feature_columns(self._spec, batch)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            kinds = [f"{n} ({batch.column(n).type})" for n in self._spec.features.columns]
            raise SourceError(
                f"{self._spec.source}: a column is not of the type of its feature: "
                f"{', '.join(kinds)}; write numbers and texts, then score again"
            ) from None

    def _take(self, batch: pa.RecordBatch, fit: Mask | None, why: str) -> pa.RecordBatch:
        import pyarrow as pa

        if fit is None or fit.all():
            return batch
        self.unfit[why] += int((~fit).sum())
        return batch.filter(pa.array(fit))


def _there(column: pa.Array) -> Mask | None:
    """Return where values are; None if all are there."""
    if not column.null_count:
        return None
    return np.asarray(column.is_valid().to_numpy(zero_copy_only=False))


def _ends(column: Any) -> tuple[float, float]:
    return (0.0, 0.0) if not len(column) else (float(column.min()), float(column.max()))
