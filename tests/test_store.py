"""The store, temporary folders and outputs: whole or not at all, and what is left is cleared."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import fsspec
import pytest
import sqlalchemy as sa
from fsspec.implementations.local import LocalFileSystem

from tasks import disk, scratch, store
from tasks.disk import Unusable
from tasks.ledger.ledger import Ledger
from tasks.registry import tracking
from tasks.registry.tracking import RegistryRefused
from tasks.signing import keyring
from tests.support.peak import measured

_SMALL = """
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from tasks import disk, store
from tasks.signing import keyring
from tasks.disk import Unusable
import tasks.data.keys, duckdb
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    {code}
    told = None
except Unusable as error:
    told = str(error)
print(json.dumps(told))
"""


def told_with_files_of_at_most(limit: int, code: str, folder: Path, **environment: str) -> str:
    """Return what code says that may write no larger file: as on a full disk, for anybody."""
    told = measured(_SMALL.format(limit=limit, code=code), folder, **environment)
    return str(told)


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_what_does_not_fit_into_the_store_leaves_nothing_and_names_the_place(
    stores: Path,
) -> None:
    store.write("reports/churn/a.html", "old")
    for code in (
        "store.write('reports/churn/a.html', 'x' * 100_000)",
        "store.put('reports/churn/a.html', 'large')",
    ):
        (stores / "large").write_bytes(b"x" * 100_000)
        told = told_with_files_of_at_most(
            50_000, code, stores, GATELATCH_STORE=str(stores / "store")
        )
        assert told == (
            f"{stores}/store/reports/churn/a.html (GATELATCH_STORE) cannot be written: the file "
            "would be larger than this process may write; raise ulimit -f, then run this again"
        )
        assert store.read_bytes("reports/churn/a.html") == b"old"
        assert files(stores / "store") == ["reports/churn/a.html"]


def test_a_store_that_is_a_file_or_whose_folder_vanished_is_named(
    stores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (stores / "file").write_text("")
    monkeypatch.setenv("GATELATCH_STORE", str(stores / "file"))
    with pytest.raises(Unusable, match=r"file/a \(GATELATCH_STORE\) cannot be written: "):
        store.write("a", "")
    with pytest.raises(store.NotKept, match=r"file/a \(GATELATCH_STORE\) cannot be read: "):
        store.read_bytes("a")
    monkeypatch.setenv("GATELATCH_STORE", str(stores / "gone"))
    with pytest.raises(store.NotKept, match="No such file or directory; mount or restore") as told:
        store.read_bytes("summaries/a.json")
    assert isinstance(told.value, OSError)  # what a report's page answers with 404


class RemoteError(Exception):
    """What the drivers of some remote stores raise: no OSError."""


class Remote(LocalFileSystem):
    """A store behind a driver with errors of its own."""

    protocol = "remote"

    def _open(self, *_: Any, **__: Any) -> Any:
        raise RemoteError("503: slow down")


def test_errors_of_a_remote_stores_driver_are_named_alike(
    stores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsspec.register_implementation("remote", Remote, clobber=True)
    monkeypatch.setenv("GATELATCH_STORE", f"remote://{stores}/store")
    with pytest.raises(
        Unusable, match=r"a \(GATELATCH_STORE\) cannot be written: RemoteError: 503: slow down; "
    ):
        store.write("a", "")


class Objects(LocalFileSystem):
    """A store without folders, whose driver keeps the lists that it got, as that of S3 does."""

    protocol = "objects"

    def makedirs(self, *_: Any, **__: Any) -> None:
        pass

    def _open(self, path: str, mode: str = "rb", **settings: Any) -> Any:
        if "w" in mode:
            super().makedirs(self._parent(path), exist_ok=True)
        return super()._open(path, mode, **settings)

    def ls(self, path: str, detail: bool = False, **settings: Any) -> Any:
        if path not in self.dircache:
            found = super().ls(path, detail=True, **settings)
            self.dircache[path] = found
        else:
            found = self.dircache[path]
        return found if detail else [one["name"] for one in found]


@pytest.fixture
def objects(stores: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    fsspec.register_implementation("objects", Objects, clobber=True)
    monkeypatch.setenv("GATELATCH_STORE", f"objects://{stores}/store")
    return stores / "store"


def test_a_store_without_folders_is_written_to_from_the_first_file_on(objects: Path) -> None:
    store.write("reports/churn/a.html", "whole")
    assert store.read_bytes("reports/churn/a.html") == b"whole"
    assert files(objects) == ["reports/churn/a.html"]


def test_what_another_process_wrote_is_seen_although_the_drivers_keep_lists(objects: Path) -> None:
    store.write("reports/a", "")
    assert store.files_below("reports") == ["reports/a"]
    (objects / "reports" / "b").write_text("")
    assert store.files_below("reports") == ["reports/a", "reports/b"]


def test_what_a_killed_process_left_half_written_is_cleared_by_the_next_write(
    stores: Path,
) -> None:
    now = int(time.time())
    here = stores / "store" / "reports"
    here.mkdir(parents=True)
    for name in (f"{now - 7200}-0123abcd.partial", "a.html.4711.partial"):
        (here / name).write_text("half")
    mine = here / f"{now}-0123abcd.partial"  # another process is at it
    mine.write_text("half")
    store.write("reports/a.html", "whole")
    assert files(here) == sorted([mine.name, "a.html"])


_HOLD = """
import os, signal
from tasks import scratch
with scratch.folder() as folder:
    open(f"{folder}/rows", "w").close()
    print(folder, flush=True)
    signal.pause()
