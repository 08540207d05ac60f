"""The task that asks a person about one step of a proposal: once, and the answer is kept.

Airflow may fail a task that was just answered and start it again, as it does a cleared one. So the
ledger is asked first: what is decided there is not asked. See
docs/decisions/010-answers-are-kept-when-given.md.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Context, Param
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowFailException

from tasks.promotion.answers import APPROVE, REJECT
from tasks.spec.model import ModelSpec

COMMENT = Param(
    None,
    type=["string", "null"],
    title="Reason",
    description="Kept in the ledger. A rejection needs a reason.",
    format="multiline",
)

_UNKNOWN = "Named in owner.approvers, but not a user of this Airflow, and so cannot answer: {}."


def ask(spec: ModelSpec, step: str, brief: str) -> Ask:
    """Return the task `approve_<step>`: it asks about the brief that the task `brief` wrote."""
    return Ask(
        spec=spec,
        step=step,
        task_id=f"approve_{step}",
        subject=f"{{{{ ti.xcom_pull('{brief}')['subject'] }}}}",
        body=f"{{{{ ti.xcom_pull('{brief}')['body'] }}}}",
        options=[APPROVE, REJECT],
        defaults=[REJECT],  # written when nobody answers; recorded as no answer
        params={"comment": COMMENT},
        response_timeout=spec.approval.timeout,
    )


class Ask(HITLOperator):
    """Waits for a person's answer to one step, and records it in the ledger.

    Not ApprovalOperator: it skips what follows a rejection, which then could not be recorded.
    """

    def __init__(self, *, spec: ModelSpec, step: str, **settings: Any) -> None:
        super().__init__(**settings)
        self.spec = spec
        self.step = step

    def execute(self, context: Context) -> dict[str, str]:

        from tasks.promotion import decisions

        decision, asked = decisions.question(self.spec, context["dag_run"].run_id, self.step)
        if decision:
            print("decided already; nobody is asked again")
            return _told(decision)
        strangers = _strangers(asked)
        if strangers:
            print(f"not a user of this Airflow: {', '.join(strangers)}")
            self.body = f"{self.body}\n\n{_UNKNOWN.format(', '.join(strangers))}"
        if len(strangers) == len(asked):
            raise AirflowFailException(f"{self.task_id}: {_UNKNOWN.format('all who may answer')}")
        self.assigned_users = [{"id": identity, "name": name} for identity, name in asked]
        answer: dict[str, str] = super().execute(context)
        return answer

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, str]:
        # Not Airflow's own checks of the form: they fail the task, and the answer would be lost.
        from tasks.promotion import decisions

        run = context["dag_run"].run_id
        return _told(decisions.decide(self.spec, run, self.step, event))


def _strangers(asked: list[tuple[str, str]]) -> list[str]:
    """Return those of them who are no users of Airflow, if its configuration lists the users.

    Other auth managers keep users in Airflow's database, which no task may read: for them there is
    `python -m tasks check --users`.
    """
    if not conf.get("core", "auth_manager").endswith("SimpleAuthManager"):
        return []
    users = {user.split(":")[0] for user in conf.getlist("core", "simple_auth_manager_users")}
    return [name for identity, name in asked if identity not in users]


def _told(decision: Any) -> dict[str, str]:
    return {"answer": decision.answer, "by": decision.by, "comment": decision.comment}
