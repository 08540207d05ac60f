"""A model whose labels come days after its rows, and what lands them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.flows import monitor
from tasks.flows.measure import measure
from tasks.ledger.records import Observation
from tasks.spec.model import ModelSpec
from tasks.spec.source_options import LabelColumn, LabelSource
from tests.support.flow import MODEL, day, rows, window

LATE = MODEL.model_copy(
    update={
        "label": LabelColumn(
            column="y",
            classes=(0, 1),
            delay=timedelta(days=2),
            source=LabelSource(path="labels/{date}.parquet"),
        )
    }
)


def label(number: int, share: float = 1.0, **columns: Any) -> None:
    """Land the labels of a day, in the file of the day on which they are known."""
    found = rows(number)
    count = int(share * len(found["id"]))
    table = {"id": found["id"][:count], "y": found["y"][:count], **columns}
    pq.write_table(pa.table(table), f"labels/{day(number + 2):%Y-%m-%d}.parquet")


def watch(number: int, spec: ModelSpec = LATE) -> Observation:
    validated = monitor.validate(spec, window(number))
    return monitor.judge(spec, window(number), measure(spec, window(number), validated))
