"""The team set-up: its variables, its secrets and who sees which, its published ports."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from configparser import ConfigParser
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import make_url

from ops.native.__main__ import require_secrets
from ops.native.compose_file import ComposeError, filled, read
from ops.team import make_secrets
from tests.support.compose import (
    ENVIRONMENT,
    PROJECT,
    RAW,
    ROOT,
    SERVICES,
    instructions,
    mounts,
    seeing,
    variables,
)

SECRET = re.compile(r"PASSWORD|SECRET|KEY|TOKEN|AUTH$")
NAMES = set(PROJECT["secrets"])
FILE = ROOT / "docker-compose.yaml"


def given(service: str) -> set[str]:
    return set(SERVICES[service].get("secrets", []))


# --- variables


def test_the_example_lists_every_variable_with_its_meaning_and_no_other() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    listed = []
    for before, line in pairwise(lines):
        if line and not line.startswith("#"):
            name, value = line.split("=", 1)
            listed.append(name)
            assert value == "", f"{name} has a value"
            assert before.startswith("# "), f"{name} has no meaning"
    # Compose reads that one itself.
    assert sorted(listed) == sorted([*variables(), "COMPOSE_PROFILES"])


def test_every_variable_may_be_empty_or_missing_and_has_one_default() -> None:
    for name, uses in variables().items():
        assert len(uses) == 1, (name, uses)
        for how, rest in uses:
            assert how == ":-", f"${{{name}{how}{rest}}}"


def test_no_variable_holds_a_secret() -> None:
    for name in variables():
        assert not SECRET.search(name) or name == "GATELATCH_SECRETS_DIR", name


# --- secrets


def test_every_secret_stands_in_a_file_of_its_own_that_make_secrets_makes(tmp_path: Path) -> None:
    made = make_secrets.make(tmp_path / "secrets")
    project = read(FILE, {"GATELATCH_SECRETS_DIR": str(tmp_path / "secrets")})
    assert set(made) == NAMES - {"channels"}
    require_secrets(project)
    texts = [(tmp_path / "secrets" / name).read_text() for name in made]
    assert len(set(texts)) == len(texts)
    assert all(len(text) >= 32 and text.strip() == text for text in texts)
    Fernet((tmp_path / "secrets" / "fernet_key").read_text())


def test_only_their_owner_may_enter_the_folder_of_secrets_and_every_container_read_its_file(
    tmp_path: Path,
) -> None:
    made = make_secrets.make(tmp_path / "secrets")
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    modes = {(tmp_path / "secrets" / name).stat().st_mode & 0o777 for name in made}
    assert modes == {0o444}


def test_a_secret_that_is_there_stays_and_one_that_is_missing_is_made(tmp_path: Path) -> None:
    make_secrets.make(tmp_path / "secrets")
    kept = (tmp_path / "secrets" / "jwt_secret").read_text()
    (tmp_path / "secrets" / "fernet_key").unlink()
    assert make_secrets.make(tmp_path / "secrets") == ["fernet_key"]
    assert (tmp_path / "secrets" / "jwt_secret").read_text() == kept


def test_the_secrets_of_an_env_file_of_release_0_1_are_taken_over(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "POSTGRES_PASSWORD=abc\n# a comment\nGATELATCH_FERNET_KEY='x='\nAIRFLOW_PORT=80\n"
    )
    make_secrets.make(tmp_path / "secrets", tmp_path / ".env")
    assert (tmp_path / "secrets" / "postgres_password").read_text() == "abc"
    assert (tmp_path / "secrets" / "fernet_key").read_text() == "x="
    assert len((tmp_path / "secrets" / "jwt_secret").read_text()) == 128


def run_make_secrets(
    before: Path, given: dict[str, str], *unable: str
) -> subprocess.CompletedProcess[str]:
    """Run what `make secrets` runs, with this `.env` and these settings of the environment."""
    others = {k: v for k, v in os.environ.items() if k != "GATELATCH_SECRETS_DIR"}
    command = [sys.executable, "-m", "ops.team.make_secrets", "--before", str(before)]
    return subprocess.run(
        [*unable, *command], env={**others, **given}, cwd=ROOT, capture_output=True, text=True
    )


def test_secrets_are_made_where_compose_looks_for_them(tmp_path: Path) -> None:
    here = {name: tmp_path / name for name in ("of_environment", "of_file")}
    before = tmp_path / ".env"
    before.write_text(f"# a comment\nGATELATCH_SECRETS_DIR={here['of_file']}\n")

    def of_compose(given: dict[str, str]) -> set[Path]:
        project = read(FILE, {**make_secrets.settings_in(before), **given})
        return {Path(file).parent for name, file in project.secrets.items() if name != "channels"}

    for given, folder in (
        ({}, here["of_file"]),
        ({"GATELATCH_SECRETS_DIR": str(here["of_environment"])}, here["of_environment"]),
    ):
        done = run_make_secrets(before, given)
        assert done.returncode == 0, done.stderr
        assert f"made in {folder}: " in done.stdout
        assert {folder} == of_compose(given)
        assert {file.name for file in folder.iterdir()} == NAMES - {"channels"} | {"alertmanager"}


def test_a_folder_of_secrets_is_relative_to_the_compose_file_and_an_empty_one_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("GATELATCH_SECRETS_DIR=../kept\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GATELATCH_SECRETS_DIR", raising=False)
    assert make_secrets.folder_in(tmp_path / ".env") == ROOT / "../kept"
    assert make_secrets.folder_in(tmp_path / "none") == ROOT / "secrets"
    monkeypatch.setenv("GATELATCH_SECRETS_DIR", "")
    assert make_secrets.folder_in(tmp_path / ".env") == ROOT / "secrets"


def test_after_a_run_that_was_killed_the_next_one_makes_what_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make_secrets.make(folder)
    (folder / "jwt_secret").rename(folder / ".jwt_secret")  # complete, read-only, and not yet named
    # Root may write to what is read-only: this takes that right away.
    root = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-all")
    given = {"GATELATCH_SECRETS_DIR": str(folder)}
    done = run_make_secrets(tmp_path / ".env", given, *(root if os.getuid() == 0 else ()))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"made in {folder}: jwt_secret\n"
    assert not (folder / ".jwt_secret").exists()


@pytest.mark.parametrize(
    "spoil", [Path.unlink, lambda file: file.chmod(0o600) or file.write_text("")]
)
def test_a_start_without_a_secret_is_refused_by_name_with_the_way_out(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    make_secrets.make(tmp_path / "secrets")
    spoil(tmp_path / "secrets" / "redis_password")
    project = read(FILE, {"GATELATCH_SECRETS_DIR": str(tmp_path / "secrets")})
    with pytest.raises(ComposeError, match=r"no secret redis_password \(.*make secrets"):
        require_secrets(project)


def test_every_secret_is_declared_and_used_and_none_is_mounted_besides() -> None:
    assert set().union(*(given(name) for name in SERVICES)) == NAMES
    for name, service in SERVICES.items():
        told = " ".join([*map(str, service.get("environment", {}).values()), str(service)])
        assert set(re.findall(r"/run/secrets/(\w+)", told)) <= given(name) | _shared(name), name


def _shared(name: str) -> set[str]:
    """Return secrets that a service's settings name and its mounts withhold: see the next test."""
    return {"jwt_secret", "secret_key"} if name == "dag-processor" else set()


