"""The matrix of faults, as it is printed, and a clock of services that jumps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.faults import clock, full
from ops.faults.catch import Catcher
from ops.faults.faults import FAULTS
from ops.faults.life import STAGES, Stage
from ops.faults.matrix import Cell, completed, table
from ops.faults.record import Record
from ops.faults.waves import plan
from ops.native.images import ROOT
from tests.support.native import need_native

TASK = """
import setproctitle, time
setproctitle.setproctitle("airflow worker -- some-id")
time.sleep(60)
"""
FILL = """
import os, pathlib, sys
from ops.faults import full
volumes = pathlib.Path(sys.argv[1])
full.fill_folder(os.open(volumes / "redis", os.O_RDONLY | os.O_DIRECTORY))
for name in ("redis", "logs"):
    try:
        (volumes / name / "one").write_text("x")
        print(name, "kept")
    except OSError as error:
        print(name, error.strerror)
"""
CLOCKS = """
import json, sys, time
for _ in sys.stdin:
    time.sleep(0.1)
    print(json.dumps([time.time(), time.monotonic()]), flush=True)
"""


def test_the_matrix_has_a_row_for_each_stage_and_a_reason_for_each_cell_that_is_no_number() -> None:
    cells = [Cell("none", stage.task, 2.0) for stage in STAGES]
    cells += [
        Cell("worker", "measure", 41.4, tries=2),
        Cell("worker", "judge", 3.0, caught=False),
        Cell("redis", "judge", 420.0, wrong="not over after 420 s"),
        Cell("redis", "propose", 0, never="judge is failed"),
    ]
    lines = table(cells).splitlines()
    assert lines[0] == "| stage | none | worker | redis |"
    assert "| monitor: measure | 2 | 41 |  |" in lines
    assert "| monitor: judge | 2 | (3) | **no** |" in lines
    assert "| monitor: propose | 2 |  | – |" in lines
    assert lines[2 + len(STAGES) :][:2] == [
        "| *median* | 2 | 41 | – |",
        "| *longest* | 2 | 41 | – |",
    ]
    over, wrong, never = lines[2 + len(STAGES) + 3 :]
    assert over.startswith("- worker (judge): the task was over before the fault came")
    assert wrong == "- redis (judge): not over after 420 s."
    assert never == "- redis (propose): judge is failed."


def test_many_faults_are_several_tables_each_as_wide_as_a_page() -> None:
    cells = [Cell(fault, stage.task, 2.0) for fault in FAULTS for stage in STAGES]
    lines = table(cells).splitlines()
    heads = [line.strip("| ").split(" | ") for line in lines if line.startswith("| stage")]
    assert [name for stage, *names in heads for name in names] == list(FAULTS)
    assert max(map(len, heads)) <= 8
    assert sum(line.startswith("| monitor: judge") for line in lines) == len(heads) > 1


def test_no_cell_is_empty_without_a_reason() -> None:
    cells = completed([Cell("worker", "judge", 3.0)], ["worker", "redis"], STAGES[:3], str.upper)
    lines = table(cells).splitlines()
    assert lines[2:5] == [
        "| monitor: validate | – | – |",
        "| monitor: measure | – | – |",
        "| monitor: judge | 3 | – |",
    ]
    assert lines[8:] == [
        "- worker (validate, measure): WORKER.",
        "- redis (validate, measure, judge): REDIS.",
    ]


def test_what_was_gathered_is_kept_as_it_comes_and_blamed_for_what_a_life_left(
    tmp_path: Path,
) -> None:
    record = Record(tmp_path / "run" / "cells.json")
    record.add(Cell("worker", "judge", 3.0, "life_1"))
    record.add(Cell("worker", "judge", 9.0, "life_2"))  # the first one counts
    record.add(Cell("worker", "gate", 4.0, "life_2"))
    record.blame({"life_2": "versions: 2 → 3"})
    kept = json.loads((tmp_path / "run" / "cells.json").read_text())
    assert [(one["stage"], one["wrong"]) for one in kept] == [
        ("judge", ""),
        ("gate", "versions: 2 → 3"),
    ]


def test_of_some_stages_only_their_rows_are_printed() -> None:
    _, _, *rows = table([Cell("worker", "judge", 3.0), Cell("worker", "gate", 8.0)]).splitlines()
    assert rows == [
        "| monitor: judge | 3 |",
        "| retrain: gate | 8 |",
        "| *median* | 6 |",
        "| *longest* | 8 |",
    ]


@given(
    st.lists(st.sampled_from(list(FAULTS)), min_size=1, unique=True),
    st.lists(st.sampled_from(STAGES), min_size=1, unique=True),
)
def test_each_fault_meets_each_stage_once_and_each_life_its_stages_in_order(
    names: list[str], stages: list[Stage]
) -> None:
    stages = sorted(stages, key=STAGES.index)
    waves = plan(names, stages)
    met = [(fault, stage) for fault, at in waves for stage in at.values()]
    assert sorted(met, key=str) == sorted(product(names, stages), key=str)
    for life in range(len(names)):
        assert [at[life] for _, at in waves if life in at] == stages


@pytest.fixture
def task() -> Any:
    """A process that has the title of a task's."""
    one = psutil.Popen([sys.executable, "-c", TASK])
    yield one
    with suppress(psutil.NoSuchProcess):
        one.kill()
        one.wait()


