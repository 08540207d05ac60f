"""A followed folder of specs says what reading it says, and reads only what changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.spec import spec_files
from tasks.views.followed_specs import FollowedSpecs
from tests.conftest import CHURN


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GATELATCH_MODELS", str(tmp_path))
    return tmp_path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows by the name of each spec that is read."""
    names: list[str] = []
    plain = spec_files.load_spec

    def counted(path: Path) -> Any:
        names.append(path.stem)
        return plain(path)

    monkeypatch.setattr(spec_files, "load_spec", counted)
    return names


def write(folder: Path, model: str, **parts: Any) -> None:
    (folder / f"{model}.yaml").write_text(yaml.safe_dump({**CHURN, "model": model, **parts}))


def test_only_files_that_changed_are_read_again(folder: Path, read: list[str]) -> None:
    followed = FollowedSpecs()
    for model in ("a", "b", "c"):
        write(folder, model)
    first, _ = followed.load()
    again, _ = followed.load()
    assert read == ["a", "b", "c"]
    assert all(one is other for one, other in zip(first, again, strict=True))
    write(folder, "b", training={"window": "9d"})
    (folder / "c.yaml").unlink()
    found, _ = followed.load()
    assert read[3:] == ["b"]
    assert [(s.model, s.training.window.days) for s in found] == [("a", 5), ("b", 9)]
    assert found == spec_files.load_all()[0]


def test_mistakes_are_kept_and_mended_as_the_files_are(folder: Path) -> None:
    followed = FollowedSpecs()
    write(folder, "a")
    (folder / "b.yaml").write_text("model: b\n")
    (folder / "c.yml").write_text("")
    for _ in range(2):
        specs, mistakes = followed.load()
        assert (specs, mistakes) == spec_files.load_all()
        assert len(mistakes) == 2
    write(folder, "b")
    assert [s.model for s in followed.load()[0]] == ["a", "b"]


def test_a_file_that_a_link_now_names_another_one_is_read_again(folder: Path) -> None:
    """As Kubernetes swaps the files of a ConfigMap."""
    followed = FollowedSpecs()
    for name, days in (("old", "5d"), ("new", "9d")):
        hidden = folder / f".{name}"
        hidden.mkdir()
        write(hidden, "a", training={"window": days})
        os.utime(hidden / "a.yaml", (0, 0))
    (folder / "a.yaml").symlink_to(".old/a.yaml")
    assert followed.load()[0][0].training.window.days == 5
    (folder / "link").symlink_to(".new/a.yaml")
    (folder / "link").replace(folder / "a.yaml")
    assert followed.load()[0][0].training.window.days == 9


def test_a_folder_that_is_not_there_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATELATCH_MODELS", str(folder / "none"))
    specs, mistakes = FollowedSpecs().load()
    assert specs == []
    assert "cannot be read" in mistakes[0]
