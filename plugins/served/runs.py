"""Which runs of a DAG were of a window, as Airflow has them."""

from __future__ import annotations

from datetime import datetime

from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from sqlalchemy import select

_NEWEST = 3


def runs_of(dag: str, start: datetime) -> tuple[str, ...]:
    """Return the ids of the newest runs whose data interval begins there; often one.

    A run that was triggered by hand for a window has another interval, and is not among them.
    """
    query = (
        select(DagRun.run_id)
        .where(DagRun.dag_id == dag, DagRun.data_interval_start == start)
        .order_by(DagRun.id.desc())
        .limit(_NEWEST)
    )
    with create_session() as session:
        return tuple(session.scalars(query))
