"""The rollback DAG of each model: verify an earlier champion, then make it champion again."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, get_current_context, task

from dags.each_model import DEFAULTS, each_model, final, linked
from tasks.spec import ModelSpec


def make(spec: ModelSpec) -> DAG:
    @task
    def verify() -> dict[str, int]:
        from tasks import rollback
        from tasks.registry import RegistryError

        wanted = get_current_context()["params"]["version"]
        with final(rollback.RollbackError, RegistryError):
            champion, version = rollback.target(spec, wanted)
        return {"expected": champion, "version": version}

    @task
    def promote_back(move: dict[str, int]) -> dict[str, Any]:
        from tasks import registry, rollback
        from tasks.ledger import Conflict

        context = get_current_context()
        run = context["dag_run"]
        with final(Conflict):
            done = rollback.promote_back(
                spec,
                run.run_id,
                **move,
                by=run.triggering_user_name or "unknown",
                reason=context["params"]["reason"],
            )
        print(f"version {done.version} is champion for windows from {done.effective_from} on")
        return {
            "version": done.version,
            "registered_version": registry.version_url(spec.model, done.version),
        }

    with DAG(
        f"rollback.{spec.model}",
        schedule=None,
        max_active_runs=1,
        default_args=DEFAULTS,
        tags=["gatelatch", spec.model],
        params={
            "version": Param(
                None,
                type=["integer", "null"],
                description="Version to go back to; empty: the champion before this one.",
            ),
            "reason": Param(type="string", minLength=3, description="Why; kept in the ledger."),
        },
        doc_md=__doc__,
    ) as dag:
        linked(promote_back(verify()), "registered_version")
    return dag


globals().update(each_model(make))
