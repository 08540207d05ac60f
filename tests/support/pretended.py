"""Hosts of others, pretended on the loopback: a proxy that answers each of them itself, over TLS.

What sends to them is left as it is: it finds the proxy and the authority in the environment, as it
would in a company's network.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Pretended:
    """Address and certificate of the proxy; what came: host, path and JSON of each request."""

    proxy: str
    authority: Path
    answer: int = 200
    got: list[tuple[str, str, Any]] = field(default_factory=list)


@contextmanager
def pretended(folder: Path, *hosts: str) -> Iterator[Pretended]:
    """Answer for these hosts until the end of the block."""
    certificate = certificate_of(folder, *hosts)
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trusted.load_cert_chain(certificate)

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.connection = trusted.wrap_socket(self.connection, server_side=True)
            self.rfile = self.connection.makefile("rb", -1)  # type: ignore[assignment]  # a reader
            self.wfile = self.connection.makefile("wb", 0)  # type: ignore[assignment]  # a writer
            self.close_connection = False

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            here.got.append((self.headers["Host"], self.path, json.loads(content)))
            self.send_response(here.answer)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")
            self.close_connection = True

        def finish(self) -> None:
            super().finish()
            self.connection.close()  # that over TLS is another than the server's own

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        here = Pretended(f"http://127.0.0.1:{server.server_port}", certificate)
        worker = Thread(target=server.serve_forever, daemon=True)
        worker.start()
        try:
            yield here
        finally:
            server.shutdown()
            worker.join()


def certificate_of(folder: Path, *hosts: str) -> Path:
    """Write a key and a certificate of these hosts, signed by itself, and return the file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pretended")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(h) for h in hosts]), False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    encoded = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file = folder / "pretended.pem"
    file.write_bytes(key.private_bytes(*encoded) + made.public_bytes(serialization.Encoding.PEM))
    return file
