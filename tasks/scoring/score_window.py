"""A window's rows → their scores: streamed, and written whole or not at all."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tasks import threads
from tasks.data import keys
from tasks.data.ahead import ahead
from tasks.data.digest import Digest
from tasks.data.score_manifest import BesideManifest, ScoreManifest, manifest_in
from tasks.data.score_places import place_of
from tasks.data.window_rows import batches
from tasks.errors import Final
from tasks.formats import parsed_json
from tasks.scoring.fit_rows import FitRows
from tasks.scoring.score_sinks import sink_of
from tasks.scoring.scorer import Scorer, answered
from tasks.signing import signatures
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    from collections.abc import Generator

    import pyarrow as pa

GROUP_ROWS = 131_072  # that are written at once


class ScoresRefused(Final):
    """Scores that no worker wrote; names them and the way out."""


def rows_digest(spec: ModelSpec, window: Window) -> str:
    """Return the digest of what is scored of a window: time, key and features of its rows.

    Raises SourceError, of which NoRows if there is no row.
    """
    digest = Digest()
    for _ in batches(spec.unscored, window, _columns(spec), digest=digest):
        pass
    return str(digest)


def manifest_of(spec: ModelSpec, window: Window, promotion: int) -> ScoreManifest | None:
    """Return what the scores of a window say of themselves; None if there are none.

    Raises
    ------
    ScoresRefused
        If no worker signed that, for this model and window.
    SourceError
        If they cannot be read.
    """
    place = place_of(spec)
    text, where = (
        place.scores_manifest(spec, window, promotion),
        place.scores_named(spec, window, promotion),
    )
    if text is None:
        return None
    found = manifest_in(text, where)
    try:
        outer: Any = parsed_json(text)
        sealed = b64decode(outer["signature"], validate=True)
        signatures.check_content(outer["manifest"].encode(), _place(spec, window), sealed)
    except (signatures.SignatureRefused, ValueError, LookupError, TypeError, AttributeError):
        raise ScoresRefused(
            f"{where} was not written by a worker for {window}: no trusted key signed its manifest "
            f"(GATELATCH_VERIFY_KEY); remove it, then score the window again (DAG "
            f"score.{spec.model})"
        ) from None
    return found


def write_scores(
    spec: ModelSpec,
    window: Window,
    scorer: Scorer,
    stands: Callable[[], None],
    *,
    again: bool = False,
) -> ScoreManifest:
    """Score a window's rows and write them, whole or not at all.

    Parameters
    ----------
    stands
        Called when all rows are scored; raises if they must not be written after all.
    again
        Whether they may take the place of scores by the same promotion.

    Raises
    ------
    SourceError
        If the rows cannot be read, NoRows if there is none.
    tasks.disk.Unusable, tasks.scoring.score_table_sink.NotWritten
        If the scores cannot be written.
    """
    import pyarrow.compute as pc

    rows = Digest()
    repeated = keys.repeated_keys(lambda: batches(spec.unscored, window, [spec.source.key]))
    fit = FitRows(spec, repeated)
    count = champions = 0
    *_, version = spec.score_columns
    found = _scored(spec, window, scorer, rows, fit)
    # Before the first row is known to be readable nothing is begun.
    first = next(found)
    with sink_of(spec, window, scorer.promotion, first.schema, again=again) as sink:
        for table in _groups(ahead(_from(first, found))):
            sink.write(table)
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
        sink.seal(_sealed(spec, window, manifest))
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
    """Yield the rows to write, batch by batch."""
    import pyarrow as pa

    margin, probability, decided, version = spec.score_columns
    source = spec.source
    kept = list(dict.fromkeys([source.key, source.time]))  # the time may be the key
    names = [*kept, margin, probability, decided, version]
    # As a column, classes are of one type.
    whole = all(isinstance(name, int) for name in spec.label.classes)
    classes = pa.array(spec.label.classes if whole else spec.label.names)
    with threads.one_blas_thread():
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
    """Join batches up to the rows that are written at once."""
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
