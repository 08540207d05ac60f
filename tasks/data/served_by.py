"""Which model version scored a row, by the column in which production logged it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.arrays import Ints
from tasks.data.plain import as_texts
from tasks.spec.model import ModelSpec

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN = 20  # versions counted by their number: a column of something else has thousands
_NUMBER = r"^\s*[vV]?(?P<number>\d{1,9})(?:\.0*)?\s*$"


def versions(column: pa.Array, names: Mapping[str, int] | None = None) -> Ints:
    """Return the version that each row names, shape (n,); -1 where it names none.

    `3`, `3.0`, `"3"` and `"v3"` name version 3, whatever the column's type.

    Parameters
    ----------
    names
        Which version each name stands for, where numbers do not name them.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if names is not None:
        texts = pc.utf8_trim_whitespace(as_texts(column).cast(pa.string()))
        place = pc.index_in(texts, value_set=pa.array(list(names), pa.string()))
        known = pa.array(list(names.values()), pa.int64()).take(place)
        return np.asarray(known.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
    found = pc.extract_regex(column.cast(pa.string()), _NUMBER)
    numbers = pc.struct_field(found, "number").cast(pa.int64())
    return np.asarray(numbers.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)


def of_version(
    spec: ModelSpec,
    batch: pa.RecordBatch,
    version: int | None,
    names: Mapping[str, int] | None = None,
) -> pa.RecordBatch:
    """Return the rows that a version scored; all of them for None. `names` as in `versions`."""
    import pyarrow as pa

    if version is None or spec.source.version_column is None:
        return batch
    mine = versions(batch.column(spec.source.version_column), names) == version
    return batch if mine.all() else batch.filter(pa.array(mine))


@dataclass(frozen=True, kw_only=True)
class ScoredBy:
    """How many rows each version scored, how many further versions did, and how many name none."""

    versions: Mapping[int, int]
    others: int
    none: int

    def to_json(self) -> dict[str, Any]:
        """Return it ready for JSON, where keys are texts."""
        named = {str(version): rows for version, rows in self.versions.items()}
        return {"versions": named, "others": self.others, "none": self.none}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> ScoredBy:
        """Return what `to_json` wrote."""
        named = {int(version): rows for version, rows in raw["versions"].items()}
        return cls(versions=named, others=raw["others"], none=raw["none"])


class ServedCount:
    """How many rows each version scored; fed by a stream. `names` as in `versions`."""

    def __init__(self, column: str | None, names: Mapping[str, int] | None = None) -> None:
        self._column = column
        self._names = names
        self._named: Counter[int] = Counter()
        self._unnamed = self._others = 0

    def tap(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the batches unchanged."""
        for batch in batches:
            if self._column in batch.schema.names:
                self._add(versions(batch.column(self._column), self._names))
            yield batch

    def _add(self, found: Ints) -> None:
        for version, rows in zip(*np.unique(found, return_counts=True), strict=True):
            if version < 0:
                self._unnamed += int(rows)
            elif version in self._named or len(self._named) < _SHOWN:
                self._named[int(version)] += int(rows)
            else:
                self._others += int(rows)

    def scored_by(self) -> ScoredBy:
        """Return what was counted so far."""
        named = dict(sorted(self._named.items()))
        return ScoredBy(versions=named, others=self._others, none=self._unnamed)


def unknown(
    scored_by: ScoredBy, known: Iterable[int], names: Mapping[str, int] | None = None
) -> str | None:
    """Return a sentence on rows that no version of the ledger scored; None if there are none."""
    ours = set(known)
    strange = {v: rows for v, rows in scored_by.versions.items() if v not in ours}
    parts = [f"{rows:,} by version {version}" for version, rows in strange.items()]
    parts += [f"{scored_by.others:,} by still others"] if scored_by.others else []
    told = [f"rows were scored {', '.join(parts)}, unknown to the ledger"] if parts else []
    ours_are = "" if names is None else f" that was handed in ({', '.join(names)})"
    told += [f"{scored_by.none:,} rows name no version{ours_are}"] if scored_by.none else []
    return f"{'; '.join(told)}: they are not measured" if told else None
