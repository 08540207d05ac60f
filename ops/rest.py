"""A small client of Airflow's REST API, as one user."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx

_Found = TypeVar("_Found")
_POLL_SECONDS = 0.3
_RESTART_SECONDS = 120
_LOCKED_SECONDS = 60  # three times what Airflow waits for another transaction on SQLite


class Airflow:
    """Talks to Airflow as one user; waits out a server that restarts and a database that is locked.

    What a server's error came of is sent again, unless twice were more than once.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self._login = {"username": user, "password": password}
        # Longer than a transaction of Airflow waits for another on SQLite: see `stack_settings`.
        self._http = httpx.Client(base_url=url, timeout=90)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(self, method: str, path: str, *, again: bool | None = None, **arguments: Any) -> Any:
        """Return the JSON answer of `/api/v2/<path>`. Raises httpx.HTTPStatusError.

        Parameters
        ----------
        again
            Whether it may be sent twice; None: every method but POST may.
        """
        again = method != "POST" if again is None else again
        if "authorization" not in self._http.headers:
            self._authorise()
        answer = self._send(method, f"/api/v2/{path}", again, **arguments)
        if answer.status_code == 401:
            self._authorise()
            answer = self._send(method, f"/api/v2/{path}", again, **arguments)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def _authorise(self) -> None:
        answer = self._send("POST", "/auth/token", True, json=self._login)
        answer.raise_for_status()
        self._http.headers["authorization"] = f"Bearer {answer.json()['access_token']}"

    def _send(self, method: str, path: str, again: bool = True, **arguments: Any) -> httpx.Response:
        began = time.monotonic()
        while True:
            try:
                answer = self._http.request(method, path, **arguments)
            except httpx.ConnectError:  # not sent, so it can be sent again
                if time.monotonic() > began + _RESTART_SECONDS:
                    raise
            else:
                late = time.monotonic() > began + _LOCKED_SECONDS
                if not (again and answer.is_server_error) or late:
                    return answer
            time.sleep(_POLL_SECONDS)

    def trigger(self, dag: str, body: dict[str, Any]) -> str:
        """Start a run and return its id."""
        named = f"manual__{datetime.now(UTC).isoformat()}"  # as Airflow names it, but known before
        sent = {"dag_run_id": named, "logical_date": None, "conf": {}, **body}
        ours = sent["dag_run_id"] == named
        try:
            found = self.call("POST", f"dags/{dag}/dagRuns", again=ours, json=sent)
        except httpx.HTTPStatusError as error:
            # Nobody else has this name: the run was made before the server's error.
            if not ours or error.response.status_code != httpx.codes.CONFLICT:
                raise
            return named
        return str(found["dag_run_id"])

    def clear(self, dag: str, run: str, task: str, *, downstream: bool = False) -> None:
        """Let a task run again, and the tasks after it if wanted."""
        body = {
            "dry_run": False,
            "dag_run_id": run,
            "task_ids": [task],
            "only_failed": False,
            "include_downstream": downstream,
        }
        self.call("POST", f"dags/{dag}/clearTaskInstances", again=True, json=body)

    def state(self, dag: str, run: str) -> str:
        """Return a run's state: queued, running, success or failed."""
        return str(self.call("GET", f"dags/{dag}/dagRuns/{run}")["state"])

    @contextmanager
    def paused(self, dag: str) -> Iterator[None]:
        """Pause a DAG meanwhile."""
        self.call("PATCH", f"dags/{dag}", json={"is_paused": True})
        try:
            yield
        finally:
            self.call("PATCH", f"dags/{dag}", json={"is_paused": False})

    def runs(self, dag: str) -> list[dict[str, Any]]:
        """Return a DAG's runs, oldest first."""
        found = self.call("GET", f"dags/{dag}/dagRuns", params={"order_by": "id", "limit": 100})
        return list(found["dag_runs"])

    def waiting(self, dag: str) -> list[dict[str, Any]]:
        """Return the approvals of a DAG that wait for an answer."""
        asked = {"response_received": False, "state": "awaiting_input"}
        found = self.call("GET", f"dags/{dag}/dagRuns/~/hitlDetails", params=asked)
        return list(found["hitl_details"])

    def answer(self, detail: dict[str, Any], option: str, form: dict[str, Any]) -> None:
        """Answer an approval that `waiting` returned; nothing happens if it was answered."""
        task = detail["task_instance"]
        path = f"dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}"
        body = {"chosen_options": [option], "params_input": form}
        try:
            self.call("PATCH", f"{path}/-1/hitlDetails", json=body)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.CONFLICT:
                raise

    def wait_for_dags(self, names: list[str], seconds: float = 90) -> None:
        """Wait until the DAGs of these ids are there, among the first hundred."""

        def there() -> bool:
            found = self.call("GET", "dags", params={"limit": 100})["dags"]
            return set(names) <= {dag["dag_id"] for dag in found}

        self.until(there, f"the DAGs {', '.join(names)}", seconds)

    def finished(self, dag: str, run: str, seconds: float = 180) -> str:
        """Wait for the end of a run and return its state."""
        ended = ("success", "failed")
        return self.until(
            lambda: state if (state := self.state(dag, run)) in ended else None,
            f"{dag} {run} to finish",
            seconds,
        )

    def until(self, find: Callable[[], _Found | None], what: str, seconds: float = 180) -> _Found:
        """Return what `find` returns once it is true. Raises TimeoutError."""
        deadline, last = time.monotonic() + seconds, None
        while time.monotonic() < deadline:
            try:
                if found := find():
                    return found
            except httpx.TransportError:
                pass  # the server restarts
            except httpx.HTTPStatusError as error:
                if not error.response.is_server_error:  # such as of a database that was locked
                    raise
                last = error
            time.sleep(_POLL_SECONDS)
        raise TimeoutError(f"waited {seconds:.0f} s for {what}") from last
