"""What the monitor DAG does with one window: validate → measure → judge.

Each step returns a small JSON-ready dict for the next; rows and summaries stay in the store.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tasks import store
from tasks.ledger import Ledger
from tasks.readers import SourceChanged as SourceChanged
from tasks.records import Candidate, Observation, champion_at
from tasks.source import Digest, SourceError, batches
from tasks.spec import ModelSpec
from tasks.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.reference import Reference
    from tasks.summary import Summary
    from tasks.validation import Validation

_WEIGHTLESS = "the sample weights of the labelled rows sum to zero, so the losses are not compared"


def validate(spec: ModelSpec, window: Window, *, version: int | None = None) -> dict[str, Any]:
    """Validate a window's rows, quarantine the bad ones, write the report.

    Returns
    -------
    `version` the window is to be measured with (None: there was no champion), `problem` (why it
    cannot be measured, or None), counts, `data_digest`, `warnings`, and paths in the store.
    """
    ledger = Ledger.open()
    what_if = version is not None
    if version is None:
        period = champion_at(ledger.promotions(spec.model), window.start)
        if period is None:
            return {"version": None, "problem": no_champion(spec, window)}
        version = period.version
    constants = constants_of(spec, ledger, version)
    checked = check_rows(spec, window, constants, version)
    return {"version": version, "what_if": what_if, **checked}


def no_champion(spec: ModelSpec, window: Window) -> str:
    """Return the sentence for a window before the first champion."""
    return (
        f"{spec.model} had no champion for {window}; train the first one: trigger "
        f"retrain.{spec.model} with reason 'bootstrap', then run this window again"
    )


def constants_of(spec: ModelSpec, ledger: Ledger, version: int) -> dict[str, float]:
    """Return the features that were constant in a version's reference, with their value."""
    reference = reference_of(spec, ledger, version)
    return {name: m.mean for name, m in reference.summary.features.items() if m.constant}


def check_rows(
    spec: ModelSpec, window: Window, constants: dict[str, float], version: int | None = None
) -> dict[str, Any]:
    """Validate the rows of any interval; see `validate`."""
    import pyarrow.parquet as pq

    from tasks import keys, report, validation

    place = f"{spec.model}/{window.name}"
    digest = Digest()
    with tempfile.TemporaryDirectory() as folder:
        # Files of one window may type a column differently: one quarantine file for each schema.
        writers: dict[pa.Schema, pq.ParquetWriter] = {}

        def quarantine(rows: pa.Table) -> None:
            schema = rows.schema.remove_metadata()
            if schema not in writers:
                writers[schema] = pq.ParquetWriter(f"{folder}/{len(writers)}.parquet", schema)
            writers[schema].write_table(rows.replace_schema_metadata())

        try:
            repeated = keys.repeated_keys(batches(spec, window, [spec.source.key]))
            result = validation.validate(
                spec,
                window,
                digest.tap(batches(spec, window)),
                repeated=repeated,
                constants=constants,
                quarantine=quarantine,
            )
        except SourceChanged:
            raise
        except SourceError as error:
            result = _unreadable(str(error))
            digest = Digest.of(str(error))  # a file that breaks after it was missing is news
        bad = []
        for number, writer in enumerate(writers.values()):
            writer.close()
            bad.append(f"quarantine/{place}/{digest}-{number}.parquet")
            store.put(bad[-1], f"{folder}/{number}.parquet")
    address = f"reports/{place}/validation-{digest}.html"
    page = report.report_html(spec, window, result, model_version=version, data_digest=str(digest))
    store.write(address, page)
    return {
        "problem": result.problem,
        "rows": result.rows,
        "accepted": result.accepted,
        "quarantined": result.quarantined,
        "warnings": list(result.warnings),
        "data_digest": str(digest),
        "quarantine": bad,
        "report": address,
    }


def _unreadable(problem: str) -> Validation:
    from tasks.validation import Validation

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
    for batch in digest.tap(batches(spec, window)):
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
    import io

    import numpy as np
    import pyarrow.parquet as pq

    tables = [pq.read_table(io.BytesIO(store.read(path)), columns=["_row"]) for path in paths]
    found = [table.column("_row").to_numpy() for table in tables]
    return np.sort(np.concatenate([np.empty(0, dtype=np.int64), *found]))


def measure(spec: ModelSpec, window: Window, validated: dict[str, Any]) -> dict[str, Any]:
    """Score the accepted rows batch by batch into a summary, and keep that in the store."""
    import json

    from tasks.summary import to_json

    if validated["problem"]:
        return {**validated, "summary": None}
    summary = _measure(spec, window, validated)
    path = f"summaries/{spec.model}/v{validated['version']}/{window.name}-"
    path += f"{spec.digest}-{validated['data_digest']}.json"
    store.write(path, json.dumps(to_json(summary), separators=(",", ":")))
    return {**validated, "summary": path}


