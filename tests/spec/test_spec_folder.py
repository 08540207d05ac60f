"""Which files of a folder are specs, and what is said of the folder and of the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.spec import spec_files
from tasks.spec.part import SpecError


def test_a_folder_that_is_missing_or_none_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, reason in ((folder / "gone", "No such file"), (folder / "churn.yaml", "Not a dir")):
        monkeypatch.setenv("GATELATCH_MODELS", str(place))
        usable, (told,) = spec_files.load_all()
        assert usable == []
        assert told.startswith(f"the folder of model specs {place} cannot be read: {reason}")
        assert told.endswith("make it a readable folder, or name another one in GATELATCH_MODELS")
        with pytest.raises(SpecError, match=r"there are: none\nthe folder of model specs"):
            spec_files.find("churn")


def test_a_spec_may_be_a_link_to_a_file_as_kubernetes_mounts_them(folder: Path) -> None:
    (folder / "..2026").mkdir()
    (folder / "churn.yaml").rename(folder / "..2026" / "churn.yaml")
    (folder / "..data").symlink_to("..2026")
    (folder / "churn.yaml").symlink_to("..data/churn.yaml")
    (folder / ".#churn.yaml").symlink_to("ada@host.1234")  # as an editor locks it
    (spec,), mistakes = spec_files.load_all()
    assert (spec.model, mistakes) == ("churn", [])


def test_a_spec_whose_name_ends_otherwise_is_said_and_not_passed_over(folder: Path) -> None:
    (folder / "other.yml").write_text("model: other")
    (folder / "notes.txt").write_text("none")
    usable, (told,) = spec_files.load_all()
    assert [spec.model for spec in usable] == ["churn"]
    assert told == f"{folder / 'other.yml'}: not read, as its name does not end in .yaml; rename it"


@pytest.mark.parametrize("name", ["../churn", "a\0b", "x" * 5000, "\ud800", "", ".", "a/b"])
def test_a_model_is_looked_for_by_any_name(folder: Path, name: str) -> None:
    with pytest.raises(SpecError, match=r"^no model .*; there are: churn$"):
        spec_files.find(name)


def test_a_spec_that_changes_is_read_anew_in_the_same_process(folder: Path) -> None:
    path = folder / "churn.yaml"
    text, before = path.read_text(), spec_files.load_spec(path)
    assert spec_files.load_spec(path) is before  # parsed once
    changed = text.replace("min_rows: 50", "min_rows: 51")
    path.write_text(changed)  # as long as it was, and perhaps in the same tick of the clock
    assert spec_files.load_spec(path).window.min_rows == 51
    path.write_text("model: [")
    with pytest.raises(SpecError):
        spec_files.load_spec(path)
    path.write_text(text)
    assert spec_files.load_spec(path) == before
