"""Who may see what of a model: whoever may read one of its DAGs, as Airflow's auth manager says."""

from __future__ import annotations

from collections.abc import Iterable

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.models.dag import DagModel

FLOWS = ("monitor", "retrain", "rollback")


def may_read(model: str, user: BaseUser) -> bool:
    """Return whether Airflow lets this person read one of the model's DAGs."""
    return any(
        get_auth_manager().is_authorized_dag(
            method="GET",
            details=DagDetails(id=dag, team_name=DagModel.get_team_name(dag)),
            user=user,
        )
        for dag in _dags(model)
    )


def readable(models: Iterable[str], user: BaseUser) -> set[str]:
    """Return those of the models that this person may read.

    Airflow is asked once about all DAGs that it has, and one by one about what it does not have,
    such as those of a spec with a mistake.
    """
    known = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
    return {m for m in models if known.intersection(_dags(m)) or may_read(m, user)}


def _dags(model: str) -> list[str]:
    return [f"{flow}.{model}" for flow in FLOWS]