def test_no_setting_holds_a_secret_itself() -> None:
    for name, key, value in ENVIRONMENT:
        if SECRET.search(key):
            held = value.startswith(("/", "cat /run/secrets/", "sh -c 'printf "))
            assert held, (name, key)
        if re.match(r"postgresql\S*://", value):
            assert make_url(value).password is None, (name, key)


def test_each_database_role_has_one_password_and_only_who_works_as_it_sees_that() -> None:
    def who(secret: str) -> set[str]:
        return {name for name in SERVICES if secret in given(name)} - {"databases"}

    assert who("postgres_password") == {"postgres"}
    assert who("mlflow_db_password") == {"mlflow"}
    assert who("ledger_owner_password") == {"init"}
    assert who("ledger_password") == {"api-server", "worker"}
    assert who("ledger_reader_password") == {"metrics"}


def test_init_and_workers_write_the_store_on_a_disk_as_on_s3_and_others_only_read_it() -> None:
    def who(secret: str) -> set[str]:
        return {name for name in SERVICES if secret in given(name)} - {"s3"}

    assert who("store_writer") == {"init", "worker"}
    assert who("store_reader") == {"api-server", "metrics"}
    disk = {(n, only) for n in SERVICES for s, _, only in mounts(n) if s == "store"}
    assert {name for name, only in disk if not only} == who("store_writer")
    assert {name for name, only in disk if only} == who("store_reader")
    for role in ("store_writer", "store_reader"):
        for name in who(role):
            environment = SERVICES[name]["environment"]
            assert environment["AWS_SHARED_CREDENTIALS_FILE"] == f"/run/secrets/{role}"
            assert environment["GATELATCH_STORE_PROFILE"] == "gatelatch"


