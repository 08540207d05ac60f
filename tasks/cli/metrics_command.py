"""The command `python -m tasks metrics`: what stands now, for Prometheus."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from tasks.cli.console import err, fail
from tasks.errors import GatelatchError


def metrics(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one")] = 9464,
    host: Annotated[
        str, typer.Option(help="address to bind; any but this host's own needs a guard")
    ] = "127.0.0.1",
    token_file: Annotated[
        Path | None, typer.Option(help="file with the token that a scrape must show")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="certificate of this server")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="key of that certificate")] = None,
    client_ca: Annotated[
        Path | None, typer.Option(help="authority whose certificates may scrape")
    ] = None,
    textfile: Annotated[
        Path | None,
        typer.Option(help="write one file NAME.prom for node_exporter instead, and end"),
    ] = None,
    check_every: Annotated[
        int,
        typer.Option(min=0, help="seconds between two looks at the chain of each model; 0: never"),
    ] = 300,
    aliases: Annotated[
        bool, typer.Option("--aliases", help="look at MLflow's alias champion as often")
    ] = False,
) -> None:
    """Serve the metrics of all models to Prometheus until stopped; it only reads the ledger."""
    from tasks.views.exposition import Exposition
    from tasks.views.metrics_server import METRICS_PATH, Guard, metrics_server
    from tasks.views.slow_checks import SlowChecks
    from tasks.views.textfile import write_textfile

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    if aliases and not (check_every and os.environ.get("MLFLOW_TRACKING_URI")):
        fail("--aliases asks MLflow: name it in MLFLOW_TRACKING_URI, and leave --check-every 0 out")
    checks = SlowChecks(every=check_every, aliases=aliases)
    exposition = Exposition(checks)
    try:
        if textfile is not None:
            if check_every:
                exposition.metrics.look()  # which says of what models
                checks.look()
            write_textfile(exposition, textfile)
            exposition.metrics.close()
            return
        guard = Guard(token_file=token_file, certificate=tls_cert, key=tls_key, client_ca=client_ca)
        server = metrics_server(host, port, guard, exposition)
    except GatelatchError as error:
        exposition.metrics.close()
        fail(error)
    scheme = "https" if tls_cert else "http"
    shown = f"[{host}]" if ":" in host else host
    err.print(f"metrics are at {scheme}://{shown}:{server.server_port}{METRICS_PATH}", markup=False)
    if check_every:
        checks.start()
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            err.print("stopped")
    checks.stop()
    exposition.metrics.close()
