"""The team set-up: what `docker-compose.yaml` promises is there.

No Docker engine is needed: the file is read, and its commands put to the real programs.
tests/team runs it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from check_jsonschema.builtin_schemas import get_builtin_schema  # type: ignore[import-untyped]
from sqlalchemy import make_url

from ops.native.compose_file import filled
from tests.support.compose import (
    COPIED,
    ENVIRONMENT,
    HOME,
    OURS,
    PROGRAMS,
    PROJECT,
    RAW,
    ROOT,
    SERVICES,
    instructions,
    mounts,
)

# Airflow reads it, and lists it nowhere.
UNDOCUMENTED = {"num_stuck_in_queued_retries"}
STANDING = {name for name, service in SERVICES.items() if service["restart"] != "no"}


def environment(name: str, home: Path) -> dict[str, str]:
    """Return the environment of a service, with its folders moved into this checkout."""
    path = [str(ROOT), str(ROOT / "ops" / "airflow")]
    (home / "secret").write_text("s3cret")
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": os.pathsep.join(path),
        **{
            key: re.sub(r"/run/secrets/\w+", str(home / "secret"), value.replace(HOME, f"{ROOT}/"))
            for service, key, value in ENVIRONMENT
            if service == name
        },
    }


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what Airflow itself says, started as a worker: its options and its parser."""
    code = """
import json, sys
from airflow.configuration import conf, retrieve_configuration_description
from airflow.cli.cli_parser import get_parser
from airflow.executors.executor_loader import ExecutorLoader
from airflow.api_fastapi.app import get_auth_manager_cls
said = {
    "auth_manager": get_auth_manager_cls().__name__,
    "executor": ExecutorLoader.import_default_executor_cls()[0].__name__,
    "options": {
        section: list(described["options"])
        for section, described in retrieve_configuration_description().items()
    },
    "sensitive": sorted(conf.sensitive_config_values),
    "database": conf.get("database", "sql_alchemy_conn"),
    "broker": conf.get("celery", "broker_url"),
    "results": conf.get("celery", "result_backend"),
    "jwt": conf.get("api_auth", "jwt_secret"),
}
for arguments in json.load(sys.stdin):
    get_parser().parse_args(arguments)
print("SAID" + json.dumps(said))
"""
    commands = [program[1:] for _, program in PROGRAMS if program[0] == "airflow"]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment("worker", tmp_path_factory.mktemp("airflow")),
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said: dict[str, Any] = json.loads(done.stdout.split("SAID")[-1])
    return said


# --- the file as a whole


def test_the_compose_file_follows_the_compose_specification() -> None:
    schema = get_builtin_schema("vendor.compose-spec")
    jsonschema.Draft202012Validator(schema).validate(PROJECT)
    jsonschema.Draft202012Validator(schema).validate(RAW)


def test_the_compose_specification_that_is_used_refuses_a_wrong_file() -> None:
    wrong = {"services": {"worker": {"image": "gatelatch", "comand": "airflow celery worker"}}}
    with pytest.raises(jsonschema.ValidationError, match="comand"):
        jsonschema.Draft202012Validator(get_builtin_schema("vendor.compose-spec")).validate(wrong)


def test_every_service_waits_only_for_what_can_happen() -> None:
    for name, service in SERVICES.items():
        for other, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], (name, other)
            else:
                assert wait["condition"] == "service_completed_successfully", (name, other)
                assert SERVICES[other]["restart"] == "no", (name, other)


def test_every_lasting_service_has_a_health_check_and_comes_back_when_it_dies() -> None:
    for name in STANDING:
        assert SERVICES[name]["restart"] == "unless-stopped", name
        assert "healthcheck" in SERVICES[name], name


def test_every_service_runs_without_root_and_rights_and_writes_only_where_it_is_told() -> None:
    for name, service in SERVICES.items():
        user = service.get("user") or instructions("USER")[-1][0]
        assert user not in ("root", "0"), name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_every_service_has_limits_of_processor_memory_and_processes() -> None:
    for name, service in SERVICES.items():
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}, name


def test_every_image_that_is_not_ours_is_pinned_by_tag_and_digest() -> None:
    bases = [words[0] for words in instructions("FROM")]
    for image in [s["image"] for s in SERVICES.values() if "build" not in s] + bases:
        assert re.fullmatch(r"[\w/]+:v?\d[\w.-]+@sha256:[0-9a-f]{64}", image), image


def test_there_are_two_schedulers_and_as_many_workers_as_are_asked_for() -> None:
    assert SERVICES["scheduler"]["deploy"]["replicas"] == 2
    assert SERVICES["worker"]["deploy"]["replicas"] == "2"
    more = filled(RAW, {"GATELATCH_WORKERS": "5"})["services"]["worker"]
    assert more["deploy"]["replicas"] == "5"


# --- what it names exists


def test_every_mounted_path_exists_and_every_volume_is_declared_and_used() -> None:
    used = set()
    for name in SERVICES:
        for source, target, _ in mounts(name):
            if source == "./secrets/alertmanager":  # `make secrets` makes it
                continue
            if source.startswith("."):
                assert (ROOT / source).exists(), source
                if target.startswith(HOME):
                    assert target == HOME + source.removeprefix("./"), (source, target)
            else:
                used.add(source)
    assert used == set(PROJECT["volumes"])


