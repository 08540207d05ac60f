"""What would end a worker ends a child of it, and is named."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.data import apart, csv_file, readers, score_files
from tasks.data.readers import SourceError
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tests.support.lethal import lethal

ROWS = {"note": ["good tea", None, "bread"], "x": [1.0, 2.0, 3.0]}
LOCAL = fsspec.filesystem("file")
READ = (
    "import pyarrow.parquet as pq, sys; pq.ParquetFile(sys.argv[1]).metadata.row_group(0).column(0)"
)


def dies_of(number: signal.Signals) -> list[str]:
    """Return the command of a child that is ended so once it is asked for anything."""
    code = f"import os; input(); os.kill(os.getpid(), {number.value})"
    return [sys.executable, "-c", code]


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "2026-01-06.parquet"
    path.write_bytes(lethal(ROWS, "note"))
    return str(path)


def test_a_file_that_ends_its_reader_is_an_error_of_that_file(file: str) -> None:
    alone = subprocess.run([sys.executable, "-c", READ, file], capture_output=True, check=False)
    assert alone.returncode == -signal.SIGABRT  # else Arrow has learnt to refuse it
    with (
        apart.begun(),
        pytest.raises(SourceError, match=r"2026-01-06\.parquet cannot be read") as told,
    ):
        readers.parquet(LOCAL, file, file)
    assert "(SIGABRT)" in str(told.value)
    assert "tea" not in str(told.value)


def test_the_files_after_it_are_read_as_ever(file: str, tmp_path: Path) -> None:
    healthy = str(tmp_path / "healthy.parquet")
    pq.write_table(pa.table(ROWS), healthy)
    with apart.begun():
        for _ in range(2):
            with pytest.raises(SourceError):
                readers.parquet(LOCAL, file, file)
            whole = pa.Table.from_batches(readers.read_parquet(LOCAL, healthy, [0], list(ROWS)))
            assert whole.to_pydict() == ROWS


def test_one_child_reads_all_files(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    code = (
        "import os, sys\nfor line in sys.stdin:"
        "\n open(sys.argv[1], 'a').write(f'{os.getpid()} {line}'); print(flush=True)"
    )
    files = [str(tmp_path / f"{number}.parquet") for number in range(3)]
    for name in files:
        pq.write_table(pa.table(ROWS), name)
    with pytest.MonkeyPatch.context() as patch, apart.begun():
        patch.setattr(apart, "_COMMAND", [sys.executable, "-c", code, str(asked)])
        for name in files:
            found = readers.parquet(LOCAL, name, name)
            assert found is not None
            list(readers.read_parquet(LOCAL, name, found.groups(None), ["x"]))
    lines = asked.read_text().splitlines()
    assert len(lines) == 6  # the footer and the pages of each
    assert len({line.split()[0] for line in lines}) == 1


WAYS: dict[str, Callable[[str], object]] = {
    "footer": lambda file: readers.parquet(LOCAL, file, file),
    "pages": lambda file: list(readers.read_parquet(LOCAL, file, [0], ["x"])),
    "texts": lambda file: list(csv_file.read_texts(LOCAL, file, list, 1)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", [signal.SIGSEGV, signal.SIGBUS])
def test_whatever_native_fault_it_is_and_however_a_file_is_read_the_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, fault: signal.Signals
) -> None:
    monkeypatch.setattr(apart, "_COMMAND", dies_of(fault))
    path = tmp_path / "rows"
    path.write_bytes(b"time,x\n")
    with apart.begun(), pytest.raises(SourceError, match=f"rows cannot be read.*{fault.name}"):
        WAYS[way](str(path))


def test_a_file_of_scores_that_ends_its_reader_is_named_by_who_reads_its_manifest(
    spec: Callable[..., ModelSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = {"path": "rows.parquet", "margin": "f", "version_column": "v"}
    scored = spec(source=source, scoring={"path": str(tmp_path)})
    window = Window(datetime(2026, 1, 6, tzinfo=UTC), datetime(2026, 1, 7, tzinfo=UTC))
    monkeypatch.setattr(apart, "_COMMAND", dies_of(signal.SIGSEGV))
    with (
        apart.begun(),
        pytest.raises(SourceError, match=r"scores\.parquet cannot be read.*SIGSEGV"),
    ):
        score_files.scores_manifest(scored, window, 1)


def test_who_kills_the_child_says_nothing_about_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "_COMMAND", dies_of(signal.SIGKILL))
    path = str(tmp_path / "rows.parquet")
    pq.write_table(pa.table(ROWS), path)
    with apart.begun():
        found = readers.parquet(LOCAL, path, path)
    assert found is not None


def test_what_a_child_cannot_read_is_refused_as_without_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"no parquet")

    def refusal() -> str:
        with pytest.raises(pa.ArrowInvalid) as error:
            readers.parquet(LOCAL, str(path), str(path))
        return str(error.value)

    alone = refusal()
    with apart.begun():
        assert refusal() == alone


def test_a_column_whose_name_is_no_text_is_named_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table(ROWS), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"note", b"n\x92te"))
    with pytest.raises(SourceError, match=r"rows\.parquet: the name of a column .* no UTF-8"):
        readers.parquet(LOCAL, str(path), str(path))


def test_the_child_ends_when_nobody_asks_any_more(tmp_path: Path) -> None:
    path = str(tmp_path / "rows.parquet")
    pq.write_table(pa.table(ROWS), path)
    code = f"""
from tasks.data import apart, readers
import fsspec, os
apart.begin()
readers.parquet(fsspec.filesystem("file"), {path!r}, {path!r})
print(apart._reader._child.pid, flush=True)
os.abort()
"""
    died = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGABRT
    child = Path("/proc", died.stdout.strip())
    for _ in range(1000):
        if not child.exists() or "(zombie)" in (child / "status").read_text():
            break
        signal.sigtimedwait([], 0.01)
    else:
        pytest.fail("the child is still there")
