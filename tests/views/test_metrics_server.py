"""Who may read the metrics: this host, whoever has the token, whoever shows a certificate."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from tasks.__main__ import app
from tasks.ledger.ledger import Ledger
from tasks.views.exposition import Exposition
from tasks.views.metrics_server import Guard, NotGuarded, metrics_server
from tests.support.rows import promote
from tests.views.test_exposition import models as models

HOST = "127.0.0.1"
CHAMPION = b'gatelatch_champion_version{model="churn"} 1.0'

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


@pytest.fixture
def written(ledger: Ledger, models: Path) -> Ledger:
    promote(ledger, 1, None, since=1)
    return ledger


@contextmanager
def serving(guard: Guard) -> Iterator[int]:
    exposition = Exposition()
    with metrics_server(HOST, 0, guard, exposition) as server:
        running = Thread(target=server.serve_forever)
        running.start()
        yield server.server_port
        server.shutdown()
        running.join()
    exposition.metrics.close()


def get(
    port: int,
    path: str = "/metrics",
    method: str = "GET",
    token: str | None = None,
    context: ssl.SSLContext | None = None,
) -> tuple[int, bytes]:
    if context is None:
        link = http.client.HTTPConnection(HOST, port, timeout=30)
    else:
        link = http.client.HTTPSConnection(HOST, port, timeout=30, context=context)
    headers = {} if token is None else {"Authorization": token}
    with closing(link):
        link.request(method, path, headers=headers)
        answer = link.getresponse()
        return answer.status, answer.read()


def test_on_this_host_the_page_is_open_and_nothing_else_is_there(written: Ledger) -> None:
    with serving(Guard()) as port:
        code, page = get(port)
        assert (code, CHAMPION in page) == (200, True)
        assert b"process_resident_memory_bytes" in page
        code, page = get(port, "/metrics?name[]=gatelatch_ledger_up")
        assert page.splitlines()[-1] == b"gatelatch_ledger_up 1.0"
        assert get(port, "/")[0] == 404
        assert get(port, method="POST")[0] == 405


def test_a_token_is_asked_for_and_may_be_changed_while_it_runs(
    written: Ledger, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    with serving(Guard(token_file=file)) as port:
        assert get(port, token="Bearer first")[0] == 200
        for wrong in (None, "Bearer second", "Basic first", "Bearer ", "first", "Bearer fïrst"):
            code, said = get(port, token=wrong)
            assert (code, CHAMPION in said) == (401, False)
        file.write_text("second")
        assert get(port, token="Bearer first")[0] == 401
        assert get(port, token="bearer second")[0] == 200
        file.unlink()
        assert get(port, token="Bearer second")[0] == 401


def test_with_certificates_only_whom_the_authority_names_is_answered(
    written: Ledger, tmp_path: Path
) -> None:
    authority, stranger = Authority("prometheus"), Authority("stranger")
    certificate, key = authority.issue(tmp_path, "server")
    known = Guard(certificate=certificate, key=key, client_ca=authority.write(tmp_path))
    with serving(known) as port:
        trusting = ssl.create_default_context(cafile=str(authority.write(tmp_path)))
        trusting.load_cert_chain(*authority.issue(tmp_path, "client"))
        assert get(port, context=trusting)[0] == 200
        for chain in (None, stranger.issue(tmp_path, "other")):
            context = ssl.create_default_context(cafile=str(authority.write(tmp_path)))
            if chain is not None:
                context.load_cert_chain(*chain)
            with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
                get(port, context=context)
        assert get(port, context=trusting)[0] == 200


def test_a_client_that_says_nothing_holds_up_nobody(written: Ledger, tmp_path: Path) -> None:
    authority = Authority("prometheus")
    certificate, key = authority.issue(tmp_path, "server")
    with serving(Guard(certificate=certificate, key=key)) as port:
        context = ssl.create_default_context(cafile=str(authority.write(tmp_path)))
        with socket.create_connection((HOST, port)):
            assert get(port, context=context)[0] == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "metrics.example"])
def test_what_others_reach_is_refused_without_a_guard(host: str, url: str) -> None:
    done = CliRunner().invoke(app, ["metrics", "--host", host])
    assert done.exit_code == 1
    assert "add --token-file, or --tls-cert, --tls-key and --client-ca" in done.output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--host", "0.0.0.0", "--tls-cert", "a", "--tls-key", "b"], "add --token-file"),
        (["--tls-cert", "a"], "--tls-cert and --tls-key belong together"),
        (["--client-ca", "a"], "--client-ca needs --tls-cert and --tls-key"),
        (["--tls-cert", "a", "--tls-key", "b"], "the certificates cannot be used"),
        (["--token-file", "a"], "--token-file a cannot be read"),
    ],
)
def test_half_a_guard_is_refused_in_words(options: list[str], told: str, url: str) -> None:
    done = CliRunner().invoke(app, ["metrics", *options])
    assert (done.exit_code, told in done.output) == (1, True)


def test_an_empty_token_opens_nothing(tmp_path: Path, url: str) -> None:
    (tmp_path / "token").write_text("\n")
    with pytest.raises(NotGuarded, match="is empty"):
        metrics_server("0.0.0.0", 0, Guard(token_file=tmp_path / "token"), Exposition())


def test_a_port_that_is_taken_is_named(url: str) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        done = CliRunner().invoke(app, ["metrics", "--port", str(port)])
    assert (done.exit_code, f"--port {port} cannot be bound" in done.output) == (1, True)


def test_the_command_serves_until_it_is_stopped(written: Ledger) -> None:
    command = [sys.executable, "-m", "tasks", "metrics", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        found = re.search(r"http://127\.0\.0\.1:(\d+)/metrics", running.stderr.readline())
        assert found is not None
        assert CHAMPION in get(int(found[1]))[1]
        running.terminate()


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, name: str) -> None:
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        constraint = x509.BasicConstraints(ca=True, path_length=None)
        usage = x509.KeyUsage(*[n in (5, 6) for n in range(9)])
        made = self._builder(self.name, self.key).add_extension(constraint, critical=True)
        self.certificate = made.add_extension(usage, critical=True).sign(self.key, hashes.SHA256())

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return (
            x509.CertificateBuilder(issuer_name=self.name, subject_name=subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(identifier, critical=False)
            .add_extension(issuer, critical=False)
        )

    def write(self, folder: Path) -> Path:
        file = folder / f"{self.certificate.serial_number}.pem"
        file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return file

    def issue(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Return the files of a certificate for this host and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        here = x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))])
        builder = self._builder(subject, key).add_extension(here, critical=False)
        files = folder / f"{name}.pem", folder / f"{name}.key"
        made = builder.sign(self.key, hashes.SHA256())
        files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
        plain = serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
        return files
