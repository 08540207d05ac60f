"""A fitted model ↔ the bytes of its skops file: the same fit gives the same bytes, always.

That is what makes a digest of the file a name of the model. skops itself writes object ids and the
time of day into it.
"""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

from tasks.errors import Final

# Beyond scikit-learn's public types and ufuncs, which skops trusts itself. Of the two functions one
# caps numbers, the other makes decision values a column.
TRUSTED = (
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.compose._column_transformer._RemainderColsList",
    "scipy.sparse._csr.csr_matrix",
    "numpy.clip",
    "numpy.expand_dims",
)
_SCHEMA = "schema.json"
_BROKEN = (BadZipFile, ValueError, TypeError, OSError, KeyError)


class ModelFileError(Final):
    """Bytes that are no skops file, or that hold a type which is not trusted."""


def dump(model: Any) -> bytes:
    """Return a model as a skops file, its members named by their content."""
    import skops.io as sio

    written = ZipFile(io.BytesIO(sio.dumps(model)))
    arrays = {name: written.read(name) for name in written.namelist() if name != _SCHEMA}
    names = {
        name: f"{hashlib.sha256(content).hexdigest()}.{name.rsplit('.', 1)[-1]}"
        for name, content in arrays.items()
    }
    schema = _canonical(json.loads(written.read(_SCHEMA)), names)
    members = {names[name]: content for name, content in arrays.items()}
    members[_SCHEMA] = json.dumps(schema, indent=1).encode()
    target = io.BytesIO()
    with ZipFile(target, "w") as file:
        for name in sorted(members):
            # ZipInfo without a time is 1980-01-01, whenever it is written.
            file.writestr(ZipInfo(name), members[name], ZIP_DEFLATED)
    return target.getvalue()


def _canonical(node: Any, names: dict[str, str]) -> Any:
    """Return a schema without addresses in memory, and with the members' new names.

    Nothing needs the addresses: they share objects while loading, and tell a vectoriser that it
    checked its stop words. A word of a vocabulary that reads like one of them stays.
    """
    if isinstance(node, list):
        return [_canonical(item, names) for item in node]
    if not isinstance(node, dict):
        return node
    kept: dict[str, Any] = {}
    for key, value in node.items():
        if key == "file" and isinstance(value, str):
            kept[key] = names[value]
        elif key == "_stop_words_id" and _is_flag(node.get("fixed_vocabulary_")):
            kept[key] = {**_canonical(value, names), "content": "0"}
        elif not (key == "__id__" and isinstance(value, int)):
            kept[key] = _canonical(value, names)
    return kept


def _is_flag(node: Any) -> bool:
    return isinstance(node, dict) and node.get("content") in ("true", "false")


def untrusted(content: bytes, name: str) -> list[str]:
    """Return the types of a skops file that `load` refuses; nothing of it is built.

    Raises ModelFileError if it is no skops file.
    """
    import skops.io as sio

    try:
        return sorted(set(sio.get_untrusted_types(data=content)) - set(TRUSTED))
    except _BROKEN as error:
        raise ModelFileError(f"{name} is not a readable skops file: {error}") from None


def load(content: bytes, name: str) -> Any:
    """Return the model of a skops file; no type outside of our own list is ever built.

    Raises
    ------
    ModelFileError
        If it is no skops file, or holds a type that is not trusted; names both.
    """
    import skops.io as sio
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return sio.loads(content, trusted=list(TRUSTED))
    except UntrustedTypesFoundException as error:
        raise ModelFileError(f"{name} holds types that are not trusted: {error}") from None
    except _BROKEN as error:
        raise ModelFileError(f"{name} is not a readable skops file: {error}") from None
