"""Serves the metrics over HTTP: to this host alone, or to whoever shows a token or certificate."""

from __future__ import annotations

import hmac
import logging
import socket
import ssl
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client.exposition import ThreadingWSGIServer

from tasks import disk
from tasks.errors import Final
from tasks.views.exposition import Exposition

_log = logging.getLogger(__name__)

METRICS_PATH = "/metrics"
_SLOW = 10  # seconds for a client to say what it wants, or to show its certificate

_Respond = Callable[[str, list[tuple[str, str]]], object]


class NotGuarded(Final):
    """An address that others reach, without a token or certificates; or half of what is needed."""


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Who may read the metrics: whoever has the token, or a certificate of `client_ca`."""

    token_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None

    def require_enough_for(self, host: str) -> None:
        """Raise NotGuarded if what is served there would be open to others, or is half guarded."""
        if (self.certificate is None) != (self.key is None):
            raise NotGuarded("--tls-cert and --tls-key belong together; name both")
        if self.client_ca is not None and self.certificate is None:
            raise NotGuarded("--client-ca needs --tls-cert and --tls-key; name these as well")
        if _is_loopback(host) or self.token_file is not None or self.client_ca is not None:
            return
        raise NotGuarded(
            f"--host {host} can be reached from other hosts, and nobody there would be asked who "
            "they are; add --token-file, or --tls-cert, --tls-key and --client-ca, or leave --host "
            "out"
        )

    def token(self) -> bytes | None:
        """Return the token, read anew so that it can be changed; None if none is asked for."""
        if self.token_file is None:
            return None
        try:
            found = self.token_file.read_bytes().strip()
        except OSError as error:
            raise NotGuarded(
                f"--token-file {self.token_file} cannot be read: {disk.said(error)}; make it a "
                "readable file"
            ) from None
        if not found:
            raise NotGuarded(f"--token-file {self.token_file} is empty; write a token into it")
        return found

    def tls(self) -> ssl.SSLContext | None:
        """Return how connections are encrypted and whose certificate is asked for; None: not."""
        if self.certificate is None or self.key is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key)
            if self.client_ca is not None:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(self.client_ca)
        except OSError as error:
            raise NotGuarded(
                f"the certificates cannot be used: {disk.said(error)}; look at --tls-cert "
                f"{self.certificate}, --tls-key {self.key} and --client-ca {self.client_ca}"
            ) from None
        return context


def metrics_server(host: str, port: int, guard: Guard, exposition: Exposition) -> WSGIServer:
    """Return a server that is bound and not started yet.

    Raises
    ------
    NotGuarded
        If others could reach it unasked, or a file of the guard cannot be used.
    tasks.disk.Unusable
        If the address cannot be bound.
    """
    guard.require_enough_for(host)
    guard.token()
    context = guard.tls()

    class Server(_Server):
        tls = context
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    try:
        return make_server(host, port, metrics_app(guard, exposition), Server, _Handler)
    except OSError as error:
        raise disk.Unusable(
            f"--host {host} --port {port} cannot be bound: {disk.said(error)}; name another port"
        ) from None


def metrics_app(guard: Guard, exposition: Exposition) -> Any:
    """Return the WSGI application."""

    def answer(environ: dict[str, Any], respond: _Respond) -> Iterable[bytes]:
        if environ["PATH_INFO"] != METRICS_PATH:
            return _said(respond, "404 Not Found", f"there is {METRICS_PATH} alone")
        if environ["REQUEST_METHOD"] != "GET":
            return _said(respond, "405 Method Not Allowed", "use GET", ("Allow", "GET"))
        if not _may(guard, environ.get("HTTP_AUTHORIZATION", "")):
            told = "send the token as Authorization: Bearer …"
            return _said(respond, "401 Unauthorized", told, ("WWW-Authenticate", "Bearer"))
        names = parse_qs(environ.get("QUERY_STRING", "")).get("name[]", [])
        content_type, page = exposition.page(environ.get("HTTP_ACCEPT", ""), names)
        respond("200 OK", [("Content-Type", content_type), ("Content-Length", str(len(page)))])
        return [page]

    return answer


def _may(guard: Guard, header: str) -> bool:
    try:
        token = guard.token()
    except NotGuarded:  # whoever took the file away did not open the door
        return False
    kind, _, shown = header.partition(" ")
    sent = shown.strip().encode("latin-1", "replace")
    return token is None or (kind.lower() == "bearer" and hmac.compare_digest(sent, token))


def _said(respond: _Respond, status: str, text: str, *headers: tuple[str, str]) -> list[bytes]:
    respond(status, [("Content-Type", "text/plain; charset=utf-8"), *headers])
    return [f"{status}: {text}\n".encode()]


class _Server(ThreadingWSGIServer):
    """Shakes hands in the thread of the connection, so that a silent client holds up nobody."""

    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(_SLOW)
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        with self.tls.wrap_socket(request, server_side=True) as guarded:
            super().finish_request(guarded, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log in a line what went wrong with a client: it hung up, or its certificate is none."""
        _log.warning(
            "%s was not answered: %s",
            client_address[0],
            disk.said(cast(BaseException, sys.exception())),
        )


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing of a scrape that went well."""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
