"""The steps that are timed, each in a process of its own: `python -m benchmarks.score.steps`.

Called with a step and a number of rows. They work in the current folder, on the files and the
champion of `benchmarks.speed.steps`.
"""

from __future__ import annotations

import shutil
import sys

from benchmarks.speed.steps import DAY, FEATURES, START, bootstrap, land, spec, timed
from ops import preloaded
from tasks.spec.model import ModelSpec

COLUMNS = ["id", "time", *FEATURES]


def _spec() -> ModelSpec:
    return ModelSpec.model_validate(
        {**spec().model_dump(mode="json", exclude_none=True), "scoring": {"path": "scores"}}
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


STEPS = {f.__name__: f for f in (land, bootstrap, both, score, canary, fetched)}

if __name__ == "__main__":
    STEPS[sys.argv[1]](int(sys.argv[2]))
