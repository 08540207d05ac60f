"""A window's rows → the file of their scores: streamed, and written whole or not at all."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tasks import store
from tasks.data import keys
from tasks.data.ahead import ahead
from tasks.data.digest import Digest
from tasks.data.score_files import (
    MANIFEST_KEY,
    BesideManifest,
    ScoreManifest,
    manifest_in,
    manifest_text,
)
from tasks.data.window_rows import batches
from tasks.errors import Final
from tasks.scoring.fit_rows import FitRows
from tasks.scoring.scorer import Scorer, answered
from tasks.signing import signatures
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    from collections.abc import Generator

    import pyarrow as pa

GROUP_ROWS = 131_072  # of a row group of the file


class ScoresRefused(Final):
    """A file of scores that no worker wrote; names it and the way out."""


def rows_digest(spec: ModelSpec, window: Window) -> str:
    """Return the digest of what is scored of a window: time, key and features of its rows.

    Raises SourceError, of which NoRows if there is no row.
    """
    digest = Digest()
    for _ in batches(spec.unscored, window, _columns(spec), digest=digest):
        pass
    return str(digest)


def manifest_at(spec: ModelSpec, window: Window, url: str) -> ScoreManifest | None:
    """Return what a file of scores says of itself; None if there is no file.

    Raises
    ------
    ScoresRefused
        If no worker signed that, for this model and window.
    SourceError
        If the file cannot be read.
    """
    text = manifest_text(url)
    if text is None:
        return None
    found = manifest_in(text, url)
    try:
        outer: Any = json.loads(text)
        sealed = b64decode(outer["signature"], validate=True)
        signatures.check_content(outer["manifest"].encode(), _place(spec, window), sealed)
    except (signatures.SignatureRefused, ValueError, LookupError, TypeError, AttributeError):
        raise ScoresRefused(
            f"{url} was not written by a worker for {window}: no trusted key signed its manifest "
            f"(GATELATCH_VERIFY_KEY); remove it, then score the window again (DAG "
            f"score.{spec.model})"
        ) from None
    return found


def write_scores(
    spec: ModelSpec, window: Window, scorer: Scorer, url: str, stands: Callable[[], None]
) -> ScoreManifest:
    """Score a window's rows and write them to a file, whole or not at all.

    Parameters
    ----------
    stands
        Called when all rows are scored; raises if they must not be written after all.

    Raises
    ------
    SourceError
        If the rows cannot be read, NoRows if there is none.
    tasks.disk.Unusable
        If the file cannot be written.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    rows = Digest()
    repeated = keys.repeated_keys(lambda: batches(spec.unscored, window, [spec.source.key]))
    fit = FitRows(spec, repeated)
    count = champions = 0
    _, _, decision, version = spec.score_columns
    found = _scored(spec, window, scorer, rows, fit)
    # Before the first row is known to be readable no file is begun.
    first = next(found)
    with store.whole_at(url, f"{url} (scoring.path)") as file:
        schema = first.schema
        few = [decision, version]
        with pq.ParquetWriter(file, schema, use_dictionary=few, write_statistics=True) as writer:
            for table in _groups(ahead(_from(first, found))):
                writer.write_table(table)
                count += table.num_rows
                champions += pc.sum(pc.equal(table.column(version), scorer.version)).as_py() or 0
            manifest = ScoreManifest(
                model=spec.model,
                window=window.name,
                version=scorer.version,
                promotion=scorer.promotion,
                artifact_digest=scorer.artifact_digest,
                data_digest=str(rows),
                rows=count,
                unfit=dict(fit.unfit.most_common()),
                beside=_beside(scorer, count - champions),
            )
            stands()
            writer.add_key_value_metadata({MANIFEST_KEY: _sealed(spec, window, manifest)})
    return manifest


def _beside(scorer: Scorer, rows: int) -> BesideManifest | None:
    earlier = scorer.earlier
    if earlier is None:
        return None
    return BesideManifest(
        version=earlier.version,
        artifact_digest=earlier.artifact_digest,
        share=earlier.sides.share,
        rows=rows,
    )


def _columns(spec: ModelSpec) -> list[str]:
    return list(dict.fromkeys([spec.source.time, spec.source.key, *spec.features.columns]))


def _place(spec: ModelSpec, window: Window) -> str:
    return f"scores/{spec.model}/{window.name}"


def _sealed(spec: ModelSpec, window: Window, manifest: ScoreManifest) -> str:
    text = json.dumps(manifest.to_json(), sort_keys=True)
    signature = signatures.seal_content(text.encode(), _place(spec, window))
    return json.dumps({"manifest": text, "signature": b64encode(signature).decode()})


def _from(
    first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]
) -> Generator[pa.RecordBatch, None, None]:
    yield first
    yield from rest


def _scored(
    spec: ModelSpec, window: Window, scorer: Scorer, digest: Digest, fit: FitRows
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of the file, batch by batch."""
    import pyarrow as pa
    from threadpoolctl import threadpool_limits

    margin, probability, decided, version = spec.score_columns
    source = spec.source
    kept = list(dict.fromkeys([source.key, source.time]))  # the time may be the key
    names = [*kept, margin, probability, decided, version]
    # As a column, classes are of one type.
    whole = all(isinstance(name, int) for name in spec.label.classes)
    classes = pa.array(spec.label.classes if whole else spec.label.names)
    with threadpool_limits(1, "blas"):
        for batch in batches(spec.unscored, window, _columns(spec), digest=digest):
            rows, columns = fit.of(batch)
            said = answered(spec, scorer, rows.column(source.key), columns)
            yield pa.record_batch(
                [
                    *(rows.column(name) for name in kept),
                    pa.array(said.confidence),
                    pa.array(said.probability),
                    classes.take(pa.array(said.decided)),
                    pa.array(said.version),
                ],
                names=names,
            )


def _groups(found: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Join batches up to the rows of a row group."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    count = 0
    for batch in found:
        held.append(batch)
        count += batch.num_rows
        if count >= GROUP_ROWS:
            yield pa.Table.from_batches(held)
            held, count = [], 0
    if held:
        yield pa.Table.from_batches(held)
