"""The retrain DAG of each model: approve → train → calibrate → gate → register → approve → promote.

Started by an episode (the run id is the proposal) or by hand. Every step after an approval reads
the recorded decision from the ledger: no trigger rule, retry or cleared task can stand in for it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Param, PokeReturnValue, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

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
from dags.hand_over import HandOver
from tasks import bounds
from tasks.promotion.proposal_reason import FILE
from tasks.spec.model import ModelSpec
from tasks.spec.part import format_duration


def make(spec: ModelSpec) -> DAG:
    @task(task_id="propose", outlets=to_tell(spec))
    def propose() -> dict[str, Any]:
        from tasks.flows import asking, ready
        from tasks.ledger.freezes import Frozen
        from tasks.promotion import proposals
        from tasks.promotion.proposal_reason import ProposalReason

        context = get_current_context()
        run, params = context["dag_run"], context["params"]
        until = params["until"]
        reason = ProposalReason(
            why=params["reason"],
            backfill=params["backfill"] or None,
            file=params["model_file"] or None,
        )
        due = by_monitor(spec, context)
        # The monitor asks again after the thaw; a person is told by a run that fails.
        with skipped(proposals.NotDue, *([Frozen] if due else [])):
            proposal = proposals.propose(
                spec,
                run.run_id,
                action=params["action"],
                reason=str(reason),
                proposer=run.triggering_user_name or "unknown",
                training_window=bounds.duration(
                    params["training_window"], "training_window", bounds.SHORTEST
                ),
                until=bounds.moment(until, "until") if until else None,
                now=datetime.now(UTC),
                by_monitor=due,
            )
            rows = ready.count(spec, proposal)
        return asking.to_retrain(spec, proposal, run_link(context), rows)

    @task.short_circuit(outlets=to_tell(spec))
    def decide(step: str) -> bool:
        from tasks.promotion import decisions

        # A person's answer is in the ledger by now; what finds none there is no answer.
        decision = decisions.decide(spec, get_current_context()["dag_run"].run_id, step, None)
        said = f"{step}: {decision.answer} by {decision.by}. {decision.comment}"
        print(said)
        if decision.answer == "ended":
            raise AirflowFailException(said)
        return decision.answer == "approved"

    @task
    def train() -> dict[str, Any]:
        from tasks.flows import retrain
        from tasks.reports import brief_links

        try:
            trained = retrain.train(spec, get_current_context()["dag_run"].run_id)
        except retrain.TrainedElsewhere as said:
            raise AirflowSkipException(str(said)) from None
        return {**trained, "validation_report": brief_links.address_of(trained["report"])}

    @task
    def calibrate(candidate_run: str) -> dict[str, Any]:
        from tasks.flows import retrain

        return retrain.calibrate(spec, get_current_context()["dag_run"].run_id, candidate_run)

    @task.short_circuit(outlets=to_tell(spec))
    def gate(candidate_run: str) -> dict[str, Any] | None:
        from tasks.flows import retrain

        context = get_current_context()
        judged = retrain.gate(spec, context["dag_run"].run_id, candidate_run)
        context["ti"].xcom_push("gates", judged["gates"])
        for name, result in judged["gates"].items():
            print(f"{name}: {result}")
        print(f"all of it, with pictures: {judged['gate_page']}")
        return judged if judged["passed"] else None

    @task(outlets=to_tell(spec))
    def register(candidate_run: str) -> dict[str, Any]:
        from tasks.flows import asking, retrain

        context = get_current_context()
        proposal = context["dag_run"].run_id
        registered = retrain.register(spec, proposal, candidate_run)
        if spec.shadow.windows:  # what is asked includes what these will say
            return registered
        return {**registered, **asking.to_promote(spec, proposal, run_link(context))}

    # For ever: event time decides, insufficient windows end a shadow.
    @task.sensor(
        mode="reschedule",
        poke_interval=_poke_interval(spec),
        timeout=FOR_EVER,
        outlets=to_tell(spec),
    )
    def shadow() -> PokeReturnValue:
        from tasks.flows import asking
        from tasks.promotion import shadow_wait

        context = get_current_context()
        proposal = context["dag_run"].run_id
        outcome = shadow_wait.look(spec, proposal)
        print(f"{outcome.answer}: {outcome.reason}")
        if outcome.answer == "waiting":
            return PokeReturnValue(is_done=False)
        if outcome.answer != "passed":
            raise AirflowSkipException(outcome.reason)
        brief = asking.to_promote(spec, proposal, run_link(context), outcome)
        return PokeReturnValue(is_done=True, xcom_value=brief)

    @task.sensor(
        mode="reschedule",
        poke_interval=LOOK_FOR_THAW,
        timeout=FOR_EVER,
        outlets=[champion_of(spec.model), *to_tell(spec)],
    )
    def promote() -> PokeReturnValue:
        from tasks.ledger.freezes import Frozen
        from tasks.promotion import promotion
        from tasks.registry import registry

        context = get_current_context()
        try:
            done = promotion.promote(spec, context["dag_run"].run_id)
        except Frozen as said:
            print(f"{said}. This task then goes on by itself")
            return PokeReturnValue(is_done=False)
        tell_of(context, done)
        print(f"version {done.version} is champion for windows from {done.effective_from} on")
        told = {
            "version": done.version,
            "effective_from": done.effective_from.isoformat(),
            "registered_version": registry.version_url(spec.model, done.version),
        }
        return PokeReturnValue(is_done=True, xcom_value=told)

    def approved(step: str, brief: Any) -> Any:
        """Ask a person about a brief where the spec says so, and go on if it was approved."""
        decided = decide.override(task_id=f"decide_{step}")(step)
        if getattr(spec.approval, step) == "human":
            brief >> ask(spec, step, brief.operator.task_id) >> decided
        else:
            brief >> decided
        return decided

    with DAG(
        f"retrain.{spec.model}",
        schedule=None,
        max_active_runs=16,  # a run that waits, for a person or for windows, counts as active
        default_args={**DEFAULTS, "on_failure_callback": with_end(spec)},
        tags=["gatelatch", spec.model],
        auto_register=False,  # by its name in this file alone: spec_mistakes.py makes it too
        params=_form(spec),
        doc_md=__doc__,
    ) as dag:
        brief = linked(propose(), "brief")
        trained = linked(train(), "mlflow_run", "validation_report")
        calibrated = linked(calibrate(trained["candidate_run"]), "mlflow_run")
        gated = linked(gate(trained["candidate_run"]), "gate_page", "mlflow_run")
        registered = linked(register(trained["candidate_run"]), "brief", "registered_version")
        promoted = linked(promote(), "registered_version")
        approved("retrain", brief) >> trained >> calibrated >> gated >> registered
        asked = registered
        if spec.shadow.windows:
            asked = linked(shadow(), "brief")
            registered >> asked
        approved("promote", asked) >> promoted
        if spec.training.dag is not None:
            trained >> HandOver(spec=spec, task_id="hand_over")
        end(spec, promoted)
    return dag


def _poke_interval(spec: ModelSpec) -> float:
    """Return the seconds between looks for shadow windows, of which each window brings one."""
    interval = min(max(spec.window.every / 50, timedelta(seconds=15)), timedelta(minutes=10))
    return interval.total_seconds()


def _form(spec: ModelSpec) -> dict[str, Param]:
    """Return the fields; of those that may stay empty None, as Airflow's form refuses "" there."""
    return {
        "action": Param(
            "retrain",
            type="string",
            enum=["retrain", "recalibrate", "adopt"],
            description="`recalibrate` keeps the champion's decisions and learns its "
            "probabilities again. `adopt` takes what is in `model_file`, fit elsewhere, as the "
            "candidate.",
        ),
        "model_file": Param(
            None,
            type=["string", "null"],
            pattern=f"^({FILE})?$",
            description="To adopt: the digest that `python -m tasks adopt` printed. Else empty.",
        ),
        "reason": Param(
            "manual",
            type="string",
            enum=["manual", "bootstrap", "drift", "calibration drift"],
            description="`bootstrap` trains the first champion.",
        ),
        "training_window": Param(
            format_duration(spec.training.window),
            type="string",
            pattern=bounds.DURATION,
            description="Event time of the rows to train on: 30m, 12h, 56d or 8w.",
        ),
        "until": Param(
            None,
            type=["string", "null"],
            format="date-time",
            maxLength=bounds.NAME,
            description="End of these rows (UTC). Empty: the end of the newest observed window.",
        ),
        "backfill": Param(
            None,
            type=["string", "null"],
            maxLength=bounds.NAME,
            description="The backfilled range that found the episode. A backfill fills this in; "
            "leave it empty.",
        ),
    }


globals().update(each_model(make))
