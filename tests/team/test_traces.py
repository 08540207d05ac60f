"""What the services leave behind: no secret and no row outside of the place where it belongs.

Container logs, volumes, dumps of the databases, Redis with its messages, and pages. Its name sorts
last, so that what all other tests here did is looked through, too.
"""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e import traced
from tests.e2e.landed import ACCEPTED, DAY, START
from tests.support import pieces

from .conftest import Team

pytestmark = pytest.mark.timeout(1200)  # the first one starts all services

MONITOR, RETRAIN = "monitor.traced", "retrain.traced"
DATABASES = ("airflow", "gatelatch", "mlflow")
DUMP = "PGPASSWORD=$(cat /run/secrets/postgres_password) exec pg_dump -h postgres -U gatelatch "
METRICS = """
from urllib.request import Request, urlopen
token = open("/run/secrets/metrics_token").read().strip()
asked = Request("http://metrics:9464/metrics", headers={"Authorization": f"Bearer {token}"})
print(urlopen(asked, timeout=60).read().decode())
"""


@pytest.fixture(scope="module")
def odd(team: Team) -> Team:
    """Train on rows with canaries, and watch odd windows."""
    otto = team.people["otto"]
    conf = {"reason": "bootstrap", "training_window": "8d", "until": ACCEPTED.isoformat()}
    run = otto.trigger(RETRAIN, {"conf": conf})
    assert otto.finished(RETRAIN, run, 300) == "success"
    days = [START + day * DAY for day in (traced.ODD, traced.TYPED_OTHERWISE, traced.CUT)]
    runs = [otto.trigger(MONITOR, {"conf": {"window": day.isoformat()}}) for day in days]
    assert {otto.finished(MONITOR, run, 300) for run in runs} == {"success"}
    return team


def _pages(team: Team) -> Iterator[tuple[str, str]]:
    """Yield what people and programs are shown, all of it to those who may see the most."""
    admin = team.people["admin"]
    admin.call("GET", "version")  # logs in
    paths = [f"/api/v2/dags/{dag}/dagRuns/~/taskInstances" for dag in (MONITOR, RETRAIN)]
    for run in admin.runs(MONITOR):
        paths.append(
            f"/api/v2/dags/{MONITOR}/dagRuns/{run['dag_run_id']}/taskInstances/validate/logs/1"
        )
    store = team.home / "volumes/store"
    reports = [file.relative_to(store) for file in store.glob("reports/traced/**/*.html")]
    assert len(reports) > 3
    paths += [f"/gatelatch/{file}" for file in reports]
    for path in (*paths, "/gatelatch/margins", "/api/v2/eventLogs?limit=100"):
        yield path, admin._http.get(path).raise_for_status().text
    yield "/api/v2/config", admin._http.get("/api/v2/config").text  # refused, unless one allows it
    login = ("reader", team.secret("mlflow_reader_password"))
    most = {"max_results": 100}
    for path in (
        "",
        "api/2.0/mlflow/experiments/search",
        "api/2.0/mlflow/registered-models/search",
    ):
        answer = httpx.get(f"{team.url('MLFLOW')}/{path}", auth=login, params=most)
        yield f"mlflow/{path}", answer.raise_for_status().text
    for path in ("api/v1/targets", "api/v1/status/config", "api/v1/status/flags", "metrics"):
        answer = httpx.get(f"{team.url('PROMETHEUS')}/{path}", timeout=30)
        yield f"prometheus/{path}", answer.raise_for_status().text
    answer = httpx.get(f"{team.url('ALERTMANAGER')}/api/v2/status")
    yield "alertmanager/status", answer.raise_for_status().text
    yield "metrics", team.says("metrics", "python", "-c", METRICS)


def _places(team: Team) -> Iterator[tuple[str, bytes]]:
    """Yield all that is kept or shown, but for the files of PostgreSQL: see `_in_postgres`."""
    for name in ("up.log", "entries.json"):
        yield name, (team.home / name).read_bytes()
    volumes = team.home / "volumes"
    for folder in (team.home / "logs", *volumes.iterdir()):
        if folder.name == "postgres":
            continue
        label = "container logs" if folder.parent == team.home else folder.name
        for name, content in pieces.files(folder):
            of = pieces.messages if label == "redis" else lambda n, c: iter([(n, c)])
            yield from of(f"{label}/{name}", content)
    for name in DATABASES:
        said = team.says("postgres", "sh", "-c", DUMP + name)
        yield from pieces.dumped(f"dump of {name}", said.encode())
    for name, page in _pages(team):
        yield f"pages/{name}", page.encode()


def _in_postgres(team: Team, words: dict[str, bytes], patterns: Path) -> set[str]:
    """Return which words stand in a file of PostgreSQL, its journal included."""
    patterns.write_bytes(b"\n".join(words.values()))
    found = subprocess.run(
        ["grep", "-rahoF", f"--file={patterns}", str(team.home / "volumes/postgres")],
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        capture_output=True,
    )
    assert found.returncode in (0, 1), found.stderr
    there = set(found.stdout.splitlines())
    return {name for name, word in words.items() if word in there}


def _secrets(team: Team) -> dict[str, bytes]:
    """Return all secrets; MLflow's passwords also as a client sends them."""
    files = [file for file in team.secrets.iterdir() if file.is_file()]
    found = {file.name: file.read_bytes().strip().rstrip(b"=") for file in files}
    for name in ("store_writer", "store_reader"):  # of AWS's credentials, the key
        found[name] = found[name].partition(b"aws_secret_access_key = ")[2].split()[0]
    for user, name in (("gatelatch", "mlflow_password"), ("reader", "mlflow_reader_password")):
        login = base64.b64encode(f"{user}:{team.secret(name)}".encode())
        found[f"the header of {name}"] = login.rstrip(b"=")
    for name in ("keys/signing.pem", "answers/answers.pem"):
        found[name] = (team.home / "volumes" / name).read_bytes().splitlines()[1]
    return found


def test_no_secret_and_no_row_is_anywhere_but_where_it_belongs(odd: Team, tmp_path: Path) -> None:
    secrets = _secrets(odd)
    assert len(secrets) > 20
    rows = {"a key": traced.CANARY.encode(), "a value": str(traced.OUTLIER).encode()}
    looked_for = {"what is there": b"traced"}
    found = pieces.where(_places(odd), {**secrets, **rows, **looked_for})

    # It was looked where something can be: each of these holds what a run of this model left.
    seen = {name.partition("/")[0] for name in found.pop("what is there")}
    dumps = {f"dump of {name}" for name in DATABASES}
    assert seen >= {"container logs", "logs", "redis", "store", "artifacts", "pages", *dumps}

    quarantine = "store/quarantine/traced/"
    for word in rows:
        places = found.pop(word)
        assert any(name.startswith(quarantine) for name in places), word
        assert [name for name in places if not name.startswith(quarantine)] == [], word
    for name in ("keys/signing.pem", "answers/answers.pem"):
        assert found.pop(name) == {name}
    assert {name: places for name, places in found.items() if places} == {}
    there = _in_postgres(odd, {**secrets, **rows, **looked_for}, tmp_path / "words")
    assert there == set(looked_for)
