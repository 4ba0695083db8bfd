"""The same SMTP commands for a real smtpd and for the model: replies, and what a filter hears."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from lab.peers.clients import CONFIRMED_PTR
from lab.peers.nameserver import NameServer
from lab.root.namespace import SERVER4
from lab.root.server import Server
from lab.shows import moves
from lab.shows.guide import records
from lab.support import need_stage
from opensmtpd.testing import SmtpClient, Smtpd

EVENTS = ("link-identify", "tx-begin", "tx-mail", "tx-rcpt", "tx-rollback", "protocol-client")
PHASES = ("helo", "ehlo", "mail-from", "rcpt-to", "rset")
REGISTER = b"".join(
    [b"register|report|smtp-in|%s\n" % name.encode() for name in EVENTS]
    + [b"register|filter|smtp-in|%s\n" % name.encode() for name in PHASES]
    + [b"register|ready\n"]
)
PROGRAM, SAID = "/usr/libexec/opensmtpd/filter-recorder", "/tmp/said"
RECORDER = f"""#!/usr/bin/python3
import sys
log = open({SAID!r}, "ab", buffering=0)
for line in sys.stdin.buffer:
    fields = line.rstrip(b"\\n").split(b"|")
    if line == b"config|ready\\n":
        sys.stdout.buffer.write({REGISTER!r})
    elif fields[0] == b"filter":
        log.write(line)
        sys.stdout.buffer.write(b"filter-result|%s|%s|proceed\\n" % (fields[5], fields[6]))
    elif fields[0] == b"report":
        log.write(line)
    sys.stdout.buffer.flush()
"""
END = b"NOOP that was all"
CONF = f"""pki example.com cert "/etc/ssl/example.com.crt"
pki example.com key "/etc/ssl/private/example.com.key"
filter recorder proc-exec "{PROGRAM}"
listen on {SERVER4} port 25 tls pki example.com auth-optional filter recorder hostname example.com
action "out" relay
match from any for any action "out"
"""
_MESSAGE = re.compile(rb"[0-9a-f]{8}(?=\|)")


class Heard(NamedTuple):
    """What came of a command: the last line of the reply, and what the filter heard."""

    reply: bytes
    lines: tuple[bytes, ...]


class RealTalker:
    """A client of a real smtpd; the filter's log says when all of a command has been heard."""

    def __init__(self, said: Path) -> None:
        self._said, self._place = said, said.stat().st_size
        self._socket = socket.create_connection((SERVER4, 25), 60, (CONFIRMED_PTR, 0))
        self._replies = self._socket.makefile("rb")
        self._reply()

    def __enter__(self) -> "RealTalker":
        return self

    def __exit__(self, *_: object) -> None:
        self._replies.close()
        self._socket.close()

    def _reply(self) -> bytes:
        line = self._replies.readline()
        while line[3:4] == b"-":
            line = self._replies.readline()
        return line.removesuffix(b"\r\n")

    def say(self, command: bytes) -> Heard:
        """Send a command and one that marks its end in the log of the filter."""
        self._socket.sendall(command + b"\r\n")
        reply = self._reply()
        self._socket.sendall(END + b"\r\n")
        self._reply()
        return Heard(reply, tuple(map(plain, self._lines())))

    def _lines(self) -> list[bytes]:
        """Return what the filter heard up to the end of the command."""
        end = time.monotonic() + 60
        while True:
            with open(self._said, "rb") as log:
                log.seek(self._place)
                data = log.read()
            if data.endswith(b"|" + END + b"\n"):
                self._place += len(data)
                lines = data.split(b"\n")[:-1]
                mine = lines.pop().split(b"|")[5]  # an earlier session may end meanwhile
                return [line for line in lines if line.split(b"|")[5] == mine]
            assert time.monotonic() < end, data
            time.sleep(0.001)


class ModelTalker:
    """A client of the model."""

    def __init__(self, version: str) -> None:
        self._smtpd = Smtpd(version)
        self._smtpd.receive(REGISTER)
        self._client: SmtpClient = self._smtpd.connect(
            rdns=b"good.example.net", source=CONFIRMED_PTR.encode() + b":2525"
        )
        self._smtpd.data_to_send()

    def say(self, command: bytes) -> Heard:
        """Send a command, and have the filter let it proceed."""
        self._client.command(command)
        heard = []
        while data := self._smtpd.data_to_send():
            for line in data.removesuffix(b"\n").split(b"\n"):
                heard.append(plain(line))
                fields = line.split(b"|")
                if fields[0] == b"filter":
                    answer = (fields[5], fields[6])
                    self._smtpd.receive(b"filter-result|%s|%s|proceed\n" % answer)
        return Heard(self._client.replies[-1], tuple(heard))


def plain(line: bytes) -> bytes:
    """Return a line for a filter without its time, its session, and numbers that differ."""
    kind, _, _, _, event, _, *rest = line.split(b"|", 7 if line.startswith(b"filter") else 6)
    payload = rest[-1] if rest else b""
    if event.startswith(b"tx-") and not payload.startswith(b"00000000|"):
        payload = _MESSAGE.sub(b"MSGID", payload, count=1) if b"|" in payload else b"MSGID"
    return b"%s %s %s" % (kind, event, payload)


@contextmanager
def recording(smtpd: str) -> Iterator[Path]:
    """Run a real smtpd with a filter that records; yields the log of that filter."""
    guide = need_stage(smtpd).guide(f"{smtpd}-forms")
    (guide.view / moves.CONF[1:]).write_text(CONF)
    (guide.view / PROGRAM[1:]).write_text(RECORDER)
    (guide.view / PROGRAM[1:]).chmod(0o755)
    said = guide.view / SAID[1:]
    said.touch()
    said.chmod(0o666)
    with NameServer(records(guide)), Server(guide.view) as server:
        yield said
        server.check()