def test_the_server_of_s3_runs_where_its_profile_is_asked_for_and_init_waits_for_it() -> None:
    assert "s3" not in read(FILE, {}).services
    asked = read(FILE, {"COMPOSE_PROFILES": "s3", "GATELATCH_STORE": "s3://gatelatch"})
    assert asked.services["init"].waits_for["s3"] == "service_healthy"
    told = {s.environment.get("GATELATCH_STORE") for s in asked.services.values()} - {None}
    assert told == {"s3://gatelatch"}
    assert {name for name, raw in RAW["services"].items() if "profiles" in raw} == {"s3"}


def test_a_key_of_another_s3_takes_the_place_of_ours_with_its_address(tmp_path: Path) -> None:
    mine = str(tmp_path / "credentials")
    project = read(FILE, {"GATELATCH_STORE_WRITER_FILE": mine, "GATELATCH_SECRETS_DIR": "there"})
    assert project.secrets["store_writer"] == mine
    assert project.secrets["store_reader"] == "there/store_reader"
    make_secrets.make(tmp_path / "secrets")
    for role in ("store_writer", "store_reader"):
        made = ConfigParser()
        made.read(tmp_path / "secrets" / role)
        assert made["gatelatch"]["endpoint_url"] == "http://s3:8333"
        assert made["gatelatch"]["aws_access_key_id"] == role
    assert not any("s3:8333" in value for _, _, value in ENVIRONMENT)


def test_mlflow_gets_its_own_secrets_and_its_password_who_writes_to_it() -> None:
    assert given("mlflow") == {"mlflow_password", "mlflow_reader_password", "mlflow_db_password"}
    assert {name for name in SERVICES if "mlflow_password" in given(name)} == {
        "init",
        "mlflow",
        "worker",
    }
    for name in ("api-server", "scheduler", "worker"):
        assert {"jwt_secret", "secret_key"} <= given(name)


def test_the_dag_processor_which_executes_dag_files_can_sign_nothing() -> None:
    assert given("dag-processor") == {"airflow_db_password", "fernet_key"}
    environment = SERVICES["dag-processor"]["environment"]
    assert not any("SECRET" in key for key in environment)
    assert "GATELATCH_LEDGER" not in environment


def test_who_executes_dag_files_holds_what_makes_an_approvers_token_as_the_page_says() -> None:
    signing = {"jwt_secret", "secret_key"}
    executing = {"worker": signing, "triggerer": signing, "dag-processor": set[str]()}
    for name, more in executing.items():
        assert {"airflow_db_password"} | more <= given(name), f"{name}: say less in the page"
    page = (ROOT / "docs/security.md").read_text()
    assert "*answers in an approver's name*: **not stopped**." in page