def test_every_volume_of_our_own_lands_on_a_folder_that_the_image_gives_to_its_user() -> None:
    made = {path for run in instructions("RUN") if "mkdir" in run for path in run}
    for name in OURS:
        for source, target, _ in mounts(name):
            if not source.startswith("."):
                assert target in made, (name, target)


def test_what_tasks_spill_goes_to_a_volume_and_not_to_memory() -> None:
    worker = SERVICES["worker"]
    folder = worker["environment"]["TMPDIR"]
    writable = {target for source, target, ro in mounts("worker") if not ro}
    assert folder in writable
    assert not any(Path(folder).is_relative_to(place) for place in worker["tmpfs"])


def test_what_passes_through_mlflow_goes_to_a_volume_and_not_to_memory() -> None:
    command = SERVICES["mlflow"]["command"][-1]
    match = re.search(r"ops\.tracking_server .*--folder (\S+)", command)
    assert match
    folder = Path(match[1]) / "tmp"  # as ops/tracking_server.py makes it
    assert str(folder) in {target for _, target, ro in mounts("mlflow") if not ro}
    assert not any(folder.is_relative_to(place) for place in SERVICES["mlflow"]["tmpfs"])


def test_every_path_of_ours_in_a_setting_is_in_the_image_or_mounted() -> None:
    inside = {HOME + source.rstrip("/") for source in COPIED}
    for name, key, value in ENVIRONMENT:
        here = inside | {target for _, target, _ in mounts(name)}
        for path in re.findall(r"/(?:opt|var/lib)/gatelatch[\w/.-]*", value):
            if key.endswith("_KEY"):  # a key that a service does not see is none of its own
                continue
            known = any(path == top or path.startswith(f"{top}/") for top in here)
            assert known or key == "GATELATCH_STORE", (name, key)
            if path.startswith(HOME):
                assert (ROOT / path.removeprefix(HOME)).exists(), (name, key)


@pytest.mark.parametrize("program", sorted({program[0] for _, program in PROGRAMS}))
def test_every_program_that_is_started_is_installed(program: str) -> None:
    scripts = {script.name for script in entry_points(group="console_scripts")}
    assert program == "python" or program in scripts


@pytest.mark.parametrize(
    ("service", "program"),
    [
        pytest.param(service, program, id=f"{service}: {shlex.join(program)[:60]}")
        for service, program in PROGRAMS
        if program[0] != "airflow" and program[:2] != ["python", "-c"]
    ],
)
def test_every_command_is_known_to_its_program(
    service: str, program: list[str], tmp_path: Path
) -> None:
    # click reads all arguments before it prints the help, so a wrong one is refused
    done = subprocess.run(
        [*program, "--help"],
        env=environment(service, tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(180)
def test_every_airflow_command_and_the_classes_it_runs_with_are_known_to_airflow(
    airflow: dict[str, Any],
) -> None:
    assert airflow["auth_manager"] == "FabAuthManager"
    assert airflow["executor"] == "CeleryExecutor"


@pytest.mark.timeout(180)
def test_every_airflow_setting_is_an_option_of_this_airflow_and_every_secret_one_may_be_a_command(
    airflow: dict[str, Any],
) -> None:
    settings = {key for _, key, _ in ENVIRONMENT if key.startswith("AIRFLOW__")}
    assert settings
    for key in settings:
        section, option = key.removeprefix("AIRFLOW__").lower().split("__")
        known = airflow["options"].get(section, [])
        assert option.removesuffix("_cmd") in known or option in UNDOCUMENTED, key
        if option.endswith("_cmd"):
            assert [section, option.removesuffix("_cmd")] in airflow["sensitive"], key


def test_an_option_that_airflow_reads_and_does_not_document_is_still_read() -> None:
    place = find_spec("airflow")
    assert place is not None
    assert place.submodule_search_locations
    (scheduler,) = Path(place.submodule_search_locations[0]).glob("jobs/scheduler_job_runner.py")
    for option in UNDOCUMENTED:
        assert f'key="{option}"' in scheduler.read_text()


@pytest.mark.timeout(180)
def test_airflow_makes_its_addresses_of_the_files_of_secrets(airflow: dict[str, Any]) -> None:
    assert airflow["database"] == "postgresql+psycopg2://airflow:s3cret@postgres/airflow"
    assert airflow["results"] == "db+postgresql+psycopg2://airflow:s3cret@postgres/airflow"
    assert airflow["broker"] == "redis://:s3cret@redis:6379/0"
    assert airflow["jwt"] == "s3cret"


def test_every_health_check_written_in_python_is_python() -> None:
    for service, program in PROGRAMS:
        if program[:2] == ["python", "-c"]:
            compile(program[2], service, "exec")


def test_every_database_address_has_its_driver_installed() -> None:
    for _, _, value in ENVIRONMENT:
        if value.startswith("postgresql"):
            make_url(value).get_dialect().import_dbapi()


def test_every_address_between_the_services_names_one_of_them() -> None:
    for name, key, value in ENVIRONMENT:
        if key.endswith(("_URL", "_UI")) or "CORS" in key:
            continue  # as a browser sees them
        for host in re.findall(r"://(?:[^@/ ]*@)?([\w-]+)", value):
            assert host in SERVICES, (name, key, value)