"""


def test_the_temporary_folder_of_a_killed_process_is_cleared_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    held = [
        subprocess.Popen(
            [sys.executable, "-c", _HOLD],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path.cwd())},
        )
        for _ in range(2)
    ]
    killed, alive = (Path(((p.stdout and p.stdout.readline()) or "").strip()) for p in held)
    try:
        held[0].kill()
        held[0].wait()
        assert killed.is_dir()
        with scratch.folder():  # so young a folder may not have its lock yet
            assert killed.is_dir()
        for folder in (killed, alive):
            os.utime(folder.parent, (0, 0))
        with scratch.folder() as mine:
            assert Path(mine).is_dir()
        assert not killed.parent.exists()
        assert (alive / "rows").is_file()
        assert not Path(mine).parent.exists()
    finally:
        for process in held:
            process.send_signal(signal.SIGKILL)
            process.communicate()


def test_keys_that_do_not_fit_on_the_disk_beside_them_are_named(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    code = """
import pyarrow as pa, numpy as np
    keys = [pa.array([f'{n % 7919:07}-{n:012}' + 'k' * 200 for n in range(a, a + 32768)])
            for a in range(0, 32768 * 60, 32768)]
    tasks.data.keys.repeated_keys(lambda: (pa.record_batch([k], names=['id']) for k in keys[::-1]))
