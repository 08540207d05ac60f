"""Keys and seals: made once, kept private, and changed without losing what was signed before."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.signing import keyring, signatures
from tasks.signing.keyring import KeyUnusable
from tasks.signing.signatures import SignatureRefused


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GATELATCH_SIGNING_KEY", str(tmp_path / "keys" / "signing.pem"))
    keyring.create_keys()
    return tmp_path / "keys"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.skops").write_bytes(b"weights")
    return tmp_path / "model"


def test_a_key_is_made_once_and_only_its_owner_may_read_it(keys: Path) -> None:
    before = (keys / "signing.pem").read_bytes()
    assert (keys / "signing.pem").stat().st_mode & 0o777 == 0o600
    keyring.create_keys()
    assert (keys / "signing.pem").read_bytes() == before
    assert sorted(os.listdir(keys)) == ["signing.pem", "signing.pub"]


def test_of_several_who_make_the_key_at_once_one_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATELATCH_SIGNING_KEY", str(tmp_path / "signing.pem"))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: keyring.create_keys(), range(4)))
    (public,) = keyring.public().values()
    assert keyring.pem(keyring.private().public_key()) == keyring.pem(public)


def test_a_machine_that_only_verifies_needs_no_private_key_and_gets_none(
    keys: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signatures.sign(folder)
    public = shutil.copy(keys / "signing.pub", tmp_path / "trusted.pub")
    monkeypatch.setenv("GATELATCH_SIGNING_KEY", str(tmp_path / "absent.pem"))
    monkeypatch.setenv("GATELATCH_VERIFY_KEY", str(public))
    keyring.create_keys()
    signatures.verify(folder)
    with pytest.raises(KeyUnusable, match=r"no key to sign with.*absent\.pem.*tasks init"):
        signatures.sign(folder)


def test_what_was_signed_before_a_change_of_keys_still_holds_while_the_old_key_is_named(
    keys: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signatures.sign(folder)
    seal = signatures.seal_content(b"rows", "run/rows")
    monkeypatch.setenv("GATELATCH_SIGNING_KEY", str(tmp_path / "new.pem"))
    keyring.create_keys()
    with pytest.raises(SignatureRefused, match=r"made with another key than .*new\.pub"):
        signatures.verify(folder)
    both = [tmp_path / "new.pub", keys / "signing.pub"]
    monkeypatch.setenv("GATELATCH_VERIFY_KEY", os.pathsep.join(map(str, both)))
    signatures.verify(folder)
    signatures.check_content(b"rows", "run/rows", seal)


@pytest.mark.parametrize("content", [None, b"", b"no key"])
def test_a_key_that_is_none_is_named_with_the_way_out(
    content: bytes | None, keys: Path, folder: Path
) -> None:
    signatures.sign(folder)
    for name in ("signing.pem", "signing.pub"):
        (keys / name).unlink()
        if content is not None:
            (keys / name).write_bytes(content)
    with pytest.raises(KeyUnusable, match=r"signing\.pem.*GATELATCH_SIGNING_KEY"):
        signatures.seal_content(b"rows", "run/rows")
    with pytest.raises(KeyUnusable, match=r"signing\.pub.*GATELATCH_VERIFY_KEY"):
        signatures.verify(folder)


@pytest.mark.parametrize(
    ("content", "place"), [(b"other", "run/rows"), (b"rows", "run/gates"), (b"rows", "other/rows")]
)
def test_a_seal_holds_for_its_content_and_place_alone(
    content: bytes, place: str, keys: Path
) -> None:
    seal = signatures.seal_content(b"rows", "run/rows")
    signatures.check_content(b"rows", "run/rows", seal)
    with pytest.raises(SignatureRefused, match=f"{place} is not what a step of this run left"):
        signatures.check_content(content, place, seal)