def test_a_task_is_stopped_in_its_middle_and_goes_on_when_it_is_let_go(task: psutil.Popen) -> None:
    catcher = Catcher()
    catcher.want("another-id", 0)
    catcher.want("some-id", 4)
    time.sleep(0.8)
    assert not catcher.holds("some-id")
    until(lambda: catcher.holds("some-id"))
    until(lambda: task.status() == psutil.STATUS_STOPPED)  # a signal takes its time
    catcher.let_go("some-id")
    until(lambda: task.status() != psutil.STATUS_STOPPED)
    time.sleep(0.5)
    assert not catcher.holds("some-id")


def test_what_a_fault_has_ended_is_held_no_more(task: psutil.Popen) -> None:
    catcher = Catcher()
    catcher.want("some-id", 0)
    until(lambda: catcher.holds("some-id"))
    task.kill()
    task.wait()
    assert not catcher.holds("some-id")


def until(done: Any) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_small_volume_is_full_and_no_other(tmp_path: Path) -> None:
    need_native()
    volumes = tmp_path / "volumes"
    words = full.mounting(tmp_path, [sys.executable, "-c", FILL, str(volumes)])
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines() == ["redis No space left on device", "logs kept"]
    assert list((volumes / "redis").iterdir()) == []  # it was a disk of its own


def test_the_clock_of_a_service_jumps_while_it_runs(tmp_path: Path) -> None:
    if why := clock.missing():
        pytest.skip(why)
    services: dict[str, Any] = {"one": {"environment": {"KEPT": "yes"}}}
    clock.prepare(services, tmp_path)
    (volume,), environment = services["one"]["volumes"], services["one"]["environment"]
    outside, inside, _ = volume.split(":")
    told = {name: text.replace(inside, outside) for name, text in environment.items()}
    assert told["KEPT"] == "yes"
    with subprocess.Popen(
        [sys.executable, "-c", CLOCKS],
        env={**os.environ, **told},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as service:
        assert service.stdin is not None
        assert service.stdout is not None

        def now() -> tuple[float, float]:
            print("now", file=service.stdin, flush=True)
            said = json.loads(service.stdout.readline())  # type: ignore[union-attr]  # a pipe
            return said[0] - datetime.now(UTC).timestamp(), said[1]

        assert abs(now()[0]) < 5
        before = now()[1]
        clock.jump(tmp_path / "run", clock.HOUR)
        off, after = now()
        assert abs(off - clock.HOUR) < 5
        assert after - before < 30
        clock.jump(tmp_path / "run", -2 * clock.HOUR)
        assert abs(now()[0] + clock.HOUR) < 5
        service.stdin.close()
