"""What MLflow's server process can know and touch, whatever it is talked into."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest

from ops import confined, doors, mlflow_process, stack_settings
from tests.support.attack import Server
from tests.support.compose import SERVICES
from tests.support.served import by_compose, free_port, made_up, surround

Start = Callable[[Path], AbstractContextManager[tuple[Server, int]]]


@pytest.mark.parametrize("how", [made_up, by_compose], ids=lambda how: how.__name__)
def test_the_server_is_confined_and_knows_no_secret_but_its_own(how: Start, tmp_path: Path) -> None:
    with how(tmp_path) as (_, pid):
        processes = (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
        # What ends the server if it hangs reads no word of a request.
        serving = [one for one in processes if "ops.watched" not in one.cmdline()]
        assert serving
        for process in serving if not confined.unconfined() else ():
            # Set by confining, and by nothing else here.
            assert "NoNewPrivs:\t1" in Path(f"/proc/{process.pid}/status").read_text()
        for process in processes:
            env = process.environ()
            told = {name for name in env if name.startswith(("AIRFLOW__", "GATELATCH_"))}
            own = {"GATELATCH_MLFLOW_PASSWORD", "GATELATCH_MLFLOW_READER_PASSWORD"}
            assert {name.removesuffix("_FILE") for name in told} <= own
            assert not any(kept in v for v in env.values() for kept in ("signing", "airflow.db"))


CONFINED = """
import os, socket, sys, threading
from pathlib import Path
folder, around, port = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
from ops import confined
home = Path.home()  # read from /etc/passwd, which is out of reach afterwards
confined.confine(folder, port, [])
def refused(act):
    try:
        act()
    except PermissionError:
        return True
    return False
(folder / "mine.txt").write_text("x")
assert (folder / "mine.txt").read_text() == "x"
for name in ("dags", "plugins", "models", "store", "keys"):
    assert refused(lambda: (around / name / "evil.py").write_text("x")), name
    assert refused(lambda: (around / name / "there.txt").read_text()), name
    assert refused(lambda: (around / name / "there.txt").unlink()), name
    assert refused(lambda: (folder / "mine.txt").rename(around / name / "evil.py")), name
    assert refused(lambda: os.link(folder / "mine.txt", around / name / "evil.py")), name
    assert refused(lambda: list((around / name).iterdir())), name
for path in ("/etc/passwd", f"/proc/{os.getppid()}/environ", str(home / ".profile")):
    assert refused(lambda: open(path).read()) or not os.path.exists(path), path
assert refused(lambda: os.execv("/bin/sh", ["sh", "-c", "true"]))
assert refused(lambda: socket.create_server(("127.0.0.1", 0)))
assert refused(lambda: socket.create_connection(("127.0.0.1", 5432), 3))
if __import__("landlockpy").abi_version() >= 6:
    assert refused(lambda: os.kill(os.getppid(), 0))
socket.create_server(("127.0.0.1", port)).close()
thread_said = []
thread = threading.Thread(target=lambda: thread_said.append(refused(lambda: open("/etc/passwd"))))
thread.start(); thread.join()
assert thread_said == [True]
print("held")
"""


@pytest.mark.skipif(bool(confined.unconfined()), reason=confined.unconfined())
def test_a_confined_process_is_held_to_its_folder_by_the_kernel(tmp_path: Path) -> None:
    surround(tmp_path)
    (tmp_path / "mlflow").mkdir()
    arguments = [str(tmp_path / "mlflow"), str(tmp_path), str(free_port())]
    done = subprocess.run(
        [sys.executable, "-c", CONFINED, *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(stack_settings.ROOT), "SECRET": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "held\n", done.stderr


def test_an_older_home_goes_on_in_a_folder_of_mlflows_own(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("tables")
    (tmp_path / "artifacts" / "churn").mkdir(parents=True)
    (tmp_path / "artifacts" / "churn" / "model.skops").write_text("model")
    for _ in range(2):
        mlflow_process.settle(tmp_path)
        assert (tmp_path / "mlflow" / "mlflow.db").read_text() == "tables"
        assert not (tmp_path / "mlflow.db").exists()
        for place in (tmp_path / "artifacts", mlflow_process.artifacts(tmp_path)):
            assert (place / "churn" / "model.skops").read_text() == "model"


def test_the_user_names_are_what_the_compose_file_uses() -> None:
    assert (doors.WRITER, doors.READER) == ("gatelatch", "reader")


# --- what the compose file gives it


def test_mlflow_shares_no_volume_and_writes_to_its_own_alone() -> None:
    mlflow = SERVICES["mlflow"]
    own = {volume.split(":")[0] for volume in mlflow["volumes"]}
    others = {
        volume.split(":")[0]
        for name, service in SERVICES.items()
        for volume in service.get("volumes", [])
        if name != "mlflow"
    }
    assert own == {"artifacts", "spool"}
    assert not own & others
    assert mlflow["read_only"] is True
    assert mlflow["cap_drop"] == ["ALL"]
