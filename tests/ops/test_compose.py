"""The team set-up: what `docker-compose.yaml`, `Dockerfile` and `.env.example` promise is there.

No Docker engine is needed: the files are read, and their commands put to the real programs.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema  # type: ignore[import-untyped]
from sqlalchemy import make_url

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yaml").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
HOME = "/opt/gatelatch/"

# ${NAME}, ${NAME:-default} or ${NAME:?reason}, innermost first
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<how>:?[-?+])?(?P<rest>[^${}]*)\}")
SECRET = re.compile(r"PASSWORD|SECRET|KEY|TOKEN|AUTH$")
PASSWORD_URL = re.compile(r"^(db\+)?(postgresql|redis)\S*://")


def variables() -> dict[str, set[tuple[str, str]]]:
    """Return each variable of the compose file with the ways in which it is used."""
    found: dict[str, set[tuple[str, str]]] = {}
    text = TEXT
    while match := VARIABLE.search(text):
        found.setdefault(match["name"], set()).add((match["how"] or "", match["rest"]))
        text = text.replace(match[0], "")
    return found


SECRETS = {name: f"<{name}>" for name in variables() if SECRET.search(name)}


def interpolate(node: Any) -> Any:
    """Return what compose makes of a node when the secrets are set and nothing else is."""
    if isinstance(node, dict):
        return {key: interpolate(value) for key, value in node.items()}
    if isinstance(node, list):
        return [interpolate(value) for value in node]
    if not isinstance(node, str):
        return node
    while match := VARIABLE.search(node):
        node = node.replace(match[0], SECRETS.get(match["name"], match["rest"]))
    return node.replace("$$", "$")


RAW = yaml.safe_load(TEXT)
PROJECT = interpolate(RAW)
SERVICES: dict[str, dict[str, Any]] = PROJECT["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
ENVIRONMENT = [
    (name, key, str(value))
    for name, service in SERVICES.items()
    for key, value in service.get("environment", {}).items()
]


def instructions(word: str) -> list[list[str]]:
    """Return the arguments of each Dockerfile instruction of that name."""
    return [shlex.split(line)[1:] for line in DOCKERFILE if line.startswith(f"{word} ")]


COPIED = [source for copy in instructions("COPY") for source in copy[:-1]]


def mounts() -> Iterator[tuple[str, str]]:
    """Yield source and target of every volume of every service."""
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source, target = volume.split(":")[:2]
            yield source, target


def programs(service: dict[str, Any]) -> Iterator[list[str]]:
    """Yield the arguments of every program that a service starts, its health check included."""
    test = service.get("healthcheck", {}).get("test", ["CMD"])
    for arguments in (
        service["command"],
        test[1:] if test[0] == "CMD" else ["sh", "-c", *test[1:]],
    ):
        if arguments[:1] == ["sh"]:
            for line in arguments[-1].splitlines():
                yield shlex.split(line.removeprefix("exec "))
        elif arguments:
            yield arguments


PROGRAMS = [(name, program) for name, service in OURS.items() for program in programs(service)]


def environment(name: str, home: Path) -> dict[str, str]:
    """Return the environment of a service, with its folders moved into this checkout."""
    path = [str(ROOT), str(ROOT / "ops" / "airflow")]
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": os.pathsep.join(path),
        **{
            key: value.replace(HOME, f"{ROOT}/")
            for service, key, value in ENVIRONMENT
            if service == name
        },
    }


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what Airflow itself says, started as the api-server: its options and its parser."""
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
}
for arguments in json.load(sys.stdin):
    get_parser().parse_args(arguments)
