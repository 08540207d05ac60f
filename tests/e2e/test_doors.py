"""Whoever reaches MLflow's port in a running stack: no door leads to what is run as code."""

from __future__ import annotations

import re

from playwright.sync_api import Page, Response, expect

from ops import mlflow_process, stack_processes, stack_settings
from ops.doors import Door, door
from tests.support.attack import CREATE, EVIL, SECRET, Server, knock, routes, run_in

from .conftest import Running

FOLDERS = ("dags", "plugins", "models")


def attacked(running: Running) -> Server:
    return Server(
        running.settings.mlflow_url,
        running.settings.mlflow_password,
        mlflow_process.database(running.home),
        mlflow_process.artifacts(running.home),
        stack_settings.ROOT,
    )


def test_an_upload_reaches_no_folder_whose_files_are_run(running: Running) -> None:
    server = attacked(running)
    places = [
        *(stack_settings.ROOT / name for name in FOLDERS),
        running.home,
        running.home / "models",
    ]
    before = {place: sorted(place.iterdir()) for place in places[:3]}
    with server.client() as nobody, server.client("gatelatch") as writer:
        for place in places:
            for location in (str(place), f"file://{place}"):
                said = {"name": location, "artifact_location": location}
                assert nobody.post(CREATE, json=said).status_code == 401
                assert writer.post(CREATE, json=said).status_code == 403
            run = run_in(server, f"file://{place}")  # as if it had been let in
            params = {"run_uuid": run, "path": "evil.py"}
            upload = "/ajax-api/2.0/mlflow/upload-artifact"
            assert writer.post(upload, params=params, content=EVIL).status_code == 403
            stolen = writer.get(f"/get-artifact?run_uuid={run}&path=signing.pem")
            assert stolen.status_code == 403
            assert SECRET not in stolen.text
        for method, path in sorted(routes()):
            if door(method, path) in (Door.WRITE, Door.SHUT):
                assert knock(server, nobody, method, path).status_code in (401, 403), path
    assert {place: sorted(place.iterdir()) for place in places[:3]} == before
    assert not list(running.home.rglob("evil.py"))
    assert SECRET in (running.home / "signing.pem").read_text()


def test_a_process_knows_only_the_secrets_that_it_uses(running: Running) -> None:
    secret = running.settings.jwt_secret
    knows: dict[str, set[bool]] = {}
    for process in stack_processes._orphans(running.home, set()):
        command = " ".join(process.cmdline())
        kind = re.search(r"tracking_server|dag.processor|scheduler", command)
        if kind:
            told = any(secret in value for value in process.environ().values())
            knows.setdefault(kind[0].replace("-", "_"), set()).add(told)
    # The API server writes its title over its environment, so nothing can be read there.
    assert knows == {"tracking_server": {False}, "dag_processor": {False}, "scheduler": {True}}


def test_mlflows_pages_open_without_a_login_and_nothing_asks_for_one(
    running: Running, page: Page
) -> None:
    asked: list[str] = []

    def look(answer: Response) -> None:
        if answer.status == 401:
            asked.append(answer.url)

    page.on("response", look)
    page.goto(running.settings.mlflow_url)
    expect(page.get_by_text("Experiments").first).to_be_visible()
    page.goto(f"{running.settings.mlflow_url}/#/experiments")
    expect(page.get_by_text("Default").first).to_be_visible()
    assert asked == []
