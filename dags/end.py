"""How a retrain or rollback run that dies says so: its proposal ends in the ledger.

A step that fails for good records the reason itself. If its process is gone, the task `end` does.
The monitor's next run notices what `end` cannot record, such as a run that was deleted, marked by
hand or never continued: `tasks/flows/ending.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow.sdk import Context, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from tasks.errors import Final
from tasks.spec.model import ModelSpec


def with_end(spec: ModelSpec) -> Callable[[Context], None]:
    """Return what a task calls that has failed and is not tried again."""

    def say(context: Context) -> None:
        from tasks.flows import ending

        run = context["dag_run"]
        why = ending.reason(context["ti"].task_id, context.get("exception"))
        try:
            ending.end(spec, run.run_id, run.dag_id, why)
            print(f"{run.run_id}: {ending.end_told(spec, run.run_id)}")
        except Final as error:
            # For a killed process the DAG processor calls this. It has no key; the task `end` has.
            print(error)

    return say


def end(spec: ModelSpec, last: Any) -> Any:
    """Return the task behind the last step, which runs only if a step failed."""

    @task(task_id="end", trigger_rule="one_failed")
    def ended() -> None:
        from tasks.flows import ending

        context = get_current_context()
        run = context["dag_run"]
        ending.end(spec, run.run_id, run.dag_id, "a step failed; its log in Airflow says why")
        raise AirflowFailException(f"{run.run_id}: {ending.end_told(spec, run.run_id)}")

    return last >> ended()
