"""A DAG of an owner: it trains where the model lives, and hands in the margins of what it trained.

An approved retrain of the model `logged` starts it. Of Gatelatch it uses one function.
"""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, get_current_context, task

with DAG("train_trees", schedule=None):

    @task
    def train() -> dict[str, Any]:
        import pyarrow.dataset as ds
        import pyarrow.parquet as pq

        from tasks.flows.handed_margins import keep_margins
        from tasks.spec.spec_files import find

        evidence = get_current_context()["dag_run"].conf
        spec = find(evidence["model"])
        rows_from, rows_until = (
            datetime.fromisoformat(evidence[name]) for name in ("rows_from", "rows_until")
        )
        folder = str(spec.source.path).partition("{date}")[0]
        rows = ds.dataset(folder, format="parquet").to_table(
            filter=(ds.field("time") >= rows_from) & (ds.field("time") < rows_until)
        )
        # What it learns of these rows: the rule has turned round.
        margins = rows.select(["id"]).append_column("score", [[-s.as_py() for s in rows["score"]]])
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch, "margins.parquet")
            pq.write_table(margins, file)
            digest = keep_margins(spec, "trees-2", file)
        return {"action": "adopt", "model_file": digest, "until": evidence["rows_until"]}

    TriggerDagRunOperator(task_id="propose", trigger_dag_id="retrain.logged", conf=train())
