"""What executes the tasks: the scheduler's own processes, or a worker of Celery.

With Celery, or where PostgreSQL is asked for, Airflow's database and the ledger are on the
PostgreSQL of this machine, in databases that are made for it. Celery's queue is in its Redis.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

import sqlalchemy as sa

_POSTGRES = "postgres@127.0.0.1:5432"
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
    names = [f"orchestration_{what}_{os.getpid()}" for what in ("airflow", "ledger")]
    engine = sa.create_engine(
        f"postgresql+psycopg://{_POSTGRES}/postgres", isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as link:
        for name in names:
            link.exec_driver_sql(f"create database {name}")
        try:
            yield _databases(*names) | (_celery(names[0]) if executor is Executor.CELERY else {})
        finally:
            for name in names:
                link.exec_driver_sql(f"drop database {name} with (force)")
    engine.dispose()


def _databases(airflow: str, ledger: str) -> dict[str, str]:
    return {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{_POSTGRES}/{airflow}",
        "GATELATCH_LEDGER": f"postgresql+psycopg://{_POSTGRES}/{ledger}",
    }


def _celery(queue: str) -> dict[str, str]:
    return {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CELERY__BROKER_URL": _REDIS,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{_POSTGRES}/{queue}",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": "3",
        "AIRFLOW__OPERATORS__DEFAULT_QUEUE": queue,
    }