"""
    told = told_with_files_of_at_most(
        1 << 20,
        code.strip(),
        tmp_path,
        TMPDIR=str(tmp_path / "tmp"),
    )
    assert told.startswith("the window's keys (source.key) cannot be compared: ")
    assert files(tmp_path / "tmp") == []


@pytest.mark.parametrize(
    ("pragma", "reason"),
    [
        ("max_page_count = 1", "no space is left; free some"),  # beyond what is there already
        ("query_only = on", "it is read-only; make it writable"),
    ],
)
def test_a_ledger_that_is_full_or_read_only_is_named(
    tmp_path: Path, pragma: str, reason: str
) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.create()
    with ledger._engine.connect() as link:
        link.exec_driver_sql(f"pragma {pragma}")
        with pytest.raises(
            Unusable, match=rf"ledger\.db \(GATELATCH_LEDGER\) cannot be used: {reason}"
        ):
            link.exec_driver_sql("create table large as select zeroblob(1000000)")
    ledger._engine.dispose()


def test_a_ledger_that_nobody_answers_for_is_named_without_its_password() -> None:
    ledger = Ledger("postgresql+psycopg://ada:secret@127.0.0.1:1/ledger")
    with pytest.raises(Unusable, match="cannot be used: OperationalError: connection") as told:
        ledger.create()
    assert "secret" not in str(told.value)


def test_what_the_ledger_says_of_a_statement_is_left_as_it_is(ledger: Ledger) -> None:
    with pytest.raises(sa.exc.DBAPIError), ledger._engine.connect() as link:
        link.exec_driver_sql("select nothing from nowhere").all()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_mlflow_says_of_a_full_disk_what_it_is_and_not_that_the_model_is_bad(code: int) -> None:
    from mlflow.exceptions import RESOURCE_DOES_NOT_EXIST, MlflowException

    what = "churn version 1 cannot be fetched"
    wrapped = MlflowException("please ensure that the path is correct", RESOURCE_DOES_NOT_EXIST)
    wrapped.__cause__ = OSError(code, os.strerror(code))
    explained = tracking._explained(what, "restore its files")
    with pytest.raises(Unusable, match=f"^{what}: (no space|the disk quota)"), explained:
        raise wrapped
    wrapped.__cause__ = None
    explained = tracking._explained(what, "restore its files")
    with pytest.raises(RegistryRefused, match="restore its files"), explained:
        raise wrapped


def test_what_steps_hand_over_and_does_not_fit_into_the_temporary_folder_is_named(
    stores: Path,
) -> None:
    (stores / "tmp").mkdir()
    tracking.prepare_store()
    run = tracking.start("churn", "boot", {})
    tracking.put_json(run, "rows", "x" * 200_000)
    settings = {k: v for k, v in os.environ.items() if k.startswith(("GATELATCH_", "MLFLOW_"))}
    told = told_with_files_of_at_most(
        100_000,
        f"from tasks.registry import tracking; tracking.get_json({run!r}, 'rows')",
        stores,
        TMPDIR=str(stores / "tmp"),
        **settings,
    )
    assert told.startswith(f"the temporary folder {stores}/tmp/gatelatch-")
    assert files(stores / "tmp") == []


def test_a_key_that_does_not_fit_leaves_nothing_and_what_a_killed_process_left_is_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "keys" / "signing.pem"
    told = told_with_files_of_at_most(
        10, "keyring.create_keys()", tmp_path, GATELATCH_SIGNING_KEY=str(key)
    )
    assert told.startswith(f"the signing key {key} cannot be written: ")
    assert files(key.parent) == []
    left = key.with_name(f"{key.name}.{'0' * 32}")
    left.write_text("half")
    os.utime(left, (0, 0))
    monkeypatch.setenv("GATELATCH_SIGNING_KEY", str(key))
    keyring.create_keys()
    assert files(key.parent) == ["signing.pem", "signing.pub"]


def test_an_output_is_written_whole_or_not_at_all_and_a_link_or_pipe_stays_one(
    tmp_path: Path,
) -> None:
    (tmp_path / "told.json").write_text("old")
    code = """
    from pathlib import Path
    with disk.whole(Path('told.json'), '--json') as path:
        path.write_text('x' * 100_000)
"""
    told = told_with_files_of_at_most(50_000, code.strip(), tmp_path)
    assert told.startswith("--json told.json cannot be written: the file would be larger")
    assert files(tmp_path) == ["told.json"]
    assert (tmp_path / "told.json").read_text() == "old"
    link = tmp_path / "link.json"
    link.symlink_to("told.json")
    with disk.whole(link, "--json") as path:
        path.write_text(json.dumps("new"))
    assert link.is_symlink()
    assert (tmp_path / "told.json").read_text() == '"new"'
    with disk.whole(Path("/dev/null"), "--json") as path:
        path.write_text("gone")
    with (
        pytest.raises(Unusable, match="--json /dev/full cannot be written: no space is left"),
        disk.whole(Path("/dev/full"), "--json") as path,
    ):
        path.write_text("gone")


def test_a_command_says_in_a_sentence_that_the_disk_is_full(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tasks", "init"],
        cwd=Path(__file__).parents[1],
        env={
            **os.environ,
            "GATELATCH_LEDGER": f"sqlite:///{tmp_path}/absent/ledger.db",
            "GATELATCH_STORE": str(tmp_path / "store"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "(GATELATCH_LEDGER) cannot be used: its folder is not there" in done.stderr


@pytest.mark.parametrize("folder", [store.QUARANTINE, store.REVIEW, store.ADOPTED])
def test_rows_are_for_owner_and_group_alone_whatever_the_umask(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATELATCH_STORE", str(tmp_path))
    before = os.umask(0)
    try:
        store.write(f"{folder}churn/a.parquet", b"rows")
    finally:
        os.umask(before)
    kept = tmp_path / f"{folder}churn/a.parquet"
    assert (kept.read_bytes(), oct(kept.stat().st_mode & 0o007)) == (b"rows", "0o0")
