"""The values for the official Airflow chart: their secrets, who sees which, and what makes them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tasks.signing import keyring
from tests.support.compose import ROOT
from tests.support.helm import (
    CELERY,
    DEPLOYMENT,
    FOLDER,
    KUBERNETES,
    OVERLAY,
    PARTS,
    POD,
    SECRETS,
    environment,
    files_of_metrics,
    folder,
    items,
    parts,
)

DOCS = (ROOT / "docs" / "deployment.md").read_text()


def test_only_who_signs_has_a_private_key() -> None:
    def who(key: str, name: str) -> set[str]:
        everybody = {**PARTS, "pod": [POD]}
        return {s for s, both in everybody.items() if any(key in folder(p, name) for p in both)}

    assert who("signing.pem", "keys") == {"init", "worker", "pod"}
    assert who("answers.pem", "answers") == {"init", "api-server"}
    assert who("answers.pub", "answers") == {"init", "api-server"}
    assert who("answers.pub", "trusted") == {"worker", "pod"}
    assert files_of_metrics()["/var/lib/gatelatch/trusted"] == {"signing.pub", "answers.pub"}


def test_every_secret_that_a_setting_names_is_seen_by_that_very_pod() -> None:
    for values in (CELERY, KUBERNETES):
        pods = [part for both in parts(values).values() for part in both]
        for part in [*pods, values["workers"].get("kubernetes")]:
            for value in environment(values, part).values() if part else ():
                assert set(re.findall(rf"{SECRETS}(\w+)", value)) <= folder(part, "secrets")


def test_no_password_and_no_key_stands_in_a_file() -> None:
    for file in FOLDER.iterdir():
        for line in file.read_text().splitlines():
            if match := re.search(r"name: (\w*(?:PASSWORD|SECRET|_KEY)\w*), value: (.+?)}", line):
                assert match[2].strip('"').removeprefix("cat ").startswith("/var/lib/gatelatch/")
            assert not re.search(r"://[^/\s]*:[^%{@/\s][^@/\s]*@", line), line
            assert not re.search(r"-----BEGIN|\b[0-9a-f]{32,63}\b", line), line


def test_the_chart_gives_no_secret_by_environment_and_makes_none() -> None:
    assert not any(CELERY["enableBuiltInSecretEnvVars"].values())
    made = [
        CELERY["data"][f"{name}SecretName"] for name in ("metadata", "resultBackend", "brokerUrl")
    ]
    made += [
        CELERY[name] for name in ("fernetKeySecretName", "apiSecretKeySecretName", "jwtSecretName")
    ]
    assert {*made, CELERY["redis"]["passwordSecretName"]} == {"gatelatch", "gatelatch-redis"}


def test_the_documented_commands_make_every_secret_that_is_asked_for_and_no_other() -> None:
    made = set()
    for name, rest in re.findall(
        r"kubectl create secret generic (\S+)((?: \\\n|.)*)", DOCS.replace("$ ", "")
    ):
        words = " ".join(re.findall(r"--from-file=\S+", rest))
        echoed = subprocess.run(["bash", "-c", f"echo {words}"], capture_output=True, text=True)
        for given in echoed.stdout.split():
            key, _, path = given.removeprefix("--from-file=").rpartition("=")
            made.add((name, key or Path(path).name))
    asked = items(CELERY) | items(OVERLAY) | items(DEPLOYMENT)
    assert made == asked | {("gatelatch-redis", "password")}


def test_the_documented_command_makes_the_four_keys_and_the_job_then_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pair(signing: str, answers: str) -> None:
        monkeypatch.setenv("GATELATCH_SIGNING_KEY", f"{tmp_path}/{signing}")
        monkeypatch.setenv("GATELATCH_ANSWER_KEY", f"{tmp_path}/{answers}")
        keyring.create_keys()

    monkeypatch.delenv("GATELATCH_VERIFY_KEY", raising=False)
    assert "-c 'from tasks.signing import keyring; keyring.create_keys()'" in DOCS
    command = re.search(r"GATELATCH_SIGNING_KEY=(\S+) GATELATCH_ANSWER_KEY=(\S+)", DOCS)
    assert command
    pair(command[1], command[2])
    made = {file.name: file.read_bytes() for file in (tmp_path / "secrets" / "keys").iterdir()}
    assert {("gatelatch-keys", name) for name in made} == {
        one for one in items(CELERY) if one[0] == "gatelatch-keys"
    }
    migrate = PARTS["init"][0]
    for name in ("keys", "answers"):
        (tmp_path / name).mkdir()
        for file in folder(migrate, name):
            (tmp_path / name / file).write_bytes(made[file])
    pair("keys/signing.pem", "answers/answers.pem")
    for name in ("keys", "answers"):
        there = {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()}
        assert there == {file: made[file] for file in folder(migrate, name)}
