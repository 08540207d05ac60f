"""Starts the owner's own DAG once a retrain that it has to make was approved, with the evidence."""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException, AirflowRuntimeError, AirflowSkipException

from tasks.spec.model import ModelSpec


class HandOver(TriggerDagRunOperator):
    """Starts the DAG that `training.dag` names, once for each proposal, whose name the run has.

    It goes by the ledger: only what was approved there and left to the owner starts anything.
    """

    def __init__(self, *, spec: ModelSpec, **settings: Any) -> None:
        super().__init__(
            trigger_dag_id=spec.training.dag or "",
            skip_when_already_exists=True,
            # Nothing is trained here, so what comes before it is skipped.
            trigger_rule="all_done",
            **settings,
        )
        self.spec = spec

    def execute(self, context: Context) -> None:
        from airflow.sdk.api.client import ServerResponseError

        from tasks.flows.owner_evidence import evidence_for_owner

        proposal = context["dag_run"].run_id
        evidence = evidence_for_owner(self.spec, proposal)
        if evidence is None:
            raise AirflowSkipException(f"{proposal}: no approved retrain is left to the owner")
        way_out = "and then clear this task (training.dag)"
        try:
            paused = context["ti"].get_dag(self.trigger_dag_id).is_paused
        except (AirflowRuntimeError, ServerResponseError) as error:  # the latter of `dag.test`
            raise AirflowFailException(
                f"{proposal} is approved, and nothing is trained: the DAG {self.trigger_dag_id} is "
                f"not there ({str(error).splitlines()[0]}). Add it, {way_out}"
            ) from None
        if paused:
            raise AirflowFailException(
                f"{proposal} is approved, and nothing is trained: the DAG {self.trigger_dag_id} is "
                f"paused. Unpause it, {way_out}"
            )
        self.trigger_run_id, self.conf = proposal, evidence
        super().execute(context)
