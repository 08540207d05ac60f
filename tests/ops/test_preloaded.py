"""What is paid before the processes of tasks are forked, and what must not get into them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.flow import MODEL, beginning

WARMED = """
import json, os, sys, threading
WAITED_FOR = ("tasks", "mlflow", "skl", "links", "window_timetable")
sys.argv = ["airflow", "scheduler"]
import airflow  # reads ops/airflow/airflow_local_settings.py
held = [os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{n}")]
before = set(sys.modules)
pid = os.fork()
if not pid:
    from tasks.flows import monitor
    from tasks.ledger.ledger import Ledger
    from tasks.registry import registry, tracking
    from tasks.spec.spec_files import find
    import threadpoolctl
    from sqlalchemy.sql.elements import ClauseElement
    from tasks import threads
    paid = []
    compiled = ClauseElement._compiler
    ClauseElement._compiler = lambda s, *a, **k: paid.append(type(s)) or compiled(s, *a, **k)
    looked = threadpoolctl.ThreadpoolController.__init__
    threadpoolctl.ThreadpoolController.__init__ = lambda s: paid.append("libraries") or looked(s)
    spec, ledger = find("churn"), Ledger.open()
    with tracking.asking("nothing") as client:
        assert client.get_registered_model("churn").aliases
    assert registry.load_version("churn", 1, ledger.version("churn", 1).artifact_digest)
    assert monitor.action(spec).run.flow == "retrain"
    seen = monitor.status_now(spec).observations[-1]
    assert ledger.observation("churn", 1, seen.window).figures == seen.figures
    with threads.one_blas_thread():
        pass
    assert not paid, paid
    late = sorted(m for m in set(sys.modules) - before if m.startswith(WAITED_FOR))
    assert not late, late
    os._exit(0)
print(json.dumps({
    "held": held,
    "threads": threading.active_count(),
    "dags": sorted(m for m in sys.modules if m.startswith("dags")),
    "child": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]),
}))
"""


@pytest.fixture
def scheduler(stores: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what runs code as Airflow's scheduler starts, in the current folder."""
    root = Path(__file__).parents[2]
    (stores / "specs").mkdir()
    spec = yaml.safe_dump(MODEL.model_dump(mode="json", exclude_none=True))
    (stores / "specs/churn.yaml").write_text(spec)
    for name, value in {
        "AIRFLOW_HOME": str(stores / "airflow"),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(root / "plugins"),
        "GATELATCH_MODELS": str(stores / "specs"),
        "PYTHONPATH": f"{root}:{root / 'ops' / 'airflow'}",
    }.items():
        monkeypatch.setenv(name, value)

    def run(code: str) -> tuple[str, str]:
        command = [sys.executable, "-c", code]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert ran.returncode == 0, ran.stderr[-3000:]
        return ran.stdout, ran.stderr

    return run


def test_a_task_is_forked_with_all_modules_and_no_connection_thread_or_dag_file(
    scheduler: Any, stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any
) -> None:
    beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)("drifted")
    out, err = scheduler(WARMED)
    told = json.loads(out.splitlines()[-1])
    assert told["child"] == 0, err[-3000:]
    assert [path for path in told["held"] if ".db" in path] == []
    assert told["threads"] == 1
    # What the files of DAGs share, and none of these: they are executed by each task.
    assert told["dags"] == ["dags", "dags.assets", "dags.each_model", "dags.start"]


def test_a_scheduler_starts_where_nothing_can_be_asked_yet(
    scheduler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = "postgresql+psycopg://nobody:hidden-word@127.0.0.1:1/none"
    monkeypatch.setenv("GATELATCH_LEDGER", ledger)
    out, err = scheduler("import sys; sys.argv[1:] = ['scheduler']\nimport airflow; print('up')")
    assert "up" in out
    assert "ledger was not asked beforehand" in out + err
    assert "hidden-word" not in out + err
