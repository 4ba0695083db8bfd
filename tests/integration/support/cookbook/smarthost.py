"""The server of a provider, who takes mail by TLS and for a password only."""

import queue
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from integration.support.manual_machine import Machine
from lab.peers.mail import plain
from lab.root.namespace import OUTSIDE_MX

NAME = "smtp.outside.example.org"
CERTIFICATE, KEY = "/etc/ssl/smarthost.crt", "/etc/ssl/private/smarthost.key"
AUTH = f"AUTH PLAIN {plain('bob', 'correcthorse')}".encode()
TRUSTED = "etc/ssl/certs/ca-certificates.crt"


def certify(machine: Machine) -> None:
    """Make a certificate for the smarthost that smtpd trusts, and put its name into the DNS."""
    machine.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={NAME} -addext"
        f" subjectAltName=DNS:{NAME} -keyout {KEY} -out {CERTIFICATE}"
    )
    trusted = machine.view / TRUSTED
    trusted.parent.mkdir(parents=True, exist_ok=True)
    with open(trusted, "a") as file:
        file.write((machine.view / CERTIFICATE[1:]).read_text())
    machine.lab.dns.records = {**machine.records, (NAME, "A"): [OUTSIDE_MX]}


class _Handler(socketserver.StreamRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        with self.server.context.wrap_socket(self.connection, server_side=True) as connection:

            def say(text: bytes) -> None:
                connection.sendall(text + b"\r\n")

            say(b"220 hello")
            known = False
            lines = connection.makefile("rb")
            for line in lines:
                verb = line[:4].upper()
                if verb == b"EHLO":
                    say(b"250-hello\r\n250 AUTH PLAIN")
                elif verb == b"AUTH":
                    known = line.strip() == AUTH
                    say(b"235 welcome" if known else b"535 no")
                elif not known:
                    say(b"530 log in first")
                elif verb == b"DATA":
                    say(b"354 go on")
                    self.server.taken.put(b"".join(iter(lines.readline, b".\r\n")))
                    say(b"250 taken")
                else:
                    say(b"221 bye" if verb == b"QUIT" else b"250 fine")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.taken: queue.Queue[bytes] = queue.Queue()
        super().__init__((OUTSIDE_MX, 465), _Handler)


@contextmanager
def serving(view: Path) -> Iterator["queue.Queue[bytes]"]:
    """Run the smarthost; yields the messages that it takes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(view / CERTIFICATE[1:], view / KEY[1:])
    with _Server(context) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.taken
        server.shutdown()
