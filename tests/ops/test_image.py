"""The image of the team set-up: what `Dockerfile` copies is there, and it runs without root."""

from __future__ import annotations

from pathlib import Path

from tests.support.compose import COPIED, HOME, ROOT, instructions


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
