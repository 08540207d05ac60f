"""Score a window's accepted rows batch by batch into a summary, in constant memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks import store
from tasks.ledger import Ledger
from tasks.observing import reference_of
from tasks.promotion import follow
from tasks.quarantine import accepted
from tasks.spec import ModelSpec
from tasks.versions import model_of
from tasks.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.summary import Summary


def measure(spec: ModelSpec, window: Window, validated: dict[str, Any]) -> dict[str, Any]:
    """Score the accepted rows batch by batch into a summary, and keep that in the store."""
    import json

    from tasks.summary import to_json

    if validated["problem"]:
        return {**validated, "summary": None}
    summary = _measure(spec, window, validated)
    follow(spec, Ledger.open())
    path = f"summaries/{spec.model}/v{validated['version']}/{window.name}-"
    path += f"{spec.digest}-{validated['data_digest']}.json"
    store.write(path, json.dumps(to_json(summary), separators=(",", ":")))
    return {**validated, "summary": path}


def _measure(spec: ModelSpec, window: Window, validated: dict[str, Any]) -> Summary:
    from functools import reduce

    from threadpoolctl import threadpool_limits

    from tasks import scoring
    from tasks.summary import merge
    from tasks.training import features, labels, weights

    version = validated["version"]
    grid = reference_of(spec, Ledger.open(), version).summary.grid
    score = _scores(spec, version, logged=not validated["what_if"])
    # The other core reads ahead; threads of BLAS that wait for it by spinning only take it away.
    with threadpool_limits(1, "blas"):
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

    from tasks import scoring

    model = model_of(spec, Ledger.open(), version)
    column = spec.source.margin if logged else None

    def score(batch: pa.RecordBatch, frame: Any) -> tuple[Any, Any, Any]:
        decision, inputs = scoring.score(model, frame)
        if column is not None:
            decision = batch.column(column).to_numpy().astype(np.float64)
        return model, decision, inputs

    return score
