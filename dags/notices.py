"""The DAG `gatelatch.notices`: tells people what waits for them and what happened.

It looks at all models every five minutes, and at one of them at once after a task that may have
something to tell. No other run waits for it, and nothing that fails here fails there. It is there
if a spec has `notify`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow.sdk import (
    DAG,
    AssetOrTimeSchedule,
    CronTriggerTimetable,
    get_current_context,
    task,
)
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowSkipException

from dags.assets import HAPPENED
from dags.each_model import hide_secrets
from tasks.spec.spec_files import load_all

if TYPE_CHECKING:
    from tasks.notices.channels import Channels

CONNECTION = "gatelatch_channels"


def make() -> DAG:
    @task(retries=0, execution_timeout=timedelta(minutes=5))
    def tell() -> None:
        from tasks.notices import channels, sender

        found = channels.channels_of_file() or _of_connection()
        airflow = conf.get("api", "base_url", fallback="") or "http://localhost:8080"
        named = _models_that_started_this()
        specs = [spec for spec in load_all()[0] if not named or spec.model in named]
        looked = sender.send_due(specs, found, datetime.now(UTC), airflow)
        if looked.failed:
            # Not a failure: the next run tries again, and `gatelatch_notices_pending` counts it.
            raise AirflowSkipException("; ".join(looked.failed))

    with DAG(
        "gatelatch.notices",
        schedule=AssetOrTimeSchedule(
            timetable=CronTriggerTimetable("*/5 * * * *", timezone="UTC"), assets=[HAPPENED]
        ),
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,  # what happens meanwhile starts one run more, not one for each event
        is_paused_upon_creation=False,
        tags=["gatelatch"],
        doc_md=__doc__,
    ) as dag:
        tell()
    return dag


def _models_that_started_this() -> set[str]:
    """Return the models whose tasks started this run; none if it is to look at all of them."""
    events = get_current_context()["triggering_asset_events"]
    dags = [event.source_dag_id for of_asset in events.values() for event in of_asset]
    # Of an event from elsewhere nobody knows what it is about.
    return set() if None in dags else {str(dag).partition(".")[2] for dag in dags}


def _of_connection() -> Channels:
    """Return the channels that Airflow's connection has in its extra; none without one."""
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    from tasks.notices.channels import Channels, channels_of

    try:
        extra = Connection.get(CONNECTION).extra_dejson
    except AirflowNotFoundException:
        return Channels({})
    return channels_of(extra, f"the extra of Airflow's connection {CONNECTION}")


hide_secrets()
if any(spec.notify for spec in load_all()[0]):
    dag = make()
