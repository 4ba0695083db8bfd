"""The worker that hands accepted copies on over LMTP (RFC 2033), and removes them then."""

import os
import smtplib
import time
from typing import Any

from opensmtpd.backends.network import names
from opensmtpd.errors import Unavailable
from opensmtpd.log import log
from opensmtpd.mail.archive.maildir import ArchiveMaildir
from opensmtpd.mail.place import Place
from opensmtpd.needs import Needs
from opensmtpd.worker import Worker

AT_ONCE = 100
"""Copies of a request, at most."""
SECONDS = 10.0
"""Seconds after which a request has no more copies."""
PATIENCE = 20.0
"""Seconds until a server is late with a reply."""


class LmtpWorker(Worker):
    """Hands copies on. Its setup: path of the Maildir, place of the server, and a recipient."""

    title = "lmtp"
    threads = True  # for names of hosts
    memory = 4 << 30

    def load(self, setup: Any) -> None:
        """Take the setup."""
        path, place, self._recipient = setup
        self._place: Place = place if isinstance(place, str) else (place[0], place[1])
        self._maildir = ArchiveMaildir(os.path.abspath(path), "")
        self.needs = Needs(writes=(self._maildir.path,))
        if isinstance(self._place, str):
            self.needs |= Needs(sockets=(self._place,))
        else:
            names.prepare()
            self.needs |= names.NEEDS

    def handle(self, request: Any) -> bool:
        """Hand copies on; return whether more are left. Raises Unavailable."""
        end = time.monotonic() + SECONDS
        paths = self._maildir.accepted(AT_ONCE)
        if not paths:
            return False
        try:
            with self._connected() as server:
                for path in paths:
                    self._hand_on(server, path)
                    if time.monotonic() > end:
                        break
        except (smtplib.SMTPException, OSError) as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from None
        return True

    def _connected(self) -> smtplib.LMTP:
        host, port = (self._place, 0) if isinstance(self._place, str) else self._place
        return smtplib.LMTP(host, port, local_hostname="localhost", timeout=PATIENCE)

    def _hand_on(self, server: smtplib.LMTP, path: str) -> None:
        """Hand a copy on. Raises SMTPException and OSError where it is to be tried again."""
        with open(path, "rb") as file:
            message = file.read()
        try:
            server.sendmail(_sender(message), [self._recipient], message)
        except smtplib.SMTPRecipientsRefused as error:
            [(code, text)] = error.recipients.values()
            self._refused(path, code, text)
        except smtplib.SMTPResponseException as error:
            self._refused(path, error.smtp_code, error.smtp_error)
        else:
            os.unlink(path)

    def _refused(self, path: str, code: int, text: str | bytes) -> None:
        """Set a copy aside that is refused for ever. Raises Unavailable for another."""
        shown = text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else text
        if code < 500:
            raise Unavailable(f"{code} {shown}")
        log("archive-refused", file=os.path.basename(path), reply=f"{code} {shown}")
        self._maildir.set_aside(path)


def _sender(message: bytes) -> str:
    """Return the sender in the fields of a copy, empty where it is no ASCII."""
    start = message.find(b"\nX-Envelope-From: <") + 19
    found = message[start : message.find(b">\n", start)]
    return found.decode("ascii") if found.isascii() else ""
