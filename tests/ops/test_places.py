"""Which locations lie below MLflow's artifact root: held against MLflow's own reading of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from ops.places import hold, inside, nameable, outside

ROOT = "/srv/mlflow/artifacts"
PARTS = st.sampled_from(
    [
        "..",
        ".",
        "",
        "a",
        "b.txt",
        "%2e%2e",
        "%2f",
        "..%2f..",
        "artifacts",
        "srv",
        "etc",
        "\\..",
        "~",
    ]
)
PATHS = st.lists(PARTS, max_size=8).map("/".join)
STARTS = st.sampled_from(
    ["", "/", ROOT, f"{ROOT}/", f"{ROOT}x/", "file:", "file:/", "file://", "file:///"]
)
SCHEMES = st.sampled_from(["", "file:", "file://", "FILE://", "file://localhost", "file://host"])


@given(st.one_of(st.text(), st.builds("".join, st.tuples(SCHEMES, STARTS, PATHS))))
@example(f"{ROOT}/../../../etc")
@example(f"file://{ROOT}/%2e%2e/%2e%2e/etc")
@example("file://localhost/etc")
@example(f"FILE://{ROOT}")
def test_what_is_inside_is_inside_as_mlflow_reads_it(place: str) -> None:
    if inside(place, ROOT):
        read = LocalArtifactRepository(place).artifact_dir
        assert Path(os.path.realpath(read)).is_relative_to(ROOT)


@given(st.lists(st.text("abc-_. %", min_size=1).filter(lambda p: p.strip(".")), max_size=4))
def test_every_folder_below_the_root_is_inside(parts: list[str]) -> None:
    path = "/".join([ROOT, *parts])
    assert inside(path, ROOT)
    assert inside(f"file://{quote(path)}", ROOT)
    assert inside(path, f"file://{ROOT}")


def test_a_link_out_of_the_root_is_outside(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    assert inside(str(root), str(root))
    assert not inside(str(root / "link" / "x"), str(root))
    (tmp_path / "old").symlink_to(root)
    assert inside(str(tmp_path / "old" / "run"), str(root))


@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        ("s3://bucket/root", True),
        ("s3://bucket/root/1/run", True),
        ("s3://bucket/rooted", False),
        ("s3://bucket/root/../other", False),
        ("s3://bucket/root/%2e%2e/other", False),
        ("s3://other/root/1", False),
        ("s3://bucket/root?endpoint=x", False),
        ("/root/1", False),
        ("gs://bucket/root/1", False),
    ],
)
def test_a_root_in_an_object_store_has_its_own_inside(place: str, wanted: bool) -> None:
    assert inside(place, "s3://bucket/root") is wanted
    assert inside(place, "s3://bucket/root/") is wanted


@pytest.mark.parametrize("path", ["/", "/1/run/artifacts", "", "/a%20b"])
def test_mlflows_name_for_its_own_root_may_be_said(path: str) -> None:
    assert nameable(f"mlflow-artifacts:{path}", ROOT)


@pytest.mark.parametrize("place", ["file://[x", "http://[", "/a\0b", f"{ROOT}/\ud800", "//[", "["])
def test_what_is_no_address_is_outside(place: str) -> None:
    assert not inside(place, ROOT)
    assert outside({"source": place}, ROOT) == "source"


@pytest.mark.parametrize(
    "said",
    [{"source": 1}, {"source": ["/etc"]}, {"artifact_location": {"a": 1}}, '{"source": "/etc"}'],
)
def test_what_is_no_text_or_was_encoded_twice_is_outside_all_the_same(said: Any) -> None:
    assert outside(said, ROOT)


@pytest.mark.parametrize("said", [None, [], "text", 3, {}, {"source": ""}, {"name": "/etc"}])
def test_a_request_without_a_location_names_none(said: Any) -> None:
    assert outside(said, ROOT) == ""


def test_no_way_of_mlflows_to_a_location_is_left_open() -> None:
    from mlflow.store.artifact.artifact_repository_registry import (
        get_registered_artifact_repositories,
    )

    held: dict[str, Any] = dict(get_registered_artifact_repositories())
    assert {"", "file", "s3", "http", "models", "mlflow-artifacts"} <= set(held)
    hold(held, ROOT)
    for scheme, way in held.items():
        with pytest.raises(MlflowException, match="outside the server's artifact root"):
            way(f"{scheme}://host/etc" if scheme else "/etc")
    assert held["file"](f"file://{ROOT}/1").artifact_dir == f"{ROOT}/1"
