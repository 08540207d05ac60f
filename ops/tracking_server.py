"""MLflow's server with most of its doors shut: `python -m ops.tracking_server`.

Writing needs a password, artifacts stay below one root, and the process may touch one folder:
docs/decisions/017-mlflow-behind-doors.md. Settings come from the environment:
MLFLOW_BACKEND_STORE_URI, GATELATCH_MLFLOW_PASSWORD, and GATELATCH_MLFLOW_READER_PASSWORD, without
which reading needs no login. `_FILE` behind the name of a password names a file that holds it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy import make_url

from ops import confined, places
from tasks.secret_files import SecretMissing, secret_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)
_UNUSED = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_WORKSPACES": "false",
}


@app.command()
def serve(
    folder: Annotated[Path, typer.Option(help="the only folder that it may write to")],
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on")] = 5000,
    artifacts: Annotated[
        str, typer.Option(help="root of all artifacts [default: artifacts/ of the folder]")
    ] = "",
) -> None:
    """Serve MLflow until it is stopped."""
    folder = folder.resolve()
    root = artifacts or str(folder / "artifacts")
    database = _setting("MLFLOW_BACKEND_STORE_URI")
    writer = _password("GATELATCH_MLFLOW_PASSWORD") or _setting("GATELATCH_MLFLOW_PASSWORD")
    reader = _password("GATELATCH_MLFLOW_READER_PASSWORD")
    # Only what runs from here on is confined, threads too: so before anything heavy is imported.
    tempfile.tempdir = os.environ["TMPDIR"] = _emptied(folder / "tmp")
    os.environ["HOME"] = str(folder)
    if said := confined.unconfined():
        print(said, file=sys.stderr, flush=True)
    else:
        confined.confine(folder, port, _calls(database, root))

    import uvicorn

    uvicorn.run(
        application(database, root, writer, reader),
        host=host,
        port=port,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )


def _setting(name: str) -> str:
    if not (value := os.environ.get(name)):
        raise typer.BadParameter(f"the environment has no {name}")
    return value


def _password(name: str) -> str | None:
    try:
        return secret_of(f"{name}_FILE") or os.environ.get(name) or None
    except SecretMissing as missing:
        raise typer.BadParameter(str(missing)) from None


def _emptied(path: Path) -> str:
    """Make a folder for temporary files, without those of a server that was killed."""
    path.mkdir(parents=True, exist_ok=True)
    for old in path.glob(f"{tempfile.template}*/"):
        shutil.rmtree(old, ignore_errors=True)
    return str(path)


def _calls(database: str, artifacts: str) -> list[int]:
    """Return the TCP ports that the server itself has to call."""
    url = make_url(database)
    kept = [url.port or 5432] if url.host else []
    return (
        [*kept, 53, 80, 443] if "://" in artifacts and not artifacts.startswith("file:") else kept
    )


def application(database: str, root: str, writer: str, reader: str | None) -> ASGIApp:
    """Return MLflow's application behind its doors, with artifacts below the root alone."""
    _configure(database, root)
    from flask import Response, jsonify, request
    from mlflow.server import app as pages
    from mlflow.server.fastapi_app import app as mlflow
    from mlflow.server.handlers import initialize_backend_stores
    from mlflow.store.artifact import artifact_repository_registry as registry

    from ops.doors import Doors

    # MLflow's hint says instances; what its registry holds makes them.
    places.hold(registry.get_registered_artifact_repositories(), root)  # type: ignore[arg-type]

    @pages.before_request
    def refuse_places_outside() -> tuple[Response, int] | None:
        # Parsed as MLflow parses it, in any case that it accepts.
        said = request.get_json(force=True, silent=True) if request.method == "POST" else None
        field = places.outside(said, root)
        if not field:
            return None
        told = f"{field} lies outside the server's artifact root"
        return jsonify(error_code="PERMISSION_DENIED", message=told), 403

    initialize_backend_stores(database, database, f"{places.PROXIED}:/")
    return Doors(mlflow, writer, reader)


def _configure(database: str, root: str) -> None:
    """Say what `mlflow server` says to its own application, which has no other way in."""
    from mlflow.server import constants

    os.environ.update(_UNUSED)
    os.environ[constants.BACKEND_STORE_URI_ENV_VAR] = database
    os.environ[constants.REGISTRY_STORE_URI_ENV_VAR] = database
    os.environ[constants.ARTIFACT_ROOT_ENV_VAR] = f"{places.PROXIED}:/"
    os.environ[constants.ARTIFACTS_DESTINATION_ENV_VAR] = root
    os.environ[constants.SERVE_ARTIFACTS_ENV_VAR] = "true"


if __name__ == "__main__":
    app()
