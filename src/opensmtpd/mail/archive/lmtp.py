"""The worker that hands accepted copies on over LMTP (RFC 2033), and removes them then."""

import os
import re
import smtplib
import time
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple

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
REFUSED_MAX = 10
"""Copies that the server refuses for now before it takes one: then it is taken to be away."""
PATIENCE = 20.0
"""Seconds until a server is late with a reply."""
PATIENCE_AT_END = 600.0
"""The same behind a message, which comes again if that was too short (RFC 5321 section 4.5.3.2)."""

REPLY_MAX = 100
"""Lines of a reply, at most."""
SHOWN_MAX = 500
"""Characters of a reply that the log is told, at most."""

_SENDER = re.compile(rb"(?:[^\n]*\n){2}X-Envelope-From: <([^\r\n]*)>\n")


class LmtpRefusal(NamedTuple):
    """A copy that the server does not take."""

    for_ever: bool
    """True where it is the message that it does not want: what it says of the archive's address may
    pass, and counts for all copies."""
    shown: str
    """Its reply."""


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
        self._failed: dict[str, float] = {}
        """The copies that are to be tried again, and when each one failed: others come first."""
        self._taken: set[str] = set()
        """Copies that the server has, and that could not be removed."""
        self.needs = Needs(writes=(self._maildir.path,), locks=True)
        if isinstance(self._place, str):
            self.needs |= Needs(sockets=(self._place,))
        else:
            names.prepare()
            self.needs |= names.NEEDS

    def handle(self, request: Any) -> bool:
        """Hand copies on; return whether more are left. Raises Unavailable."""
        with self._maildir.alone() as alone:
            paths = self._waiting() if alone else []
            if not paths:
                return False
            try:
                with _Server(self._place) as server:
                    server.ehlo_or_helo_if_needed()  # where it refuses that, it refuses no copy
                    self._hand_on(server, paths)
            except (smtplib.SMTPException, OSError) as error:
                raise Unavailable(f"{type(error).__name__}: {error}"[:SHOWN_MAX]) from None
        return True

    def _waiting(self) -> list[str]:
        """Return the copies to hand on, those that have failed last."""
        paths = self._maildir.accepted()
        self._failed = {path: self._failed[path] for path in paths if path in self._failed}
        return sorted(paths, key=lambda path: self._failed.get(path, 0.0))[:AT_ONCE]

    def _hand_on(self, server: "_Server", paths: list[str]) -> None:
        """Hand copies on. Raises SMTPException, OSError, and Unavailable for those refused now."""
        end, taken = time.monotonic() + SECONDS, 0
        refused: list[str] = []
        for path in paths:
            reply = None
            if path not in self._taken:
                try:
                    message = self._read(path)
                    if message is None:
                        continue
                    reply = server.take(message, self._recipient)
                except MemoryError:
                    server.close()  # a part of the copy may have been sent
                    self._failed[path] = time.monotonic()
                    raise Unavailable(f"no memory for {os.path.basename(path)}") from None
            if reply is None:
                taken += 1
                self._taken.add(path)
                with suppress(FileNotFoundError):
                    os.unlink(path)
                self._taken.remove(path)
            elif reply.for_ever:
                log("archive-refused", file=os.path.basename(path), reply=reply.shown)
                self._maildir.set_aside(path)
            else:
                self._failed[path] = time.monotonic()
                refused.append(reply.shown)
            away = len(refused) >= REFUSED_MAX and not taken
            if away or server.sock is None or time.monotonic() > end:
                break
            if reply is not None:
                server.rset()  # it may be DATA itself that was refused
        if refused:
            raise Unavailable(refused[0])

    def _read(self, path: str) -> bytes | None:
        """Return a copy, None where it cannot be read: it must not keep others waiting."""
        try:
            with open(path, "rb") as file:
                return file.read()
        except FileNotFoundError:  # another program has taken it
            return None
        except OSError as error:
            if path not in self._failed:
                log("archive-unreadable", file=os.path.basename(path), reason=error.strerror)
            self._failed[path] = time.monotonic()
            return None


class _Replies:
    """The lines that a server sends. The library reads those of a reply until memory ends."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.left = REPLY_MAX
        """Lines that the reply may still have."""

    def readline(self, size: int) -> bytes:
        """Return a line. Raises OSError."""
        self.left -= 1
        if self.left < 0:
            raise OSError("a reply without an end")
        return self._file.readline(size)

    def close(self) -> None:
        """Close it."""
        self._file.close()


class _Server(smtplib.LMTP):
    """A connection to the server. Methods raise SMTPException and OSError."""

    def __init__(self, place: Place) -> None:
        host, port = (place, 0) if isinstance(place, str) else place
        super().__init__(host, port, local_hostname="localhost", timeout=PATIENCE)

    def take(self, message: bytes, recipient: str) -> LmtpRefusal | None:
        """Have the server take a copy; return None, or its refusal."""
        # A server may take a bare CR for the end of a line.
        lines = message.replace(b"\r", b"").replace(b"\n", b"\r\n")
        try:
            self.sendmail(_sender(message), [recipient], lines)
        except smtplib.SMTPDataError as error:
            return LmtpRefusal(error.smtp_code >= 500, _shown(error.smtp_code, error.smtp_error))
        except smtplib.SMTPRecipientsRefused as error:
            ((code, text),) = error.recipients.values()
            return LmtpRefusal(False, _shown(code, text))
        except smtplib.SMTPResponseException as error:
            return LmtpRefusal(False, _shown(error.smtp_code, error.smtp_error))
        return None

    def __exit__(self, *exception: Any) -> None:
        """Say goodbye; what the server says to that is no fault."""
        with suppress(smtplib.SMTPException, OSError):
            super().__exit__(*exception)

    def getreply(self) -> tuple[int, bytes]:
        """Return the next reply."""
        if self.sock is not None:
            self.file = self.file or _Replies(self.sock.makefile("rb"))
            self.file.left = REPLY_MAX
        return super().getreply()

    def data(self, msg: Any) -> tuple[int, bytes]:
        """Send a message, and wait for longer than for other commands."""
        if self.sock is not None:
            self.sock.settimeout(PATIENCE_AT_END)
        try:
            code, text = super().data(msg)
        except smtplib.SMTPDataError as error:
            if error.smtp_code >= 400:
                raise
            # It answers an earlier command, and the message was not sent: no reply counts any more.
            self.close()
            fault = f"{_shown(error.smtp_code, error.smtp_error)} in reply to DATA"
            raise smtplib.SMTPServerDisconnected(fault) from None
        if self.sock is not None:
            self.sock.settimeout(PATIENCE)
        return (250 if 200 <= code < 300 else code), text  # the library takes no other success


def _sender(message: bytes) -> str:
    """Return the sender in the fields on top of a copy; empty where it is none, or no ASCII."""
    found = _SENDER.match(message)
    return found[1].decode("ascii") if found is not None and found[1].isascii() else ""


def _shown(code: int, text: bytes | str) -> str:
    shown = text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else text
    return f"{code} {shown}"[:SHOWN_MAX]
