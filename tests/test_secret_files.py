"""Secrets in files: read when they are needed, and refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.ledger import engine
from tasks.redaction import secrets_of
from tasks.secret_files import SecretMissing, secret_of


def test_no_variable_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PASSWORD_FILE", raising=False)
    assert secret_of("PASSWORD_FILE") is None
    monkeypatch.setenv("PASSWORD_FILE", "")
    assert secret_of("PASSWORD_FILE") is None


def test_a_secret_is_what_its_file_holds_without_the_line_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "one").write_text("s3cret\n")
    monkeypatch.setenv("PASSWORD_FILE", str(tmp_path / "one"))
    assert secret_of("PASSWORD_FILE") == "s3cret"


def test_a_file_that_is_missing_or_empty_is_refused_with_its_variable_and_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PASSWORD_FILE", str(tmp_path / "one"))
    with pytest.raises(SecretMissing, match=rf"PASSWORD_FILE names {tmp_path}/one.*make secrets"):
        secret_of("PASSWORD_FILE")
    (tmp_path / "one").write_text("\n")
    with pytest.raises(SecretMissing, match=r"which is empty"):
        secret_of("PASSWORD_FILE")


def test_a_secret_in_a_file_is_hidden_from_errors_and_logs_as_one_in_the_environment_is(
    tmp_path: Path,
) -> None:
    (tmp_path / "one").write_text("s3cret\n")
    assert secrets_of({"GATELATCH_LEDGER_PASSWORD_FILE": str(tmp_path / "one")}) == {"s3cret"}
    assert secrets_of({"GATELATCH_LEDGER_PASSWORD_FILE": str(tmp_path / "none")}) == set()


def test_the_ledgers_password_may_stand_in_a_file_whatever_signs_it_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import sqlalchemy as sa

    (tmp_path / "one").write_text("p@ss/w:rd%\n")
    monkeypatch.setenv("GATELATCH_LEDGER", "postgresql+psycopg://ledger@db/gatelatch")
    monkeypatch.setenv("GATELATCH_LEDGER_PASSWORD_FILE", str(tmp_path / "one"))
    url = sa.make_url(engine.address())
    assert (url.username, url.password, url.host) == ("ledger", "p@ss/w:rd%", "db")
    monkeypatch.delenv("GATELATCH_LEDGER_PASSWORD_FILE")
    assert engine.address() == "postgresql+psycopg://ledger@db/gatelatch"
