"""A model's first windows with the store on the composition's own S3 server, and none on a disk.

Not in tests/team, whose services live until all of its tests are through: two such stacks at once
are too much for a small machine.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from ops.native import __main__ as native
from ops.rest import Airflow
from ops.team import make_secrets
from tests.e2e.landed import ACCEPTED, land, write_spec
from tests.support.compose import RAW
from tests.support.native import need_images, says, up
from tests.support.seen_secrets import secrets_of_team
from tests.team.conftest import START_SECONDS, Team, _ports

pytestmark = pytest.mark.timeout(1200)  # the first one starts the services

# What only watches, waits or is there twice is left out: test_services.py has it.
LEFT_OUT = ("triggerer", "metrics", "prometheus", "alertmanager", "grafana")
RETRAIN, MONITOR = "retrain.orders", "monitor.orders"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Return the services that a window needs, with a model that asks nobody."""
    home = tmp_path_factory.mktemp("kept")
    services = {name: dict(one) for name, one in RAW["services"].items() if name not in LEFT_OUT}
    for name in ("scheduler", "worker"):
        services[name]["deploy"] = {**services[name]["deploy"], "replicas": 1}
    (home / "compose.yaml").write_text(yaml.safe_dump({**RAW, "services": services}))
    _land(home)
    make_secrets.make(home / "secrets")
    team = Team(home / "run", _ports(), home / "secrets", secrets_of_team(home / "secrets"))
    settings = {
        "COMPOSE_PROFILES": "s3",
        "GATELATCH_STORE": "s3://gatelatch",
        "GATELATCH_SECRETS_DIR": str(team.secrets),
        "GATELATCH_MODELS_DIR": str(home / "models"),
        "GATELATCH_DATA_DIR": str(home / "data"),
        "GATELATCH_WORKER_CONCURRENCY": "2",
        **{f"{name}_PORT": str(port) for name, port in team.ports.items()},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPOSE_PROFILES", "s3")
        need_images(native.project(home / "compose.yaml"), but=[])
    with up(team.home, settings, home / "compose.yaml"):
        with team.seen:
            time.sleep(1)
            native.wait_until_up(team.home, START_SECONDS)
        admin = team.log_in("admin")
        admin.wait_for_dags([RETRAIN, MONITOR], 120)
        for dag in (RETRAIN, MONITOR):
            admin.call("PATCH", f"dags/{dag}", json={"is_paused": False})
        yield team
        admin.close()
    shutil.rmtree(team.home / "volumes", ignore_errors=True)


def _land(home: Path) -> None:
    """Write the rows, one of whose labels is no class, and the spec."""
    land(home / "data" / "landing", days=9)
    (file,) = (home / "data" / "landing" / f"date={ACCEPTED:%Y-%m-%d}").iterdir()
    rows = pq.read_table(file)
    labels = rows["y"].to_numpy().copy()  # what Arrow gives is read-only
    labels[5] = 7
    place = rows.column_names.index("y")
    pq.write_table(rows.set_column(place, "y", pa.array(labels)), file)
    (home / "models").mkdir()
    write_spec(
        home / "models",
        home,
        "orders",
        approval="automatic",
        rollback="automatic",
        owner={"name": "team", "approvers": ["1:admin"]},
        source={"path": "data/landing/date={date}/*.parquet", "time": "time", "key": "id"},
    )


@pytest.fixture(scope="module")
def window(small: Team) -> str:
    """Train the first champion and measure a window; return the run of the monitor."""
    admin = small.people["admin"]
    first = {"reason": "bootstrap", "training_window": "8d", "until": ACCEPTED.isoformat()}
    run = admin.trigger(RETRAIN, {"conf": first})
    assert admin.finished(RETRAIN, run, 300) == "success"
    run = admin.trigger(MONITOR, {"conf": {"window": ACCEPTED.isoformat()}})
    assert admin.finished(MONITOR, run, 300) == "success"
    return run


KEPT = """
import json
from tasks import store
from tasks.validation.quarantine import quarantined_rows
files = store.files_below("")
broken = [name for name in files if name.startswith("quarantine/orders/")]
print(json.dumps([files, quarantined_rows(broken).tolist()]))
"""


def test_no_key_of_the_bucket_is_on_a_command_line_or_in_an_environment(small: Team) -> None:
    small.seen.look()
    assert {"initdb", "weed"} <= small.seen.programs
    assert not small.seen.on_command_lines
    held = {secret for secret, _ in small.seen.in_environments}
    assert not held & {"store_writer", "store_reader"}


def test_what_a_window_leaves_behind_is_in_the_bucket_and_nothing_of_it_on_a_disk(
    small: Team, window: str
) -> None:
    files, quarantined = json.loads(says(small.home, "worker", "python", "-c", KEPT))
    folders = {name.split("/")[0] for name in files}
    assert {"heads", "quarantine", "reports", "summaries"} <= folders
    assert quarantined == [5]
    assert not any("partial" in name for name in files)
    disk = small.home / "volumes" / "store"
    assert [path for path in disk.rglob("*") if path.is_file()] == []


def test_the_api_server_serves_a_report_from_the_bucket_and_cannot_write_one(
    small: Team, window: str
) -> None:
    admin = small.people["admin"]
    page = _report(admin, window)
    assert page.startswith("/gatelatch/reports/orders/")
    answer = admin._http.get(page)
    assert answer.status_code == 200
    assert "orders" in answer.text
    forge = "from tasks import store; store.write('reports/orders/forged.html', '')"
    assert (
        says(small.home, "api-server", "sh", "-c", f'python -c "{forge}" || echo refused')
        == "refused\n"
    )


def _report(admin: Airflow, run: str) -> str:
    path = f"dags/{MONITOR}/dagRuns/{run}/taskInstances/validate/links"
    links: dict[str, Any] = admin.call("GET", path)["extra_links"]
    return str(links["Validation report"]).removeprefix(str(admin._http.base_url).rstrip("/"))


def test_the_doctor_finds_the_bucket_well(small: Team, window: str) -> None:
    words = ("python", "-m", "tasks", "doctor", "--json")
    told = says(small.home, "worker", "sh", "-c", f"{' '.join(words)} || true")
    states = {one["check"]: one["state"] for one in json.loads(told)["checks"]}
    assert {states[name] for name in ("store", "same store", "leftovers")} == {"well"}
