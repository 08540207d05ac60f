"""The rows of an interval: the bad ones put aside with their reason, the rest handed on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tasks import scratch, store
from tasks.data.digest import Digest
from tasks.data.outside import Outside
from tasks.data.readers import SourceChanged, SourceError
from tasks.data.served_by import Count
from tasks.data.window_rows import batches
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.validation.checked_window import Validation


def check_rows(
    spec: ModelSpec,
    window: Window,
    constants: dict[str, float],
    version: int | None = None,
    *,
    page: bool = True,
) -> dict[str, Any]:
    """Validate the rows of any interval, quarantine the bad ones, write the report's page.

    Returns
    -------
    `problem` (why they cannot be measured, or None), counts, `scored_by` (see `scored_by.Count`,
    where the spec names that column), `data_digest`, `warnings`, and paths in the store;
    `seen_digest` is of the rows and of what lies outside of all windows.
    """
    import pyarrow.parquet as pq

    from tasks.data import keys
    from tasks.reports import validation_page
    from tasks.validation import checked_window

    place = f"{spec.model}/{window.name}"
    digest, scored, outside = Digest(), Count(spec.source.version_column), Outside()
    with scratch.folder() as folder, ExitStack() as written:
        # Where a file lacks a column: one quarantine file for each schema.
        writers: dict[pa.Schema, pq.ParquetWriter] = {}

        def quarantine(rows: pa.Table) -> None:
            schema = rows.schema.remove_metadata()
            if schema not in writers:
                file = f"{folder}/{len(writers)}.parquet"
                writers[schema] = written.enter_context(pq.ParquetWriter(file, schema))
            writers[schema].write_table(rows.replace_schema_metadata())

        try:
            repeated = keys.repeated_keys(lambda: batches(spec, window, [spec.source.key]))
            result = checked_window.validate(
                spec,
                window,
                scored.tap(batches(spec, window, digest=digest, outside=outside)),
                repeated=repeated,
                constants=constants,
                quarantine=quarantine,
            )
        except SourceChanged:
            raise
        except SourceError as error:
            result = _unreadable(str(error))
            digest = Digest.of(str(error))  # a file that breaks after it was missing is news
            outside = Outside()
        result = replace(result, warnings=(*result.warnings, *outside.told))
        written.close()
        bad = []
        for number in range(len(writers)):
            bad.append(f"quarantine/{place}/{digest}-{number}.parquet")
            store.put(bad[-1], f"{folder}/{number}.parquet")
    address = f"reports/{place}/validation-{digest}.html"
    if page:
        told = validation_page.report_html(
            spec, window, result, model_version=version, data_digest=str(digest)
        )
        store.write(address, told)
    return {
        "problem": result.problem,
        "rows": result.rows,
        "accepted": result.accepted,
        "quarantined": result.quarantined,
        **({"scored_by": scored.figures()} if spec.source.version_column else {}),
        "warnings": list(result.warnings),
        "data_digest": str(digest),
        "seen_digest": digest.beside(outside.told),
        "quarantine": bad,
        "report": address,
    }


def _unreadable(problem: str) -> Validation:
    from tasks.validation.checked_window import Validation

    return Validation(0, 0, 0, (), problem, ())


def accepted(
    spec: ModelSpec, window: Window, validated: dict[str, Any]
) -> Iterator[pa.RecordBatch]:
    """Yield the window's rows without the quarantined ones.

    Raises
    ------
    SourceChanged
        If the rows are no longer those that were validated.
    """
    import numpy as np
    import pyarrow as pa

    bad = _quarantined_rows(validated["quarantine"])
    digest = Digest()
    first = 0
    for batch in batches(spec, window, digest=digest):
        here = bad[np.searchsorted(bad, first) : np.searchsorted(bad, first + batch.num_rows)]
        if len(here):
            keep = np.ones(batch.num_rows, dtype=bool)
            keep[here - first] = False
            yield batch.filter(pa.array(keep))
        else:
            yield batch
        first += batch.num_rows
    if str(digest) != validated["data_digest"]:
        raise SourceChanged(
            f"the rows of {window} changed after they were validated; clear this run from its "
            "first task on to use the new ones"
        )


def _quarantined_rows(paths: list[str]) -> Any:
    import numpy as np
    import pyarrow.parquet as pq

    found = [np.empty(0, dtype=np.int64)]
    for path in paths:
        with store.reading(path) as file:
            found.append(pq.read_table(file, columns=["_row"]).column("_row").to_numpy())
    return np.sort(np.concatenate(found))
