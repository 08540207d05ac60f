"""No error of ours quotes a password of the environment, whatever is wrong with an address."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.stack_settings import Settings
from tasks import store
from tasks.data import window_rows
from tasks.doctor.patient import Patient
from tasks.errors import Final, GatelatchError, Retryable
from tasks.ledger.ledger import Ledger
from tasks.ledger.reader import LedgerReader
from tasks.redaction import redacted, secrets_of
from tasks.registry import tracking
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tests.conftest import CHURN

SECRET = "s3kr1t-p4ss"
DATABASES = [
    "postgresql+psycopg://u:{}@127.0.0.1:1/x",
    "postgresql+psycopg://u:{}@127.0.0.1:{}/x",
    "postgresql+psycopg://u:{}/x@127.0.0.1:1/x",
    "postgresql+psycopg://u:pass@{}@127.0.0.1:1/x",
    "postgresql+psycopg://u:{}@[::1/x",
    "postgresql+psycopg://127.0.0.1:1/x?user=u&password={}",
    "postgresql+psycopg://127.0.0.1:1/x?sslpassword={}&sslkey=/none&sslcert=/none",
    "postgresql+nodriver://u:{}@h/x",
    "nodialect://u:{}@h/x",
    "u:{}@127.0.0.1/x",
]
STORES = [
    *("ftp://u:{}@127.0.0.1:1/x", "sftp://u:{}@127.0.0.1:1/x", "http://u:{}@127.0.0.1:1/x"),
    *("noprotocol://u:{}@h/x", "s3://k:{}@bucket/x", "webdav://u:{}@h/x"),
]
SERVERS = ["http://u:{}@127.0.0.1:1", "postgresql://u:{}@127.0.0.1:1/x", "nodialect://u:{}@h/x"]


def _read_table() -> None:
    table = {"table": "t", "database": "ROWS_URL", "time": "time", "key": "id"}
    spec = ModelSpec.model_validate({**CHURN, "source": table})
    day = [datetime(2026, 1, d, tzinfo=UTC) for d in (1, 2)]
    list(window_rows.batches(spec, Window(*day)))


def _ask_mlflow() -> None:
    tracking.connect.cache_clear()
    with tracking.asking("nothing can be asked") as client:
        client.search_registered_models()


PLACES: dict[str, tuple[str, list[str], Callable[[], object]]] = {
    "ledger": ("GATELATCH_LEDGER", DATABASES, lambda: Ledger.open().proposals("churn")),
    "ledger to read": (
        "GATELATCH_LEDGER",
        DATABASES,
        lambda: LedgerReader.open_to_read().proposals("churn"),
    ),
    "rows": ("ROWS_URL", DATABASES, _read_table),
    "store written": ("GATELATCH_STORE", STORES, lambda: store.write("a/b", "x")),
    "store read": ("GATELATCH_STORE", STORES, lambda: store.read_bytes("a/b")),
    "mlflow": ("MLFLOW_TRACKING_URI", SERVERS, _ask_mlflow),
}


@pytest.mark.parametrize("place", PLACES)
def test_an_address_that_is_wrong_is_an_error_of_ours_without_its_password(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable, addresses, use = PLACES[place]
    for address in addresses:
        monkeypatch.setenv(variable, address.format(SECRET, SECRET))
        with pytest.raises(GatelatchError) as told:
            use()
        said = f"{told.value} {told.value!r} {told.value.args}"
        assert SECRET not in said, address
        assert "pass@" not in said or "ROLE:" in said, address


def test_a_traceback_of_ours_shows_no_address_that_cannot_be_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GATELATCH_LEDGER", f"postgresql+psycopg://u:x@h:{SECRET}/x")
    with pytest.raises(Final, match="GATELATCH_LEDGER is no address of a database") as told:
        Ledger.open()
    assert SECRET not in "".join(traceback.format_exception(told.value))


SIGNS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=8, max_size=30)


@given(
    secret=SIGNS,
    address=st.sampled_from(["{}", *DATABASES, *STORES, *SERVERS]),
    kind=st.sampled_from([GatelatchError, Final, Retryable, store.NotThere]),
)
def test_whatever_an_error_quotes_it_hides_what_the_environment_keeps_secret(
    secret: str, address: str, kind: type[GatelatchError]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "MLFLOW_TRACKING_PASSWORD" if address == "{}" else "SOME_URL",
            address.format(secret, secret),
        )
        error = kind(f"{address.format(secret, secret)} cannot be used", 5)
    assert secret not in f"{error} {error!r}"
    assert error.args[1] == 5


def test_a_password_is_hidden_as_it_is_written_and_as_it_is_meant() -> None:
    secrets = secrets_of({"GATELATCH_LEDGER": "postgresql://role:p%40ss@host/db"})
    assert redacted("p%40ss, p@ss", secrets) == "***, ***"


@pytest.mark.parametrize("value", ["/usr/bin:/bin", "host:5432/db", "http://host:80/a", "a@b", ""])
def test_what_holds_no_password_hides_nothing(value: str) -> None:
    assert secrets_of({"SOMETHING": value}) == frozenset()


def test_what_holds_secrets_does_not_show_them_when_it_is_printed() -> None:
    known: Mapping[str, str] = {"GATELATCH_LEDGER": f"postgresql://u:{SECRET}@h/x"}
    settings = Settings(1, 2, 3, {"ada": SECRET}, SECRET, "models", SECRET)
    assert SECRET not in repr(settings)
    assert SECRET not in repr(Patient(None, known, lambda: datetime.now(UTC)))
    assert os.environ is not known
