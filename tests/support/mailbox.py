"""A mail server on the loopback that keeps what it is given."""

from __future__ import annotations

import email
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


@dataclass
class Mailbox:
    """Where it is, and the mails that came."""

    port: int
    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep a mail; the name is aiosmtpd's."""
        mail = email.message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 fine"


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Take mails from everybody until the end of the block."""
    with _serving(Mailbox(_free())) as here:
        yield here


@contextmanager
def guarded_mailbox(certificate: Path, user: str, password: str) -> Iterator[Mailbox]:
    """Take mails over STARTTLS, from this user alone, until the end of the block."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def known(server: Any, session: Any, envelope: Any, mechanism: str, shown: Any) -> AuthResult:
        right = LoginPassword(user.encode(), password.encode())
        return AuthResult(success=shown == right, handled=False)  # the server says so

    guard = {"authenticator": known, "auth_required": True, "require_starttls": True}
    with _serving(Mailbox(_free()), tls_context=context, **guard) as here:
        yield here


@contextmanager
def _serving(here: Mailbox, **settings: Any) -> Iterator[Mailbox]:
    controller = Controller(here, hostname="127.0.0.1", port=here.port, **settings)
    controller.start()
    try:
        yield here
    finally:
        controller.stop()


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
