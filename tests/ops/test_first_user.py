"""Airflow's first user, made in a real database of Airflow and FAB."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import stack_settings
from ops.team import make_secrets
from tests.conftest import database_in_postgres
from tests.support.api_server import FAB
from tests.support.seen_secrets import SeenSecrets, secrets_of_team

pytestmark = pytest.mark.timeout(300)

LOOK = """
import json, sys
from airflow.utils.providers_configuration_loader import providers_configuration_loaded
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
from werkzeug.security import check_password_hash

@providers_configuration_loaded
def look():
    with get_application_builder() as builder:
        return [
            {"name": one.username, "email": one.email, "active": one.active,
             "roles": [role.name for role in one.roles],
             "knows": [word for word in sys.argv[1:] if check_password_hash(one.password, word)]}
            for one in builder.sm.get_all_users()
        ]

said = look()
print("SAID" + json.dumps(said))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("airflow")
    (home / "password").write_text(f"{secrets.token_hex(16)}\n")
    return home


@pytest.fixture(scope="module")
def environment(home: Path) -> Iterator[dict[str, str]]:
    """Return the environment of an Airflow with FAB, whose database is there and has no user."""
    with database_in_postgres("airflow", "psycopg2") as url:
        env = stack_settings.environment(home, stack_settings.settings_of(home))
        env["AIRFLOW__CORE__AUTH_MANAGER"] = FAB
        env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = url
        migrate = [str(Path(sys.executable).with_name("airflow")), "db", "migrate"]
        subprocess.run(migrate, env=env, check=True, capture_output=True)
        yield env


def made(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ops.team.first_user", *words]
    return subprocess.run(
        command, env=environment, cwd=stack_settings.ROOT, capture_output=True, text=True
    )


def test_the_first_user_logs_in_with_the_password_of_the_file_and_keeps_it_at_the_next_start(
    environment: dict[str, str], home: Path
) -> None:
    first = (home / "password").read_text().strip()
    words = ("ada", "--password-file", str(home / "password"))
    with SeenSecrets({"admin_password": first}) as seen:
        done = made(environment, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "made the user ada with the role Admin" in done.stdout
    assert first not in done.stdout + done.stderr
    assert seen.looks > 10
    assert not seen.on_command_lines | seen.in_environments

    (home / "password").write_text("another")
    again = made(environment, *words)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "the user ada exists and stays as it is" in again.stdout
    looked = subprocess.run(
        [sys.executable, "-c", LOOK, first, "another"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert json.loads(looked.stdout.split("SAID")[-1]) == [
        {
            "name": "ada",
            "email": "ada@localhost",
            "active": True,
            "roles": ["Admin"],
            "knows": [first],
        }
    ], looked.stderr


def test_a_role_that_fab_has_not_is_refused_with_those_it_has(
    environment: dict[str, str], home: Path
) -> None:
    (home / "password").write_text("x")
    words = ("bob", "--password-file", str(home / "password"), "--role", "Boss")
    done = made({**environment, "COLUMNS": "200"}, *words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "FAB has no role Boss: name one of Admin" in done.stderr


@pytest.mark.parametrize(
    ("text", "told"), [(None, "FileNotFoundError"), ("\n", "is empty: write the password into it")]
)
def test_a_password_that_is_missing_or_empty_is_refused_with_its_file(
    tmp_path: Path, text: str | None, told: str
) -> None:
    if text is not None:
        (tmp_path / "it").write_text(text)
    env = {**os.environ, "COLUMNS": "300"}
    done = made(env, "ada", "--password-file", str(tmp_path / "it"))
    assert done.returncode == 2
    assert f"{tmp_path / 'it'}" in done.stderr
    assert told in done.stderr


def test_a_secret_on_a_command_line_or_in_an_environment_is_seen_though_its_program_soon_ends() -> (
    None
):
    """What tests/team relies on."""
    one, other = secrets.token_hex(16), secrets.token_hex(16)
    with SeenSecrets({"one": one, "other": other}) as seen:
        subprocess.run(["sh", "-c", 'sleep 0.3; : "$0"', one], check=True)
        subprocess.run(["sleep", "0.3"], env={"X": other, "PATH": os.environ["PATH"]}, check=True)
    assert seen.on_command_lines == {("one", "sh")}
    assert seen.in_environments == {("other", "sleep")}
    assert {"sh", "sleep"} <= seen.programs


def test_a_key_in_a_file_of_credentials_is_seen_without_the_rest_of_the_file(
    tmp_path: Path,
) -> None:
    make_secrets.make(tmp_path)
    (key,) = re.findall("secret_access_key = (.*)", (tmp_path / "store_writer").read_text())
    with secrets_of_team(tmp_path) as seen:
        subprocess.run(["sh", "-c", 'sleep 0.3; : "$0"', f"--key={key}"], check=True)
    assert seen.on_command_lines == {("store_writer", "sh")}
    assert not seen.in_environments
