"""The files in which scores stand: where they are, and how they are read.

A file's footer holds its manifest, so that scores and manifest take their name together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tasks.data import apart
from tasks.data.readers import SourceError, parquet, read_parquet, unreadable, within_bounds
from tasks.data.score_manifest import AGAIN
from tasks.data.unpacking import check_footer
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST_KEY = "gatelatch"  # of the footer's key-value metadata
_PROMOTION = re.compile(r"promotion=(\d{1,9})/scores\.parquet$")


def scores_named(spec: ModelSpec, window: Window, promotion: int) -> str:
    """Return the URL of the file with a window's scores by the champion of a promotion."""
    return f"{_folder(spec, window)}/promotion={promotion}/scores.parquet"


def newest_scores(spec: ModelSpec, window: Window) -> int | None:
    """Return the latest promotion whose champion scored a window; None if none did.

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
    return max((int(m[1]) for name in found if (m := _PROMOTION.search(name))), default=None)


def scores_manifest(spec: ModelSpec, window: Window, promotion: int) -> str | None:
    """Return the manifest in a file's footer, as text; None if there is no file.

    Raises
    ------
    SourceError
        If the file cannot be read, or has no manifest.
    """
    import fsspec
    import pyarrow as pa
    import pyarrow.parquet as pq

    url = scores_named(spec, window, promotion)
    try:
        fs, path = fsspec.core.url_to_fs(url)
        apart.first("footer", fs, path)
        with within_bounds(url), fs.open(path, "rb") as file:
            check_footer(file, fs.size(path) or 0)
            found = pq.read_metadata(file).metadata or {}
    except FileNotFoundError:
        return None
    except (ImportError, ValueError, OSError, pa.ArrowException) as error:
        raise unreadable(url, "parquet", error, AGAIN) from None
    if MANIFEST_KEY.encode() not in found:
        raise SourceError(f"{url} has no manifest: nothing here wrote it; remove it, then {AGAIN}")
    return str(found[MANIFEST_KEY.encode()].decode(errors="replace"))


def read_scores(
    spec: ModelSpec, window: Window, promotion: int, columns: list[str]
) -> Iterator[pa.RecordBatch]:
    """Yield these columns of a file of scores. Raises SourceError."""
    import fsspec
    import pyarrow as pa

    url = scores_named(spec, window, promotion)
    fs, path = fsspec.core.url_to_fs(url)
    try:
        file = parquet(fs, path, url)
        if file is None:
            return
        if missing := [name for name in columns if name not in file.schema.names]:
            raise SourceError(
                f"{url} has no column {missing[0]!r}: the spec named its columns otherwise when "
                f"it was written; remove it, then {AGAIN}"
            )
        for batch in read_parquet(fs, path, file.groups(None), columns):
            yield batch.select(columns)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(url, "parquet", error, AGAIN) from None


def _folder(spec: ModelSpec, window: Window) -> str:
    assert spec.scoring is not None
    assert spec.scoring.path is not None
    return f"{spec.scoring.path.rstrip('/')}/window={window.name}"
