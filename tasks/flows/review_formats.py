"""A review queue in the formats that labelling tools document for import. Pure.

Label Studio: a JSON list of tasks with `data` and `meta`. Argilla 2: a JSON list of dictionaries
for `dataset.records.log`, whose keys are names of fields and metadata. CSV: one row for each.
No format proposes a label: who sees an answer first tends to agree with it.
"""

from __future__ import annotations

import csv
import json
from typing import IO, Any, Literal, TypeAlias

from tasks.flows.review_queue import QueuedRow, ReviewQueue

ExportFormat: TypeAlias = Literal["label-studio", "argilla", "csv"]
_PARTS = 5  # contributions that are shown


def write_queue(queue: ReviewQueue, form: ExportFormat, file: IO[str]) -> None:
    """Write a queue."""
    if form == "csv":
        rows = [{"key": r.key, **r.columns, **_said(queue, r)} for r in queue.rows]
        names = list(rows[0]) if rows else ["key"]
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return
    make = _task if form == "label-studio" else _record
    json.dump([make(queue, row) for row in queue.rows], file, indent=1, default=str)
    file.write("\n")


def _task(queue: ReviewQueue, row: QueuedRow) -> dict[str, Any]:
    data = {"key": row.key, **row.columns, "contributions": _evidence(row)}
    said = _said(queue, row)
    return {"data": data, "meta": {name: said[name] for name in said if name not in data}}


def _record(queue: ReviewQueue, row: QueuedRow) -> dict[str, Any]:
    # A field of Argilla is a text.
    fields = {name: str(value) for name, value in row.columns.items()}
    return {"id": row.key, **fields, **_said(queue, row)}


def _said(queue: ReviewQueue, row: QueuedRow) -> dict[str, Any]:
    return {
        "contributions": _evidence(row),
        "margin": row.margin,
        "probability": row.probability,
        "window": queue.window,
        "version": queue.version,
    }


def _evidence(row: QueuedRow) -> str:
    return ", ".join(
        f"{name} {part:+.3f}" for name, part in list(row.contributions.items())[:_PARTS]
    )
