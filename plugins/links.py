"""Buttons on a task's page: each opens an address that the task returned."""

from __future__ import annotations

from typing import Any

import attrs
from airflow.sdk import BaseOperatorLink
from airflow.sdk.execution_time.xcom import XCom


@attrs.define()
class ResultLink(BaseOperatorLink):
    """Opens what the task's result has under `key`, such as `mlflow_run`."""

    key: str = ""
    result: Any = attrs.field(default=None, eq=False, repr=False)  # in the task's own process

    @property
    def name(self) -> str:
        return {"mlflow_run": "MLflow run"}.get(self.key, self.key.replace("_", " ").capitalize())

    @property
    def xcom_key(self) -> str:
        return f"link_{self.key}"

    def get_link(self, operator: object, *, ti_key: object) -> str:
        result = self.result
        if result is None:
            result = XCom.get_value(ti_key=ti_key, key="return_value")
        return result.get(self.key, "") if isinstance(result, dict) else ""
