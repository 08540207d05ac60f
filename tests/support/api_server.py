"""Airflow's own app with an auth manager of its own, asked as several people over HTTP."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ops import stack_settings

SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
NOBODY = ("nobody", "forger", "browser")  # without a session, with a forged one, and for a page

# What each person of each auth manager is, by name.
ROLES = {
    SIMPLE: {"viewer": "viewer", "user": "user", "op": "op", "admin": "admin"},
    FAB: {
        "admin": "Admin",
        "viewer": "Viewer",
        "none": "Nothing",
        "monitors": "Reads monitor.churn",
        "retrains": "Reads retrain.churn",
        "rollbacks": "Reads rollback.fraud",
        "other": "Reads another's",
    },
}

_APP = """
import json, sys, warnings
warnings.simplefilter("ignore")
asked = json.load(sys.stdin)
from airflow.utils.db import initdb
initdb()
if asked["fab"]:
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    with get_application_builder() as builder:
        users = builder.sm
        users.sync_roles()
        read = lambda dag: [("can_read", f"DAG:{dag}")]
        users.bulk_sync_roles([
            {"role": "Nothing", "perms": []},
            {"role": "Reads monitor.churn", "perms": read("monitor.churn")},
            {"role": "Reads retrain.churn", "perms": read("retrain.churn")},
            {"role": "Reads rollback.fraud", "perms": read("rollback.fraud")},
            {"role": "Reads another's", "perms": read("monitor.churn_2") + read("churn")},
        ])
        for name, role in asked["roles"].items():
            email = f"{name}@localhost"
            assert users.add_user(name, name, name, email, users.find_role(role), name)
import http.client, threading, time, uvicorn
from airflow.api_fastapi.app import create_app
server = uvicorn.Server(uvicorn.Config(create_app(), port=asked["port"], log_level="error"))
threading.Thread(target=server.run, daemon=True).start()
while not server.started:
    time.sleep(0.1)

def call(method, path, body=None, **headers):
    # The path goes as it stands: another client would resolve `..` itself.
    link = http.client.HTTPConnection("127.0.0.1", asked["port"], timeout=60)
    link.request(method, path, body, {"content-type": "application/json", **headers})
    answer = link.getresponse()
    return answer, answer.read().decode()

def ask(name, method, path, **headers):
    answer, text = call(method, path, **headers)
    headers = {key.lower(): value for key, value in answer.getheaders()}
    return {"name": name, "method": method, "path": path, "status": answer.status, "text": text,
            "headers": headers}

said = []
for name in asked["roles"]:
    login = json.dumps({"username": name, "password": name})
    answer, text = call("POST", "/auth/token", login)
    assert answer.status == 201, text
    bearer = {"authorization": "Bearer " + json.loads(text)["access_token"]}
    said += [ask(name, *one, **bearer) for one in asked["requests"]]
for one in asked["requests"]:
    said.append(ask("nobody", *one))
    said.append(ask("forger", *one, authorization="Bearer forged"))
    said.append(ask("browser", *one, accept="text/html,*/*;q=0.8"))
open(asked["into"], "w").write(json.dumps(said))
"""


def _free_port() -> int:
    """Return a port of its own: two that start at once would both find the usual one free."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def answers(
    manager: str,
    home: Path,
    requests: Sequence[tuple[str, str]],
    models: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Return what the app of this auth manager answers each person to each (method, path).

    Each answer has `name`, `method`, `path`, `status`, `text` and `headers`.
    """
    known = stack_settings.settings_of(home, models)
    env = stack_settings.environment(home, known) | {"AIRFLOW__CORE__AUTH_MANAGER": manager}
    env |= settings or {}
    roles = ROLES[manager]
    if manager == SIMPLE:
        users = ",".join(f"{name}:{role}" for name, role in roles.items())
        env["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] = users
        (home / "passwords.json").write_text(json.dumps({name: name for name in roles}))
    asked = {
        "fab": manager == FAB,
        "roles": roles,
        "into": str(home / "said.json"),
        "port": _free_port(),
        "requests": requests,
    }
    done = subprocess.run(
        [sys.executable, "-c", _APP],
        env=env,
        cwd=stack_settings.ROOT,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    said: list[dict[str, Any]] = json.loads((home / "said.json").read_text())
    return said
