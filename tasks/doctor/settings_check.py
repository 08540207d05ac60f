"""Environment variables that are missing, misspelt, or contradict each other. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from tasks.doctor.finding import Finding
from tasks.spec.model import ModelSpec

# What this project's processes read; the compose file makes others of them.
_OWN = (
    "GATELATCH_MODELS",
    "GATELATCH_LEDGER",
    "GATELATCH_LEDGER_PASSWORD_FILE",
    "GATELATCH_STORE",
    "GATELATCH_STORE_PROFILE",
    "GATELATCH_ARTIFACTS",
    "GATELATCH_CHANNELS",
    "GATELATCH_SIGNING_KEY",
    "GATELATCH_VERIFY_KEY",
    "GATELATCH_ANSWER_KEY",
    "GATELATCH_ANSWER_VERIFY_KEY",
    "GATELATCH_MLFLOW_UI",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_PASSWORD_FILE",
)
_OTHERS = ("GATELATCH_MODELS_DIR",)
_ALIKE = 0.88
_LOGIN = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


def settings_findings(
    environment: Mapping[str, str], specs: Iterable[ModelSpec]
) -> Iterator[Finding]:
    """Yield what is wrong with the variables that specs and processes need."""
    yield from _missing(environment)
    yield from _misspelt(environment)
    yield from _ledger(environment)
    yield from _login(environment)
    yield from _of_keys(environment)
    for spec in specs:
        yield from _of_tables(environment, spec)


def _missing(environment: Mapping[str, str]) -> Iterator[Finding]:
    if not environment.get("MLFLOW_TRACKING_URI"):
        yield Finding(
            state="ill",
            finding="MLFLOW_TRACKING_URI is not set: MLflow would make a store of its own",
            remedy="set it to MLflow's address, as the scheduler and the workers have it",
        )
    for name in ("GATELATCH_LEDGER", "GATELATCH_STORE"):
        if not environment.get(name):
            yield Finding(
                state="warning",
                finding=f"{name} is not set: it means another place in each working folder",
                remedy=f"set {name} to the same place for every process of the stack",
            )


def _misspelt(environment: Mapping[str, str]) -> Iterator[Finding]:
    for name in environment:
        if name in (*_OWN, *_OTHERS) or not name.startswith(("GATELATCH_", "MLFLOW_TRACKING_")):
            continue
        meant = get_close_matches(name, _OWN, n=1, cutoff=_ALIKE)
        if meant and not environment.get(meant[0]):
            yield Finding(
                state="warning",
                finding=f"nothing reads {name}, and {meant[0]} is not set",
                remedy=f"rename it to {meant[0]}",
            )


def _ledger(environment: Mapping[str, str]) -> Iterator[Finding]:
    text = environment.get("GATELATCH_LEDGER")
    if not text:
        return
    url = _url(text)
    if url is None:
        yield Finding(
            state="ill",
            finding="GATELATCH_LEDGER is no address of a database",
            remedy="write postgresql+psycopg://ROLE:PASSWORD@HOST/DATABASE, with %-signs for "
            "special signs of the password, or sqlite:////path/ledger.db",
        )
        return
    kind = url.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        yield Finding(
            state="ill",
            finding=f"GATELATCH_LEDGER names a database of {kind}",
            remedy="name one of SQLite or PostgreSQL",
        )
    elif kind == "sqlite" and url.database in (None, "", ":memory:"):
        yield Finding(
            state="ill",
            finding="GATELATCH_LEDGER is in memory: it ends with each process",
            remedy="name a file, such as sqlite:////path/ledger.db",
        )
    elif kind == "sqlite" and not str(url.database).startswith(("/", "file:")):
        yield Finding(
            state="warning",
            finding="GATELATCH_LEDGER is a relative path: another file in each working folder",
            remedy="write four slashes and the whole path: sqlite:////path/ledger.db",
        )
    other = _url(environment.get("MLFLOW_TRACKING_URI") or "")
    if other is not None and (url.host, url.database) == (other.host, other.database):
        yield Finding(
            state="warning",
            finding="GATELATCH_LEDGER and MLFLOW_TRACKING_URI are one database",
            remedy="give each a database and a role of its own: MLflow's role must not reach the "
            "ledger",
        )


def _url(text: str) -> URL | None:
    try:
        return make_url(text)
    except (ArgumentError, ValueError):
        return None


def _login(environment: Mapping[str, str]) -> Iterator[Finding]:
    there = [name for name in _LOGIN if environment.get(name) or environment.get(f"{name}_FILE")]
    if len(there) == 1:
        (absent,) = set(_LOGIN) - set(there)
        yield Finding(
            state="ill",
            finding=f"{there[0]} is set without {absent}: MLflow is asked without a login",
            remedy=f"set {absent} as well",
        )


def _of_keys(environment: Mapping[str, str]) -> Iterator[Finding]:
    signing, answers = (
        environment.get(name) for name in ("GATELATCH_SIGNING_KEY", "GATELATCH_ANSWER_KEY")
    )
    if signing and signing == answers:
        yield Finding(
            state="ill",
            finding="GATELATCH_ANSWER_KEY is the workers' key: an API server could sign anything",
            remedy="name a key of the API server's own; `python -m tasks init` makes it",
        )


def _of_tables(environment: Mapping[str, str], spec: ModelSpec) -> Iterator[Finding]:
    places = (("source", spec.source), ("label.source", spec.label.source))
    for option, place in places:
        variable = getattr(place, "database", None)
        if variable and not environment.get(variable):
            yield Finding(
                state="ill",
                finding=f"{option}.database names the variable {variable}, which is not set",
                remedy=f"set {variable} to the SQLAlchemy URL of the table's database",
                model=spec.model,
            )
