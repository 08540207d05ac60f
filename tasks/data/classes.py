"""Labels as sources write them → the classes that the spec names. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tasks.data.plain import as_texts

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.spec.model import ModelSpec

_YES = frozenset({"true", "t", "yes", "y", "1"})
_NO = frozenset({"false", "f", "no", "n", "0"})
_SHARED = 10  # rows that have a label before it is named: what may be one row's alone is not
_SHOWN, _LONGEST = 3, 40  # labels that are named, and characters of each
_MOST = 1000  # different labels: more are no classes


@dataclass
class Strangers:
    """Labels that are no class of the spec: a new class, or another way to write an old one."""

    rows: int = 0
    texts: Counter[str] | None = field(default_factory=Counter)

    def count(self, labels: pa.ChunkedArray) -> None:
        """Count labels that are no class, none of them missing."""
        import pyarrow as pa

        self.rows += len(labels)
        if self.texts is None:
            return
        try:
            found = as_texts(labels).value_counts()
        except pa.ArrowNotImplementedError:
            self.texts = None
            return
        self.texts.update({item["values"]: item["counts"] for item in found.to_pylist()})
        if len(self.texts) > _MOST:
            self.texts = None

    @property
    def told(self) -> str:
        """Return the unknown labels, by name if several rows share one, and what to do."""
        common = (self.texts or Counter()).most_common(_SHOWN)
        named = [(text, rows) for text, rows in common if rows >= _SHARED]
        parts = [f"label {_short(text)!r} in {rows:,} rows" for text, rows in named]
        if rest := self.rows - sum(rows for _, rows in named):
            parts.append(f"{'another' if parts else 'a'} label in {rest:,} rows")
        return (
            f"{', '.join(parts)} is no class of the spec; add a new class to label.classes and "
            "retrain, correct a wrong label at its source"
        )


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def are_whole_numbers(spec: ModelSpec) -> bool:
    """Return whether all classes are whole numbers."""
    return all(isinstance(name, int) for name in spec.label.classes)


def fits(spec: ModelSpec, kind: pa.DataType) -> bool:
    """Return whether labels of a type are compared with the classes as they stand."""
    from pyarrow import types as t

    numbers = (t.is_integer, t.is_floating, t.is_decimal, t.is_boolean, t.is_null)
    return are_whole_numbers(spec) and any(f(kind) for f in numbers)


def as_class_names(spec: ModelSpec, column: Any) -> Any:
    """Return labels as texts: the name of the class that each one means, else its own text.

    A 1.0 means the class 1, and of two classes that say yes and no a boolean means either, however
    it is written. An empty text is no label where classes are numbers.

    Raises
    ------
    pyarrow.ArrowNotImplementedError
        If the type has no text.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = as_texts(column)
    known = [str(name) for name in spec.label.classes]
    if pc.all(pc.is_in(texts, value_set=pa.array([*known, None], pa.string()))).as_py():
        return texts
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    distinct = texts.dictionary_encode()
    meant = [_meant(spec, known, text) for text in distinct.dictionary.to_pylist()]
    return pa.array(meant, pa.string()).take(distinct.indices)


def _meant(spec: ModelSpec, known: list[str], text: str) -> str | None:
    bare = text.strip()
    if text in known:
        return text
    if bare in known:
        return bare
    if are_whole_numbers(spec):
        if not bare:
            return None
        try:
            number = float(bare)
        except ValueError:
            number = 0.5
        if number.is_integer() and str(int(number)) in known:
            return str(int(number))
    for words in (_YES, _NO):
        if bare.lower() in words and _says_yes_or_no(known):
            return next(name for name in known if name.lower() in words)
    return text


def _says_yes_or_no(known: list[str]) -> bool:
    said = [name.lower() for name in known]
    return len(said) == 2 and any(s in _YES for s in said) and any(s in _NO for s in said)
