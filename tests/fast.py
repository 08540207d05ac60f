"""Which tests `make test-fast` leaves out and why, and the watch that keeps slow ones from it.

A test is left out for what it uses, which its fixtures tell, or because it is listed here: nowhere
else. `make test-fast` watches what it runs: a test may start no process, open no port and import
neither Airflow nor MLflow, and it has seconds of the processor.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import urllib3.util.connection  # noqa: F401  # its import binds a port, to see what there is

TESTS = Path(__file__).parent
FAST = "not slow"  # what `make test-fast` says after -m
SECONDS = 5.0  # of the processor, of which a busy machine takes nothing away

AIRFLOW = "Airflow"
BROWSER = "Airflow and a browser"
LONG = "seconds of arithmetic"
MLFLOW = "MLflow's store"
PROCESS = "processes of their own"
# By fixture; a test has those of its fixtures too.
FIXTURES = {"stores": MLFLOW, "keras": PROCESS}
# By room, by module of it, or by module and function.
LISTED = {
    "e2e": BROWSER,
    "team": BROWSER,
    "cli/test_start": PROCESS,
    "ledger/test_migrations": PROCESS,
    "data/test_times::test_rows_of_all_windows_and_those_outside_add_up_to_the_rows_landed": LONG,
    "test_upgrade": MLFLOW,
    "test_backup": MLFLOW,
    "ledger/test_kept_fold::test_after_every_row_it_says_what_a_fold_of_all_windows_says": LONG,
    "doctor/test_broken_stacks": MLFLOW,
    "doctor/test_servers": PROCESS,
    "flows": MLFLOW,
    "ops": PROCESS,
    "plugins": AIRFLOW,
    "benchmarks": LONG,
    "classifier/test_absent": LONG,
    "gates/test_acceptance": LONG,
    "promotion/test_answers": AIRFLOW,
    "promotion/test_decisions": MLFLOW,
    "drift/test_probabilities": LONG,
    "classifier/test_calibration_fit::test_standard_errors_are_what_a_bootstrap_of_the_rows_shows": LONG,  # noqa: E501
    "classifier/test_capped": LONG,
    "drift/test_class_losses": LONG,
    "drift/test_energy::test_chance_stays_below_its_noise_and_a_shift_does_not": LONG,
    "ledger/test_follower::test_whenever_one_looks_the_follower_says_what_a_fresh_read_says": LONG,
    "cli/test_cli::test_the_module_runs_as_a_program": PROCESS,
    "drift/test_verdict_limits::test_a_healthy_stream_opens_the_latch_no_more_often_than_its_budget": LONG,  # noqa: E501
    "classifier/test_encoding": MLFLOW,
    "test_fast": PROCESS,
    "test_version::test_the_version_is_printed_written_into_lineage_and_shown_on_pages": PROCESS,
    "ledger/test_status::test_whatever_is_recorded_can_be_folded_shown_and_acted_on": LONG,
    "data/test_keys::test_keys_of_every_type_of_arrow_are_told_apart_and_repeats_found": LONG,
    "drift/test_limits::test_the_latch_opens_as_often_as_allowed_and_not_much_less": LONG,
    "drift/test_limits::test_two_samples_exceed_the_noise_of_ks_no_more_often_than_its_tail": LONG,
    "data/test_proofs": LONG,
    "ledger/test_race": PROCESS,
    "ledger/test_freezes::test_whatever_is_written_at_once_nothing_stands_behind_a_freeze_that_it_stops": PROCESS,  # noqa: E501
    "ledger/test_freezes::test_in_any_order_what_is_refused_is_what_a_freeze_stops_and_the_audit_finds_no_fault": LONG,  # noqa: E501
    "promotion/test_race_follow": MLFLOW,
    "registry/test_leaving": MLFLOW,
    "registry/test_registry": MLFLOW,
    "registry/test_refused_versions": MLFLOW,
    "drift/test_reliability_table::test_tables_merge_in_any_order_and_grouping": LONG,
    "replay/test_play": LONG,
    "rehearsal/test_rehearse": LONG,
    "cli/test_rehearse_command": LONG,
    "gates/test_bootstrap::test_the_interval_holds_the_truth_about_as_often_as_promised": LONG,
    "gates/test_slices::test_many_slices_seldom_refuse_a_candidate_that_is_as_good_as_allowed": LONG,  # noqa: E501
    "spec/test_model::test_importing_spec_and_windows_stays_light": PROCESS,
    "spec/test_spec_mutated": PROCESS,
    "spec/test_spec_nasty": PROCESS,
    "test_store": PROCESS,
    "test_store_on_s3": PROCESS,
    "test_threads": PROCESS,
    "test_redaction": MLFLOW,
    "fuzz": AIRFLOW,
    "ledger/test_damaged": LONG,
    "notices/test_sending": PROCESS,
    "notices/test_head_told": MLFLOW,
    "notices/test_hosts": PROCESS,
    "notices/test_kept_look": LONG,
    "notices/test_killed": PROCESS,
    "notices/test_untold": PROCESS,
    "cli/test_notify_command": PROCESS,
    "views/test_window_page": MLFLOW,
    "data/test_apart": PROCESS,
    "data/test_unpacking": PROCESS,
    "views/test_exposition": PROCESS,
    "views/test_metrics_server": PROCESS,
    "views/test_slow_checks": MLFLOW,
    "views/test_textfile": PROCESS,
    "scoring/test_recipes": PROCESS,
    "scoring/test_onnx_file": LONG,
}

_files: Counter[str] = Counter()  # that were not even imported, by reason
_tests: Counter[str] = Counter()  # that were left out of the others
_used: list[str] | None = None  # by the test that runs, if it is watched


def reason(item: pytest.Item) -> str | None:
    """Return why a test is left out of the fast ones; None if it is one of them."""
    function = getattr(item, "originalname", item.name)
    fixtures = getattr(item, "fixturenames", ())
    return (
        _of_file(item.path)
        or LISTED.get(f"{_name(item.path)}::{function}")
        or next((FIXTURES[name] for name in fixtures if name in FIXTURES), None)
    )


def _of_file(path: Path) -> str | None:
    return LISTED.get(path.parent.name) or LISTED.get(_name(path))


def _name(path: Path) -> str:
    return (
        path.with_suffix("").relative_to(TESTS).as_posix() if TESTS in path.parents else path.stem
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import what is left out as a whole: of a short run, imports are the most."""
    if config.option.markexpr != FAST or not collection_path.name.startswith("test_"):
        return None
    if why := _of_file(collection_path):
        _files[why] += 1
        return True
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if why := reason(item):
            item.add_marker(pytest.mark.slow(why))
            if config.option.markexpr == FAST:
                _tests[why] += 1


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _used is None:
        return
    if event == "import" and (package := arguments[0].split(".")[0]) in ("airflow", "mlflow"):
        _used.append(f"imports {package}")
    elif event in ("subprocess.Popen", "os.fork", "os.posix_spawn"):
        _used.append("starts a process")
    elif event == "socket.bind":
        _used.append("opens a port")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    global _used
    _used = [] if item.config.option.markexpr == FAST else None
    try:
        return (yield)
    finally:
        _used = None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    began = time.process_time()
    yield
    took = time.process_time() - began
    said = list(_used or ())
    if _used is not None and took > SECONDS:
        said.append(f"takes {took:.1f} s of the processor, more than {SECONDS:.0f}")
    if said:
        told = ", ".join(dict.fromkeys(said))
        pytest.fail(
            f"{item.nodeid} {told}: name it in LISTED of tests/fast.py with the reason, "
            "or let it do without",
            pytrace=False,
        )


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):  # a worker of pytest-xdist, which collects
        session.config.workeroutput["left_out"] = (dict(_files), dict(_tests))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker left out. Each of them collects the same tests."""
    global _files, _tests
    files, tests = node.workeroutput.get("left_out", ({}, {}))
    _files, _tests = _files | Counter(files), _tests | Counter(tests)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if config.option.markexpr != FAST:
        return
    ran = sum(len(terminalreporter.stats.get(kind, ())) for kind in ("passed", "failed"))
    terminalreporter.write_sep("-", "what was left out")
    for counts, things in ((_files, "files"), (_tests, "tests of other files")):
        told = ", ".join(f"{count} for {why}" for why, count in counts.most_common())
        terminalreporter.write_line(f"{counts.total()} {things}: {told}")
    terminalreporter.write_line(f"{ran} tests ran; `make test` runs all")


sys.addaudithook(_watch)
