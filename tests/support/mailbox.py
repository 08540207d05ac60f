"""A mail server on the loopback that keeps what it is given."""

from __future__ import annotations

import email
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread


@dataclass
class Mailbox:
    """Where it is, and the mails that came."""

    port: int
    mails: list[EmailMessage] = field(default_factory=list)


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Serve until the end of the block; of SMTP as much as a client needs."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 mailbox")
            while words := self.rfile.readline().decode().split():
                if words[0].upper() == "DATA":
                    self.say("354 go on")
                    lines = iter(self.rfile.readline, b".\r\n")
                    mail = email.message_from_bytes(b"".join(lines), policy=policy.default)
                    assert isinstance(mail, EmailMessage)
                    here.mails.append(mail)
                self.say("221 bye" if words[0].upper() == "QUIT" else "250 fine")

        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        here = Mailbox(server.server_address[1])
        worker = Thread(target=server.serve_forever, daemon=True)
        worker.start()
        try:
            yield here
        finally:
            server.shutdown()
            worker.join()
