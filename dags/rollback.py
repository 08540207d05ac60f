"""The rollback DAG of each model: verify an earlier champion, then make it champion again.

By hand with a reason, or started by the monitor where a version is worse than one that still
serves, or than an earlier champion that is measured beside it: then a person is asked first, unless
the spec says `approval.rollback: automatic`.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, PokeReturnValue, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from dags.ask import ask
from dags.assets import champion_of, tell_of, to_tell
from dags.each_model import (
    DEFAULTS,
    FOR_EVER,
    LOOK_FOR_THAW,
    by_monitor,
    each_model,
    linked,
    run_link,
    skipped,
)
from dags.end import end, with_end
from tasks import bounds
from tasks.spec.model import ModelSpec


def make(spec: ModelSpec) -> DAG:
    @task(outlets=to_tell(spec))
    def verify() -> dict[str, Any]:
        from tasks.flows import rollback
        from tasks.ledger.freezes import Frozen
        from tasks.promotion import proposals

        context = get_current_context()
        run, params = context["dag_run"], context["params"]
        with skipped(proposals.NotDue, Frozen):  # no freeze stops one by hand
            if by_monitor(spec, context):
                proposal = rollback.propose_rollback(spec, run.run_id)
            else:
                proposal = rollback.by_hand(
                    spec,
                    run.run_id,
                    version=params["version"],
                    by=run.triggering_user_name or "unknown",
                    reason=params["reason"],
                )
        return rollback.ask_to_roll_back(spec, proposal, run_link(context))

    @task.sensor(
        mode="reschedule",
        poke_interval=LOOK_FOR_THAW,
        timeout=FOR_EVER,
        outlets=[champion_of(spec.model), *to_tell(spec)],
    )
    def promote_back() -> PokeReturnValue:
        from tasks.flows import rollback
        from tasks.ledger.freezes import Frozen
        from tasks.promotion import decisions
        from tasks.registry import registry

        context = get_current_context()
        run = context["dag_run"].run_id
        # A person's answer is in the ledger by now; what finds none there is no answer.
        decision = decisions.decide(spec, run, rollback.ROLLBACK_STEP, None)
        if decision.answer != "approved":
            raise AirflowSkipException(f"{decision.answer} by {decision.by}. {decision.comment}")
        try:
            done = rollback.promote_back(spec, run)
        except Frozen as said:
            print(f"{said}. This task then goes on by itself")
            return PokeReturnValue(is_done=False)
        tell_of(context, done)
        print(f"version {done.version} is champion for windows from {done.effective_from} on")
        told = {
            "version": done.version,
            "registered_version": registry.version_url(spec.model, done.version),
        }
        return PokeReturnValue(is_done=True, xcom_value=told)

    with DAG(
        f"rollback.{spec.model}",
        schedule=None,
        max_active_runs=4,  # one that waits for an answer must not hold up one by hand
        default_args={**DEFAULTS, "on_failure_callback": with_end(spec)},
        tags=["gatelatch", spec.model],
        auto_register=False,  # by its name in this file alone: spec_mistakes.py makes it too
        params={
            "version": Param(
                None,
                type=["integer", "null"],
                minimum=1,
                maximum=bounds.INTEGER,
                description="Version to go back to. Empty: the champion before this one.",
            ),
            "reason": Param(
                type="string",
                minLength=3,
                maxLength=bounds.PROSE,
                description="Why you go back; kept in the ledger.",
            ),
        },
        doc_md=__doc__,
    ) as dag:
        verified = linked(verify(), "brief")
        promoted = linked(promote_back(), "registered_version")
        if spec.approval.rollback == "human":
            verified >> ask(spec, "rollback", "verify") >> promoted
        else:
            verified >> promoted
        end(spec, promoted)
    return dag


globals().update(each_model(make))
