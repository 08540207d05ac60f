"""A slow test is left out of `make test-fast`, or fails and says where to name it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.fast import FAST, LISTED

pytest_plugins = ["pytester"]
TESTS = Path(__file__).parent


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("__import__('airflow')", "imports airflow"),
        ("__import__('subprocess').run(['true'])", "starts a process"),
        ("__import__('socket').socket().bind(('127.0.0.1', 0))", "opens a port"),
        ("pass", ""),
    ],
)
def test_a_slow_test_that_is_not_listed_fails_and_is_told_where_to_list_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, body: str, told: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(TESTS.parent), prepend=os.pathsep)
    pytester.makeini("[pytest]\nmarkers = slow: left out")
    pytester.makepyfile(test_new=f"def test_new():\n    {body}")
    done = pytester.runpytest_subprocess("-p", "tests.fast", "-p", "no:cacheprovider", "-m", FAST)
    done.assert_outcomes(failed=int(bool(told)), passed=int(not told))
    if told:
        done.stdout.fnmatch_lines([f"*test_new {told}: name it in LISTED of tests/fast.py*"])


def test_what_is_left_out_is_counted_with_the_reason(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(TESTS.parent), prepend=os.pathsep)
    pytester.makeini("[pytest]\nmarkers = slow: left out")
    pytester.makepyfile(
        test_fast="raise ValueError",
        test_new="import pytest\n@pytest.fixture\ndef stores(): ...\n"
        "def test_quick(): ...\ndef test_promotes(stores): ...",
    )
    done = pytester.runpytest_subprocess(
        "-p", "tests.fast", "-p", "no:cacheprovider", "-m", FAST, "-n", "2"
    )
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(
        [
            "1 files: 1 for processes of their own",
            "1 tests of other files: 1 for MLflow's store",
            "1 tests ran; `make test` runs all",
        ]
    )


@pytest.mark.parametrize("name", LISTED)
def test_what_is_listed_as_slow_exists(name: str) -> None:
    module, _, function = name.partition("::")
    if (TESTS / module).is_dir():
        return
    file = TESTS / f"{module}.py"
    assert not function or re.search(rf"^def {function}\(", file.read_text(), re.MULTILINE)
    assert file.exists()
