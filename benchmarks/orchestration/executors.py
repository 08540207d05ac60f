"""What executes the tasks: the scheduler's own processes, or a worker of Celery.

With Celery, or where PostgreSQL is asked for, Airflow's database and the ledger are on the
PostgreSQL of this machine, in databases that are made for it. Celery's queue is in its Redis.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from benchmarks.postgresql import SERVER, databases

_REDIS = "redis://127.0.0.1:6379/13"


class Executor(StrEnum):
    """Names as on the command line."""

    LOCAL = "local"
    LOCAL_POSTGRESQL = "local-postgresql"
    CELERY = "celery"


@contextmanager
def settings(executor: Executor) -> Iterator[dict[str, str]]:
    """Yield what an executor changes in the environment of the stack; its databases go after."""
    if executor is Executor.LOCAL:
        yield {}
        return
    with databases("orchestration", "airflow", "ledger") as (airflow, ledger):
        yield _databases(airflow, ledger) | (
            _celery(airflow) if executor is Executor.CELERY else {}
        )


def _databases(airflow: str, ledger: str) -> dict[str, str]:
    return {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{SERVER}/{airflow}",
        "GATELATCH_LEDGER": f"postgresql+psycopg://{SERVER}/{ledger}",
    }


def _celery(queue: str) -> dict[str, str]:
    return {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CELERY__BROKER_URL": _REDIS,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{SERVER}/{queue}",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": "3",
        "AIRFLOW__OPERATORS__DEFAULT_QUEUE": queue,
    }
