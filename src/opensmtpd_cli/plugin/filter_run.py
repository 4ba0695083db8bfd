"""A filter in a process of its own, and the model of smtpd that it talks to."""

import time
from collections.abc import Callable
from contextlib import suppress
from signal import Signals
from typing import NamedTuple

from opensmtpd.testing.model.answers import FilterLine
from opensmtpd.testing.model.client import SmtpClient
from opensmtpd.testing.model.fatal import Fatal
from opensmtpd.testing.model.smtpd import Smtpd
from opensmtpd.testing.model.visit import visit
from opensmtpd_cli.errors import Stopped
from opensmtpd_cli.plugin import filter_message
from opensmtpd_cli.plugin.table_exchange import Tell, duration
from opensmtpd_cli.plugin.talk import Talk
from opensmtpd_cli.terminal import shown

_LINGER = 0.05
"""Seconds in which a filter would say, or die of, what comes after the message, and after QUIT."""
_ROOM = 256 << 20
"""Bytes that a filter may say beyond four times the message."""
_COLOURS = {"junk": "yellow", "reject": "red", "disconnect": "red"}


class ClientArguments(NamedTuple):
    """The client that sends the message, and its envelope."""

    client: bytes = b"192.0.2.5:40721"
    rdns: bytes = b"client.example"
    fcrdns: str = "pass"
    helo: bytes = b"client.example"
    username: bytes | None = None
    sender: bytes = b"bob@remote.example"
    recipients: tuple[bytes, ...] = (b"alice@example.com",)


class Run:
    """A filter that runs. Everything raises Stopped where smtpd would go no further."""

    def __init__(self, talk: Talk, smtpd: Smtpd, *, timeout: float, tell: Tell) -> None:
        self._talk, self._smtpd = talk, smtpd
        self._timeout = timeout
        self._tell = tell
        self._unsent = bytearray()
        self._told = 0
        self._room = _ROOM
        self._client: SmtpClient | None = None
        self._asked = self._began = time.perf_counter()
        self._in_message = False

    def start(self) -> None:
        """Shake hands."""
        began = time.perf_counter()
        self._exchange(lambda: self._smtpd.ready, "register|ready", "takes no mail, and waits")
        wanted = sorted(self._smtpd.phases) + [
            f"report {one}" for one in sorted(self._smtpd.events)
        ]
        self._tell(f"# ready after {duration(time.perf_counter() - began)}", dim=True)
        self._tell(f"# registered for {', '.join(wanted) or 'nothing'}", dim=True)

    def send(self, arguments: ClientArguments, message: bytes) -> tuple[SmtpClient, bytes]:
        """Have the client send its message; returns it, and the last reply that it got."""
        self._room += 4 * len(message)
        self._client = client = self._smtpd.connect(
            rdns=arguments.rdns, fcrdns=arguments.fcrdns, source=arguments.client
        )
        steps = visit(
            client,
            message,
            helo=arguments.helo,
            tls=arguments.username is not None,
            username=arguments.username,
            sender=arguments.sender,
            recipients=arguments.recipients,
        )
        for _ in steps:
            self._settle()
            if client.in_data and not self._in_message:
                self._in_message, self._began = True, time.perf_counter()
        reply = client.replies[-1]
        if client.connected:
            self._linger()  # what it says too much is fatal while the client is there
            client.quit()
            self._settle()
        self._linger()
        return client, reply

    def _settle(self) -> None:
        self._exchange(lambda: not self._smtpd.hung(), "", "has the client wait")

    def _linger(self) -> None:
        deadline = time.monotonic() + _LINGER
        with suppress(TimeoutError):
            while True:
                self._swap(deadline)

    def _exchange(self, done: Callable[[], bool], wanted: str, effect: str) -> None:
        """Carry bytes both ways until all are sent and ``done`` returns True."""
        deadline = time.monotonic() + self._timeout
        while True:
            if data := self._smtpd.data_to_send():
                self._unsent += data
                self._asked = time.perf_counter()
                deadline = time.monotonic() + self._timeout
            if done() and not self._unsent:
                return
            try:
                taken = self._swap(deadline)
            except TimeoutError:
                raise self._silence(wanted, effect) from None
            if taken:
                deadline = time.monotonic() + self._timeout

    def _swap(self, deadline: float) -> bool:
        """Carry some bytes, and return whether the filter took any. Raises TimeoutError."""
        try:
            with memoryview(self._unsent) as unsent:
                taken, said = self._talk.swap(unsent, deadline)
        except EOFError:
            raise self._end_of_it() from None
        del self._unsent[:taken]
        self._room -= len(said)
        if self._room < 0:
            raise Stopped("error: it writes without end", "reads on, and keeps a message on disk")
        try:
            self._smtpd.receive(said)
        except Fatal as error:
            line = f": {shown(error.line[:200])}" if error.line else ""
            raise Stopped(f"fatal: {error.reason}{line}", "dies, and all mail stops") from None
        finally:
            self._tell_news()
        return taken > 0

    # --- how it stops ---------------------------------------------------------------------------

    def _silence(self, wanted: str, effect: str) -> Stopped:
        within = f"within {self._timeout:g} s"
        if not wanted and not (waiting := self._smtpd.hung()):
            return Stopped(f"error: it reads nothing {within}", "keeps all that it says in memory")
        wanted = wanted or f"answer to {waiting[0].phase}"
        return Stopped(f"error: no {wanted} {within}", f"{effect} for ever")

    def _end_of_it(self) -> Stopped:
        status = self._talk.end()
        if status is None:
            return Stopped("error: the filter hung up and lives on", "waits for it for ever")
        how = f"died of {Signals(-status).name}" if status < 0 else f"exited with status {status}"
        return Stopped(f"fatal: lost processor: the filter {how}", "dies, and all mail stops")

    # --- what is said ---------------------------------------------------------------------------

    def _tell_news(self) -> None:
        now = time.perf_counter()
        client = self._client
        if self._in_message and client and client.phase == "commit":
            self._in_message = False
            if "data-line" in self._smtpd.phases:
                self._tell_lines(client, now)
        for answer in self._smtpd.answers[self._told :]:
            self._tell_answer(answer, duration(now - self._asked))
            self._told += 1

    def _tell_lines(self, client: SmtpClient, now: float) -> None:
        message = client.transactions[-1]
        counts = f"{len(message.sent)} lines in, {len(message.lines)} out"
        self._tell(f"data-line: {counts} ({duration(now - self._began)})")

    def _tell_answer(self, answer: FilterLine, time: str) -> None:
        text = f"{answer.decision} {shown(answer.parameter)}".rstrip()
        self._tell(f"{answer.phase}: {text} ({time})", fg=_COLOURS.get(answer.decision))


def outgoing(client: SmtpClient, message: bytes) -> bytes | None:
    """Return an accepted message as the filter let it go, with the line ends it came with."""
    transaction = client.transactions[-1] if client.transactions else None
    if transaction is None or transaction.fate != "accepted":
        return None
    end = filter_message.ending(message)
    trace = transaction.sent[: transaction.trace]
    lines = filter_message.without(transaction.lines, trace)
    return b"".join([line + end for line in lines])