def test_only_who_makes_the_signing_key_and_who_signs_can_read_it() -> None:
    def named(variable: str) -> set[str]:
        return {
            s["environment"][variable]
            for s in SERVICES.values()
            if variable in s.get("environment", {})
        }

    (signing,), (answers,) = named("GATELATCH_SIGNING_KEY"), named("GATELATCH_ANSWER_KEY")
    assert seeing(signing) == {"init", "worker"}
    assert seeing(answers) == {"init", "api-server"}
    (public,) = named("GATELATCH_ANSWER_VERIFY_KEY")
    assert seeing(public) == {"init", "worker", "metrics"}
    assert "python -m tasks init" in SERVICES["init"]["command"][-1]


def test_only_init_may_change_a_key() -> None:
    changing = {
        name
        for name in SERVICES
        for source, _, read_only in mounts(name)
        if source in ("keys", "answers", "trusted") and not read_only
    }
    assert changing == {"init"}


def test_the_api_server_signs_answers_with_a_key_of_its_own_and_trusts_the_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.ledger import seals
    from tasks.signing import keyring

    def inside(service: str, keys: Path) -> None:
        for name in (
            "GATELATCH_SIGNING_KEY",
            "GATELATCH_ANSWER_KEY",
            "GATELATCH_VERIFY_KEY",
            "GATELATCH_ANSWER_VERIFY_KEY",
        ):
            path = SERVICES[service]["environment"].get(name)
            if path is None:
                monkeypatch.delenv(name, raising=False)
            else:  # what a service does not see is not there
                seen = keys if service in seeing(path) else tmp_path / "nowhere"
                monkeypatch.setenv(name, str(seen / Path(path).relative_to("/var/lib/gatelatch")))

    inside("init", tmp_path)
    keyring.create_keys()
    (tmp_path / "trusted").mkdir()
    for copied in ("signing.pub", "answers.pub"):  # as its command does
        shutil.copy(tmp_path / "answers" / copied, tmp_path / "trusted")
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

    monkeypatch.setenv("GATELATCH_CHANNELS", str(ROOT / PROJECT["secrets"]["channels"]["file"]))
    assert channels_of_file() == {}  # the example names none
    told = {name for name, key, _ in ENVIRONMENT if key == "GATELATCH_CHANNELS"}
    assert told == {name for name in SERVICES if "channels" in given(name)} == {"worker"}
    assert SERVICES["worker"]["environment"]["GATELATCH_CHANNELS"] == "/run/secrets/channels"


def test_the_rows_of_the_models_are_seen_by_the_workers_alone() -> None:
    assert {n for n in SERVICES for _, t, _ in mounts(n) if t == "/opt/gatelatch/data"} == {
        "worker"
    }


def test_the_image_holds_no_secret() -> None:
    for words in instructions("ENV") + instructions("ARG"):
        assert not any(SECRET.search(word.split("=")[0]) for word in words), words


# --- the network


def test_every_published_port_binds_the_loopback_unless_told_otherwise() -> None:
    published = [(raw["ports"], name) for name, raw in RAW["services"].items() if "ports" in raw]
    assert published
    for ports, name in published:
        for port in ports:
            address, outside, inside = filled(port, {}).split(":")
            assert address == "127.0.0.1", (name, port)
            assert outside == inside, (name, port)
            assert re.match(r"\$\{\w+_BIND:-[\d.]+\}:\$\{\w+_PORT:-\d+\}:\d+$", port), (name, port)
    assert not any("network_mode" in service for service in SERVICES.values())


def test_the_databases_the_queue_and_the_store_are_published_nowhere() -> None:
    assert not any("ports" in SERVICES[name] for name in ("postgres", "redis", "metrics", "s3"))


def test_mlflow_answers_to_the_names_under_which_people_and_services_call_it() -> None:
    hosts = SERVICES["mlflow"]["environment"]["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    for key in ("MLFLOW_TRACKING_URI", "GATELATCH_MLFLOW_UI"):
        assert SERVICES["worker"]["environment"][key].split("://")[1] in hosts