def _measure(spec: ModelSpec, window: Window, validated: dict[str, Any]) -> Summary:
    from functools import reduce

    from tasks import scoring
    from tasks.summary import merge
    from tasks.training import features, labels, weights

    version = validated["version"]
    grid = reference_of(spec, Ledger.open(), version).summary.grid
    score = _scores(spec, version, logged=not validated["what_if"])
    return reduce(
        merge,
        (
            scoring.summarise_rows(
                spec,
                grid,
                model,
                frame,
                labels(spec, batch),
                decision,
                inputs,
                weights(spec, batch),
            )
            for batch in accepted(spec, window, validated)
            if batch.num_rows
            for frame in [features(spec, batch)]
            for model, decision, inputs in [score(batch, frame)]
        ),
    )


def _scores(spec: ModelSpec, version: int, *, logged: bool) -> Any:
    """Return what gives a batch's model, decision values and inputs; logged ones go first."""
    import numpy as np

    from tasks import registry, scoring

    model = registry.load(spec.model, version)
    column = spec.source.margin if logged else None

    def score(batch: pa.RecordBatch, frame: Any) -> tuple[Any, Any, Any]:
        decision, inputs = scoring.score(model, frame)
        if column is not None:
            decision = batch.column(column).to_numpy().astype(np.float64)
        return model, decision, inputs

    return score


def judge(spec: ModelSpec, window: Window, measured: dict[str, Any]) -> Observation:
    """Hold the summary against the reference and append the observation.

    If the champion of the window changed since it was validated, the window is measured again.
    """
    ledger = Ledger.open()
    if not measured["what_if"]:
        champion = champion_at(ledger.promotions(spec.model), window.start)
        if champion is not None and champion.version != measured["version"]:
            measured = measure(spec, window, validate(spec, window))
    return ledger.observe(_observation(spec, window, measured, ledger))


def _observation(
    spec: ModelSpec, window: Window, measured: dict[str, Any], ledger: Ledger
) -> Observation:
    import json

    from tasks import drift
    from tasks.explanation import explain
    from tasks.reference import from_json as reference_from_json
    from tasks.summary import from_json

    counts = {k: measured[k] for k in ("rows", "accepted", "quarantined", "warnings")}
    told: dict[str, Any] = {}
    if measured["problem"]:
        judgement = drift.insufficient(measured["problem"])
    else:
        summary = from_json(json.loads(store.read(measured["summary"])))
        champion = candidate_of(spec, ledger, measured["version"])
        reference = reference_from_json(champion.reference)
        judgement = drift.judge(summary, reference, spec)
        told = explain(summary, reference, judgement, champion.metrics["hinge_gap"])
        if summary.losses.weight:
            told |= summary.losses.rates
        elif summary.labelled:
            counts["warnings"] = [*counts["warnings"], _WEIGHTLESS]
        counts["labelled"] = summary.labelled
    statistics = [
        {**asdict(s), "limit": s.limit, "pressure": s.pressure} for s in judgement.statistics
    ]
    return Observation(
        model=spec.model,
        version=measured["version"],
        window_start=window.start,
        window_end=window.end,
        spec_digest=spec.digest,
        data_digest=measured["data_digest"],
        verdict=judgement.verdict,
        reason=judgement.reason,
        pressure=judgement.pressure,
        figures={**counts, **told, "statistics": statistics, "report": measured["report"]},
    )


def reference_of(spec: ModelSpec, ledger: Ledger, version: int) -> Reference:
    """Return what windows of a version are held against. Raises SpecError if there is none."""
    from tasks.reference import from_json

    return from_json(candidate_of(spec, ledger, version).reference)


def candidate_of(spec: ModelSpec, ledger: Ledger, version: int) -> Candidate:
    """Return the candidate that became a version. Raises SpecError if there is none."""
    from tasks.spec import SpecError

    candidate = ledger.candidate(spec.model, version)
    if candidate is None:
        known = ", ".join(str(c.version) for c in ledger.candidates(spec.model)) or "none"
        raise SpecError(f"{spec.model} has no version {version} in the ledger; there are: {known}")
    return candidate


def due(spec: ModelSpec) -> str | None:
    """Return the name of the proposal that an open episode waits for; None if none does.

    Read from the newest state of the fold, whichever window the caller just observed: so the last
    of several parallel runs finds what they saw together.
    """
    from tasks import status

    return status.read(spec, Ledger.open()).due
