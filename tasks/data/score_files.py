"""The files in which scores stand: where they are, and what each says of itself.

A file's footer holds its manifest, so that scores and manifest take their name together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from tasks.data import apart
from tasks.data.readers import SourceError, parquet, read_parquet, unreadable, within_bounds
from tasks.data.unpacking import check_footer
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST_SCHEMA = "gatelatch.scores/1"
MANIFEST_KEY = "gatelatch"  # of the footer's key-value metadata
_PROMOTION = re.compile(r"promotion=(\d{1,9})/scores\.parquet$")


@dataclass(frozen=True, kw_only=True)
class BesideManifest:
    """The version that scored `rows` beside a champion which had this `share` of the keys."""

    version: int
    artifact_digest: str
    share: float
    rows: int


@dataclass(frozen=True, kw_only=True)
class ScoreManifest:
    """What a file of scores was made by, and of which rows.

    `data_digest` is that of the rows that were scored: key, time and features. `unfit` counts those
    that have no score, by reason. `beside` is there in a canary; `rows` then counts those of both.
    """

    model: str
    window: str
    version: int
    promotion: int
    artifact_digest: str
    data_digest: str
    rows: int
    unfit: Mapping[str, int]
    beside: BesideManifest | None = None

    def to_json(self) -> dict[str, Any]:
        kept = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.beside is None:
            del kept["beside"]
        else:
            kept["beside"] = vars(self.beside)
        return {"schema": MANIFEST_SCHEMA, **kept, "unfit": dict(self.unfit)}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> ScoreManifest:
        """Return what `to_json` gave. Raises ValueError."""
        if raw.get("schema") != MANIFEST_SCHEMA:
            raise ValueError
        kept = {field.name: raw[field.name] for field in fields(cls) if field.name != "beside"}
        beside = raw.get("beside")
        return cls(**kept, beside=None if beside is None else BesideManifest(**beside))


def scores_of(spec: ModelSpec, window: Window, promotion: int) -> str:
    """Return the URL of the file with a window's scores by the champion of a promotion."""
    return f"{_folder(spec, window)}/promotion={promotion}/scores.parquet"


def newest_scores(spec: ModelSpec, window: Window) -> str | None:
    """Return the URL of a window's scores by the latest champion that scored it; None if none did.

    Raises SourceError if the folder cannot be looked at.
    """
    import fsspec

    pattern = f"{_folder(spec, window)}/promotion=*/scores.parquet"
    try:
        fs, path = fsspec.core.url_to_fs(pattern)
        found = [str(name) for name in fs.glob(path)]
    except (ImportError, ValueError, OSError) as error:
        raise SourceError(
            f"scoring.path {pattern}: {type(error).__name__}: {error}; name a folder that this "
            "process can read"
        ) from None
    numbered = [(int(m[1]), name) for name in found if (m := _PROMOTION.search(name))]
    return fs.unstrip_protocol(max(numbered)[1]) if numbered else None


def manifest_text(url: str) -> str | None:
    """Return the manifest in a file's footer, as text; None if there is no file.

    Raises
    ------
    SourceError
        If the file cannot be read, or has no manifest.
    """
    import fsspec
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        fs, path = fsspec.core.url_to_fs(url)
        apart.first("footer", fs, path)
        with within_bounds(url), fs.open(path, "rb") as file:
            check_footer(file, fs.size(path) or 0)
            found = pq.read_metadata(file).metadata or {}
    except FileNotFoundError:
        return None
    except (ImportError, ValueError, OSError, pa.ArrowException) as error:
        raise unreadable(url, "parquet", error, _AGAIN) from None
    if MANIFEST_KEY.encode() not in found:
        raise SourceError(f"{url} has no manifest: nothing here wrote it; remove it, then {_AGAIN}")
    return str(found[MANIFEST_KEY.encode()].decode(errors="replace"))


_AGAIN = "score the window again (DAG score.MODEL)"


def read_scores(url: str, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield these columns of a file of scores. Raises SourceError."""
    import fsspec
    import pyarrow as pa

    fs, path = fsspec.core.url_to_fs(url)
    try:
        file = parquet(fs, path, url)
        if file is None:
            return
        if missing := [name for name in columns if name not in file.schema.names]:
            raise SourceError(
                f"{url} has no column {missing[0]!r}: the spec named its columns otherwise when "
                f"it was written; remove it, then {_AGAIN}"
            )
        for batch in read_parquet(fs, path, file.groups(None), columns):
            yield batch.select(columns)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(url, "parquet", error, _AGAIN) from None


def manifest_in(text: str, url: str) -> ScoreManifest:
    """Return the manifest in a footer's text. Raises SourceError."""
    try:
        outer: Any = json.loads(text)
        return ScoreManifest.from_json(json.loads(outer["manifest"]))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise SourceError(
            f"the manifest of {url} cannot be read; remove it, then {_AGAIN}"
        ) from None


def _folder(spec: ModelSpec, window: Window) -> str:
    assert spec.scoring is not None
    return f"{spec.scoring.path.rstrip('/')}/window={window.name}"
