"""A process of its own that loads a pickle, and writes what it holds as a skops file.

Loading a pickle may run whatever its author wrote. So nothing but the command `adopt` starts this,
by hand, and only the types that its user trusts are built.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# What holds arrays and plain values together, in any pickle of NumPy's and joblib's.
_PLAIN = {
    "builtins.slice",
    "collections.OrderedDict",
    "joblib.numpy_pickle.NumpyArrayWrapper",
    "numpy.dtype",
    "numpy.ndarray",
    *(f"numpy.{kind}" for kind in ("bool_", "float32", "float64", "int32", "int64")),
    *(
        f"numpy.{core}.multiarray.{name}"
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    ),
    "numpy._core.numeric._frombuffer",
    "numpy.core.numeric._frombuffer",
}


class _Placeholder:
    """Stands for something that is not trusted: it takes whatever it is given, and does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...


def load_trusted(path: Path, trusted: Sequence[str]) -> tuple[Any, list[str]]:
    """Return what a pickle or joblib file holds, and what of it is not trusted.

    Where something is not trusted, nothing of it is imported, and what is returned is of no use.
    """
    from joblib import numpy_pickle  # type: ignore[import-untyped]  # it has none

    allowed, strange = {*_PLAIN, *trusted}, set()

    class Restricted(numpy_pickle.NumpyUnpickler):  # type: ignore[misc]  # joblib has no types
        def find_class(self, module: str, name: str) -> Any:
            full = f"{module}.{name}"
            if full in allowed:
                return super().find_class(module, name)
            strange.add(full)
            return _Placeholder

    found = None
    try:
        with (
            path.open("rb") as file,
            numpy_pickle._validate_fileobject_and_memmap(file, str(path), None) as (opened, _),
        ):
            found = Restricted(str(path), opened, ensure_native_byte_order=True).load()
    except Exception:
        if not strange:  # else a placeholder was in the way
            raise
    return found, sorted(strange)


def convert(source: str, target: str, trusted: Sequence[str]) -> None:
    """Write the skops file; print as JSON what is not trusted, and what was warned of."""
    import skops.io as sio

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found, strange = load_trusted(Path(source), trusted)
    if not strange:
        Path(target).write_bytes(sio.dumps(found))
    told = sorted({str(one.message).splitlines()[0] for one in said})
    print(json.dumps({"strange": strange, "warnings": told}))


if __name__ == "__main__":
    convert(sys.argv[1], sys.argv[2], sys.argv[3:])
