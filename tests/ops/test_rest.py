"""The client of Airflow's API: a server's error costs nobody a request, and doubles none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest

from ops import rest
from ops.rest import Airflow

RUNS = "/api/v2/dags/monitor.churn/dagRuns"


class Server:
    """A server that gives one answer after the other, and keeps what it was sent."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.got: list[tuple[str, str, Any]] = []

    @contextmanager
    def client(self) -> Iterator[Airflow]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = json.loads(content) if content else None
                code, said = 200, {"access_token": "t"}
                if not self.path.startswith("/auth"):
                    server.got.append((self.command, self.path, body))
                    code, said = server.codes.pop(0), body or {}
                told = json.dumps(said).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            do_GET = do_POST = do_PATCH = answer  # noqa: N815  # as http.server looks for them

            def log_message(self, *_: Any) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
            http.daemon_threads = True
            Thread(target=http.serve_forever, daemon=True).start()
            client = Airflow(f"http://127.0.0.1:{http.server_port}", "otto", "password")
            try:
                yield client
            finally:
                client.close()
                http.shutdown()


def test_a_run_is_started_once_although_the_servers_error_came_after_it_was_made() -> None:
    server = Server(500, 409)
    with server.client() as client:
        run = client.trigger("monitor.churn", {"conf": {"window": "2026-01-05"}})
    assert [path for _, path, _ in server.got] == [RUNS] * 2
    assert {body["dag_run_id"] for _, _, body in server.got} == {run}


def test_a_name_that_somebody_took_is_no_run_of_ones_own() -> None:
    with Server(409).client() as client, pytest.raises(httpx.HTTPStatusError, match="409"):
        client.trigger("monitor.churn", {"dag_run_id": "taken"})


def test_whatever_may_be_sent_twice_is_sent_again_after_a_servers_error() -> None:
    server = Server(500, 503, 200)
    with server.client() as client:
        client.clear("retrain.churn", "p", "propose")
    assert len(server.got) == 3
    server = Server(500, 200)
    with server.client() as client:
        client.call("PATCH", "dags/monitor.churn", json={"is_paused": True})
    assert len(server.got) == 2


def test_whatever_may_not_be_sent_twice_is_sent_once() -> None:
    server = Server(500)
    with server.client() as client, pytest.raises(httpx.HTTPStatusError, match="500"):
        client.call("POST", "backfills", json={})
    assert len(server.got) == 1


def test_a_server_that_is_ill_for_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "_LOCKED_SECONDS", 0)
    with Server(500).client() as client, pytest.raises(httpx.HTTPStatusError, match="500"):
        client.state("monitor.churn", "p")