print("SAID" + json.dumps(said))
"""
    commands = [program[1:] for _, program in PROGRAMS if program[0] == "airflow"]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment("api-server", tmp_path_factory.mktemp("airflow")),
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
    for name, service in SERVICES.items():
        if service["restart"] != "no":
            assert service["restart"] == "unless-stopped", name
            assert "healthcheck" in service, name


# --- what it names exists


def test_every_mounted_path_exists_and_every_volume_is_declared_and_used() -> None:
    used = set()
    for source, target in mounts():
        if source.startswith("."):
            assert (ROOT / source).is_dir(), source
            assert target == HOME + source.removeprefix("./"), (source, target)
        else:
            used.add(source)
    assert used == set(PROJECT["volumes"])


def test_every_volume_of_our_own_lands_on_a_folder_that_the_image_gives_to_its_user() -> None:
    made = {path for run in instructions("RUN") if "mkdir" in run for path in run}
    for service in OURS.values():
        for volume in service["volumes"]:
            source, target = volume.split(":")[:2]
            if not source.startswith("."):
                assert target in made, volume


def test_every_path_of_ours_in_a_setting_is_in_the_image_or_mounted() -> None:
    inside = {HOME + source.rstrip("/") for source in COPIED}
    inside |= {target for _, target in mounts()}
    for name, key, value in ENVIRONMENT:
        for path in re.findall(r"/(?:opt|var/lib)/gatelatch[\w/.-]*", value):
            assert any(path == top or path.startswith(f"{top}/") for top in inside), (name, key)
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
def test_every_airflow_setting_is_an_option_of_this_airflow(airflow: dict[str, Any]) -> None:
    settings = {key for _, key, _ in ENVIRONMENT if key.startswith("AIRFLOW__")}
    assert settings
    for key in settings:
        section, option = key.removeprefix("AIRFLOW__").lower().split("__")
        assert option in airflow["options"].get(section, []), key


def test_every_health_check_written_in_python_is_python() -> None:
    for service, program in PROGRAMS:
        if program[:2] == ["python", "-c"]:
            compile(program[2], service, "exec")


def test_every_database_address_has_its_driver_installed() -> None:
    for _, _, value in ENVIRONMENT:
        url = value.removeprefix("db+")
        if url.startswith("postgresql"):
            make_url(url).get_dialect().import_dbapi()


def test_every_address_between_the_services_names_one_of_them() -> None:
    for name, key, value in ENVIRONMENT:
        if "__BASE_URL" in key or "_UI" in key or "CORS" in key:
            continue
        for host in re.findall(r"://(?:[^@/]*@)?([\w-]+)", value):
            assert host in SERVICES, (name, key, value)


# --- variables and secrets


def test_the_example_lists_every_variable_with_its_meaning_and_no_other() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    listed = []
    for before, line in pairwise(lines):
        if line and not line.startswith("#"):
            name, value = line.split("=", 1)
            listed.append(name)
            assert value == "", f"{name} has a value"
            assert before.startswith("# "), f"{name} has no meaning"
    assert sorted(listed) == sorted(variables())


def test_an_empty_variable_is_the_same_as_none() -> None:
    for name, uses in variables().items():
        for how, rest in uses:
            assert how in (":-", ":?"), f"${{{name}{how}{rest}}}"


def test_a_variable_has_one_default_wherever_it_is_used() -> None:
    for name, uses in variables().items():
        assert len(uses) == 1, (name, uses)


def test_every_secret_must_be_given_and_says_how_to_make_one() -> None:
    assert {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "GATELATCH_ADMIN_PASSWORD"} <= set(SECRETS)
    for name in SECRETS:
        assert [how for how, _ in variables()[name]] == [":?"], name
        assert "openssl rand" in " ".join(rest for _, rest in variables()[name]), name


def test_no_secret_is_written_out() -> None:
    for name, key, value in ENVIRONMENT:
        if SECRET.search(key) and not value.startswith("/"):  # a path says where a key is
            assert value in SECRETS.values(), (name, key)
        if PASSWORD_URL.match(value):
            assert make_url(value).password in SECRETS.values(), (name, key)


def seeing(file: str) -> set[str]:
    """Return the services that see the folder of a file."""
    return {
        name
        for name, service in SERVICES.items()
        for volume in service.get("volumes", [])
        if Path(file).parent.is_relative_to(volume.split(":")[1])
    }


def test_only_who_makes_the_signing_key_and_who_signs_can_read_it() -> None:
    environment = SERVICES["worker"]["environment"]
    assert seeing(environment["GATELATCH_SIGNING_KEY"]) == {"init", "worker"}
    assert seeing(environment["GATELATCH_ANSWER_KEY"]) == {"init", "worker", "api-server"}
    assert "python -m tasks init" in SERVICES["init"]["command"][-1]


def test_the_api_server_signs_answers_with_a_key_of_its_own_and_trusts_the_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.ledger import seals
    from tasks.signing import keyring

    def inside(service: str, keys: Path) -> None:
        for name in ("GATELATCH_SIGNING_KEY", "GATELATCH_ANSWER_KEY", "GATELATCH_VERIFY_KEY"):
            path = SERVICES[service]["environment"].get(name)
            if path is None:
                monkeypatch.delenv(name, raising=False)
            else:  # what a service does not see is not there
                seen = keys if service in seeing(path) else tmp_path / "nowhere"
                monkeypatch.setenv(name, str(seen / Path(path).relative_to("/var/lib/gatelatch")))

    inside("init", tmp_path)
    keyring.create_keys()
    inside("worker", tmp_path)
    worker = keyring.fingerprint(keyring.writing_key().public_key())
    roles = {name: signer.role for name, signer in seals.trusted().items()}
    inside("api-server", tmp_path)
    server = keyring.fingerprint(keyring.writing_key().public_key())
    assert roles == {worker: "workers", server: "answers"}
    assert {name: signer.role for name, signer in seals.trusted().items()} == roles


def test_the_addresses_of_channels_are_seen_by_the_workers_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tasks.notices.channels import channels_of_file

    (file,) = (secret["file"] for secret in PROJECT["secrets"].values())
    monkeypatch.setenv("GATELATCH_CHANNELS", str(ROOT / file))
    assert channels_of_file() == {}  # the example names none
    told = {name for name, key, _ in ENVIRONMENT if key == "GATELATCH_CHANNELS"}
    assert told == {name for name, service in SERVICES.items() if "secrets" in service}
    assert told == {"worker"}
    assert SERVICES["worker"]["environment"]["GATELATCH_CHANNELS"] == "/run/secrets/channels"
    assert list(PROJECT["secrets"]) == SERVICES["worker"]["secrets"] == ["channels"]


def test_the_image_holds_no_secret() -> None:
    for words in instructions("ENV") + instructions("ARG"):
        assert not any(SECRET.search(word.split("=")[0]) for word in words), words


# --- the network


def test_every_published_port_binds_the_loopback_unless_told_otherwise() -> None:
    published = [(raw["ports"], name) for name, raw in RAW["services"].items() if "ports" in raw]
    assert published
    for ports, name in published:
        for port in ports:
            address, outside, inside = interpolate(port).split(":")
            assert address == "127.0.0.1", (name, port)
            assert outside == inside, (name, port)
            assert re.match(r"\$\{\w+_BIND:-[\d.]+\}:\$\{\w+_PORT:-\d+\}:\d+$", port), (name, port)
    assert not any("network_mode" in service for service in SERVICES.values())


def test_mlflow_answers_to_the_names_under_which_people_and_services_call_it() -> None:
    hosts = SERVICES["mlflow"]["environment"]["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    for key in ("MLFLOW_TRACKING_URI", "GATELATCH_MLFLOW_UI"):
        assert SERVICES["worker"]["environment"][key].split("://")[1] in hosts


# --- the image


def test_everything_that_the_image_copies_exists_and_is_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert "*" in ignored
    for source in COPIED:
        path = ROOT / source
        assert path.is_file() or any(path.rglob("*.*")), source
        assert source.rstrip("/") in allowed, source
    assert {source.rstrip("/") for source in COPIED} == allowed


def test_the_image_finds_airflows_local_settings_and_our_packages() -> None:
    settings = dict(word.split("=", 1) for words in instructions("ENV") for word in words)
    folders = [ROOT / Path(path).relative_to(HOME) for path in settings["PYTHONPATH"].split(":")]
    assert any((folder / "airflow_local_settings.py").is_file() for folder in folders)
    assert any((folder / "tasks" / "__init__.py").is_file() for folder in folders)


def test_the_image_installs_pinned_hashes_and_runs_without_root() -> None:
    (install,) = [run for run in instructions("RUN") if "--require-hashes" in run]
    assert {"--compile-bytecode", "requirements.txt"} <= set(install)
    assert instructions("USER")[-1] == ["gatelatch"]
