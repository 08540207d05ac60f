"""The steps that are timed, each in a process of its own: `python -m benchmarks.score.steps`.

Called with a step and a number of rows. They work in the current folder, on the files and the
champion of `benchmarks.speed.steps`.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

from benchmarks.speed.steps import DAY, FEATURES, START, bootstrap, land, spec, timed
from ops import preloaded
from tasks.spec.model import ModelSpec

COLUMNS = ["id", "time", *FEATURES]


def _spec(**place: str) -> ModelSpec:
    scoring = place or {"path": "scores"}
    return ModelSpec.model_validate(
        {**spec().model_dump(mode="json", exclude_none=True), "scoring": scoring}
    )


def both(_: int) -> None:
    """Read the columns and write as many as a score has, with nothing in between."""
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    def work() -> None:
        data = ds.dataset(f"date={START + DAY:%Y-%m-%d}", format="parquet")
        batches = data.to_batches(columns=COLUMNS, batch_size=131_072)
        names = ["id", "time", "margin", "probability", "decision", "model_version"]
        writer = None
        for batch in batches:
            fixed = [pa.repeat(pa.scalar(1, pa.int64()), batch.num_rows)]
            fixed.append(pa.repeat(pa.scalar(1, pa.int32()), batch.num_rows))
            numbers = [batch["id"], batch["time"], batch["x0"], batch["x1"]]
            table = pa.table([*numbers, *fixed], names=names)
            few = ["decision", "model_version"]
            writer = writer or pq.ParquetWriter("alone.parquet", table.schema, use_dictionary=few)
            writer.write_table(table)
        assert writer is not None
        writer.close()

    timed(work)


def both_table(_: int) -> None:
    """Read the columns and write a score's into a table, with nothing in between."""
    import io

    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.dataset as ds
    import sqlalchemy as sa

    engine = sa.create_engine(os.environ["SCORES"])
    columns = "scored_window text, promotion int, id {0}, time {1}, margin float, chance float"
    columns += ", decision {0}, version int"
    postgres = engine.dialect.name == "postgresql"
    kinds = ("bigint", "timestamptz") if postgres else ("integer", "text")
    with engine.begin() as link:
        link.exec_driver_sql("drop table if exists alone")
        link.exec_driver_sql(f"create table alone ({columns.format(*kinds)})")
        link.exec_driver_sql("create index alone_window on alone (scored_window, promotion)")

    def work() -> None:
        data = ds.dataset(f"date={START + DAY:%Y-%m-%d}", format="parquet")
        with engine.begin() as link:
            driver: Any = link.connection.driver_connection
            for batch in data.to_batches(columns=COLUMNS, batch_size=131_072):
                one = [pa.repeat(pa.scalar(fixed), batch.num_rows) for fixed in ("20260102", 1, 1)]
                time = batch["time"] if postgres else batch["time"].cast(pa.string())
                arrays = [*one[:2], batch["id"], time, batch["x0"], batch["x1"], one[1], one[2]]
                rows = pa.record_batch(arrays, names=[f"c{n}" for n in range(8)])
                if postgres:
                    text = io.BytesIO()
                    pc.write_csv(rows, text, pc.WriteOptions(include_header=False))
                    with driver.cursor().copy("copy alone from stdin (format csv)") as stream:
                        stream.write(text.getbuffer())
                else:
                    values = zip(*(column.to_pylist() for column in rows.columns), strict=True)
                    driver.executemany("insert into alone values (?,?,?,?,?,?,?,?)", values)

    timed(work)


def score_table(_: int) -> None:
    import sqlalchemy as sa

    from tasks.flows.score import score_once
    from tasks.spec.windows import window_at

    preloaded.load()
    with sa.create_engine(os.environ["SCORES"]).begin() as link:
        for table in ("scores", "scores_manifests"):
            link.exec_driver_sql(f"drop table if exists {table}")
    model = _spec(table="scores", database="SCORES")
    window = window_at(model.window, START + DAY)
    assert timed(lambda: score_once(model, window)).written


def score(_: int) -> None:
    from tasks.flows.score import score_once
    from tasks.spec.windows import window_at

    preloaded.load()  # as Airflow's scheduler has, before it forks a task
    shutil.rmtree("scores", ignore_errors=True)
    model = _spec()
    window = window_at(model.window, START + DAY)
    assert timed(lambda: score_once(model, window)).written


def canary(_: int) -> None:
    """Score as in a canary: a tenth of the keys by one version, the others by another.

    Both are the champion, as what each version computes makes no difference to what a split costs.
    """
    from tasks.audit.verified_model import champion_of
    from tasks.ledger.ledger import Ledger
    from tasks.scoring.score_window import write_scores
    from tasks.scoring.scorer import Earlier, Scorer
    from tasks.scoring.sides import Sides
    from tasks.spec.windows import window_at

    preloaded.load()
    shutil.rmtree("scores", ignore_errors=True)
    model = _spec()
    window = window_at(model.window, START + DAY)

    def work() -> int:
        ledger = Ledger.open()
        (champion,) = ledger.promotions(model.model)
        named = {
            "model": champion_of(model, ledger, champion.version),
            "artifact_digest": ledger.version(model.model, champion.version).artifact_digest,
        }
        sides = Sides(share=0.1, secret=b"a secret of the benchmark's own.")
        earlier = Earlier(version=0, sides=sides, **named)
        scorer = Scorer(version=1, promotion=1, earlier=earlier, **named)
        return write_scores(model, window, scorer, lambda: None).rows

    assert timed(work)


def fetched(_: int) -> None:
    """Leave the champion in a folder, as a program without the ledger gets it."""
    from tasks.scoring.fetch import fetch

    spec()
    fetch("large", to="champion")


_ALL = (land, bootstrap, both, score, canary, both_table, score_table, fetched)
STEPS = {f.__name__: f for f in _ALL}

if __name__ == "__main__":
    STEPS[sys.argv[1]](int(sys.argv[2]))
