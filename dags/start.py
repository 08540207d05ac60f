"""Starts the run in which a person is asked; fails if somebody should be asked and nobody is."""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from tasks.spec.model import ModelSpec

_MOST = 100  # run ids that somebody else may have taken
_ACTIVE = ["queued", "running"]


class Start(TriggerDagRunOperator):
    """Starts the run that the task `due` returned, once, even if another monitor run starts it too.

    If a run that is over has the run id, and the ledger does not know it, somebody else took the
    id. The next number is then tried.
    """

    def __init__(self, *, spec: ModelSpec, due: str, **settings: Any) -> None:
        super().__init__(
            trigger_dag_id=f"retrain.{spec.model}", skip_when_already_exists=True, **settings
        )
        self.spec = spec
        self.due = due

    def execute(self, context: Context) -> None:
        from tasks.flows.next_action import NextAction

        told = context["ti"].xcom_pull(task_ids=self.due)
        if told is None:  # who clears this task alone gets here
            raise AirflowSkipException(f"{self.due} found nothing due")
        action = NextAction.from_json(told)
        run = action.run
        if run is None:
            raise AirflowFailException(action.silence)
        self.trigger_dag_id = f"{run.flow}.{self.spec.model}"
        if context["ti"].get_dag(self.trigger_dag_id).is_paused:
            raise AirflowFailException(
                f"{run.proposal} is due and nobody is asked: the DAG {self.trigger_dag_id} is "
                "paused. Unpause it; the next run of this DAG asks, or clear this task"
            )
        self.trigger_run_id = self._free(context["ti"], run.proposal)
        self.conf = dict(run.conf)
        super().execute(context)

    def _free(self, ti: Any, proposal: str) -> str:
        from tasks.drift.episode import Numbered

        first = Numbered.parse(proposal)
        if first is None:
            raise AirflowFailException(f"{proposal} is no name of a proposal for an episode")
        for k in range(first.number, first.number + _MOST):
            name = str(Numbered(episode=first.episode, number=k))
            runs = {"dag_id": self.trigger_dag_id, "run_ids": [name]}
            # In this order: a run that another monitor starts just now must not look like one
            # that is over.
            if not ti.get_dr_count(**runs):
                return name
            if ti.get_dr_count(**runs, states=_ACTIVE):
                raise AirflowSkipException(f"{name} is on its way")
            print(f"{name}: this run id was taken by somebody else")
        raise AirflowFailException(
            f"{proposal} is due and nobody is asked: {_MOST} run ids from it on are taken. Delete "
            f"those runs of {self.trigger_dag_id}"
        )
