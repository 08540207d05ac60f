"""Databases on the PostgreSQL of this machine, made for one run of a benchmark."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

SERVER = "postgres@127.0.0.1:5432"


@contextmanager
def databases(benchmark: str, *uses: str) -> Iterator[list[str]]:
    """Yield the name of a new database for each use; all of them go afterwards."""
    names = [f"{benchmark}_{use}_{os.getpid()}" for use in uses]
    engine = sa.create_engine(
        f"postgresql+psycopg://{SERVER}/postgres", isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as link:
        for name in names:
            link.exec_driver_sql(f"create database {name}")
        try:
            yield names
        finally:
            for name in names:
                link.exec_driver_sql(f"drop database {name} with (force)")
            engine.dispose()
