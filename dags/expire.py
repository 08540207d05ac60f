"""The DAG `gatelatch.expire`: carries out the retention policies, so that nobody has to remember.

It looks at all models once a day. Where the workers' role may not thin figures, it removes files
and says whose work the figures are; `python -m tasks doctor` says if nobody does it. It is there if
a spec has `retention`. Expiries are rows of the ledger, as those by hand are.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, CronTriggerTimetable, task

from dags.each_model import DEFAULTS
from tasks.spec.spec_files import load_all

DAG_ID = "gatelatch.expire"


def make() -> DAG:
    @task
    def expire() -> dict[str, int]:
        from tasks.errors import GatelatchError, Retryable
        from tasks.flows import expire as expiring
        from tasks.ledger import status
        from tasks.ledger.ledger import Ledger

        ledger, failed, gone = Ledger.open(), [], 0
        for spec in load_all()[0]:
            try:  # a model's fault is no other's
                if not any(expiring.due(status.read(spec, ledger), ledger)):
                    continue
                for one in expiring.expire(spec, DAG_ID):
                    gone += one.count
                    print(f"{spec.model}: {expiring.described(one, try_out=False)}")
            except GatelatchError as error:
                failed.append(f"{spec.model}: {error}")
        if failed:
            raise Retryable("; ".join(failed))
        return {"expired": gone}

    with DAG(
        DAG_ID,
        schedule=CronTriggerTimetable("17 3 * * *", timezone="UTC"),
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        default_args=DEFAULTS,
        is_paused_upon_creation=False,
        tags=["gatelatch"],
        doc_md=__doc__,
    ) as dag:
        expire()
    return dag


if any(spec.retention.model_dump(exclude_none=True) for spec in load_all()[0]):
    dag = make()
