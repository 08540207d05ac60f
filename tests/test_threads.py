"""How many threads linear algebra has, in a process of its own and in one forked from it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FORKED = """
import os
from threadpoolctl import threadpool_info
from tasks.threads import one_blas_thread

def counts():
    return {one["filepath"]: one["num_threads"] for one in threadpool_info()
            if one["user_api"] == "blas"}

with one_blas_thread():  # finds the libraries, before the fork
    pass
before = counts()
assert before and max(before.values()) == min(2, os.cpu_count()), before
pid = os.fork()
if not pid:
    with one_blas_thread():
        assert set(counts().values()) == {1}, counts()
    assert counts() == before, counts()
    os._exit(0)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_within_the_block_linear_algebra_has_one_thread_and_after_it_as_many_as_before() -> None:
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-c", FORKED]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, env=env, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
