"""filter-greylist with its state and its DNS in the process of a test, and a clock that waits."""

import shlex
from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

from opensmtpd.answer import Deferred
from opensmtpd.backends.state import state
from opensmtpd.backends.state.file import database
from opensmtpd.backends.state.file.store import StepStore
from opensmtpd.backends.state.steps import GREYLIST, WHITE
from opensmtpd.dns import Reply
from opensmtpd.dns import options as dns_options
from opensmtpd.errors import Unavailable
from opensmtpd.testing import Driver, Outcome, SmtpClient, Smtpd, filter_connection, run_message
from opensmtpd.testing.zone import Zone
from opensmtpd_filters.greylist import Greylist, parser
from unit.support.auth_mail import records

Answers = Mapping[str, "str | list[str] | Reply"]

HERE = "192.0.2.0/24"
"""The network of the model's client."""
SPF = {"remote.example": "v=spf1 ip4:192.0.2.0/24 -all"}
"""The model's client may send mail of its sender's domain."""
NAMES = {GREYLIST: "greylist", WHITE: "white"}


class Clock:
    """Stands still until a test lets time pass. It is called by the store, in microseconds."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000_000

    def __call__(self) -> int:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += round(seconds * 1_000_000)


class StoreHere:
    """The pool with the worker that takes steps, without a process."""

    loaded = "memory"

    def __init__(self, clock: Clock) -> None:
        self.store = StepStore(database.in_memory(1 << 20), clock)
        self.away = False
        """True where no step can be taken."""
        self.later = False
        """True where steps are taken when the test lets them."""
        self.asked: list[str] = []
        """Each step: its name, its key, and what it counts."""
        self.waiting: list[tuple[Deferred[Any], list[Any]]] = []
        self.closed = False
        self._left = -1

    def goes_after(self, steps: int) -> None:
        """Be away when so many more steps were taken."""
        self._left = steps

    def ask(self, request: list[Any]) -> Deferred[Any]:
        self.away = self.away or self._left == 0
        self._left -= 1
        _, *step = request
        end: Deferred[Any] = Deferred()
        key = step[1][1:].replace(b"\0", b" ").decode() if step[1][:1] == b"=" else "(hashed)"
        by = f" by {step[2]}" if step[0] == WHITE and step[2] else ""
        self.asked.append(f"{NAMES[step[0]]} {key}{by}")
        self.waiting.append((end, step))
        if not self.later:
            self.answer()
        return end

    def answer(self) -> None:
        """Take the steps that wait, and no others that come of it."""
        waiting, self.waiting = self.waiting, []
        for end, step in waiting:
            if self.away:
                end.fail(Unavailable("gone"))
            else:
                end.settle(self.store.take(*step))

    def steps(self) -> list[str]:
        """Return the steps that were asked since the last call."""
        asked, self.asked = self.asked, []
        return asked

    def close(self) -> None:
        self.closed = True


class Greylisted:
    """A filter, and all that is around it."""

    def __init__(self, line: str = "", *zones: Answers, dns: Zone | None = None) -> None:
        self.clock = Clock()
        self.store = StoreHere(self.clock)
        self.dns = dns or Zone(records(*zones))
        flags = parser().parse_args(shlex.split(line))
        with (
            patch.object(dns_options, "resolver", lambda _: self.dns),
            patch.object(state, "Pool", lambda *_, **__: self.store),
        ):
            self.filter = Greylist(flags)

    def send(self, **client: Any) -> Outcome:
        """Return what becomes of a message."""
        return run_message(self.filter, **client)

    def passes(self, **client: Any) -> bool:
        """Return whether a message is taken; the other end of all is a refusal of the recipient."""
        outcome = self.send(**client)
        assert outcome.accepted or outcome.reply.startswith(b"451 4.7.1 Greylisted, ")
        return outcome.accepted

    def wait(self, seconds: float) -> None:
        self.clock.wait(seconds)

    def passed(self, **client: Any) -> "Greylisted":
        """Return this, when a message has waited and passed."""
        assert not self.passes(**client)
        self.wait(301)
        assert self.passes(**client)
        self.store.steps()
        return self


class Visit:
    """A client of the model, which says what a test has it say."""

    def __init__(self, around: Greylisted, **client: Any) -> None:
        self.smtpd = Smtpd()
        self.driver = Driver(filter_connection(around.filter), self.smtpd.receive)
        self.settle()
        self.client: SmtpClient = self.smtpd.connect(**client)
        self.settle()
        self.say(b"EHLO client.example")

    def settle(self) -> None:
        """Carry bytes both ways until there are no more."""
        self.driver.settle()
        while data := self.smtpd.data_to_send():
            self.driver.feed(data)

    def say(self, *commands: bytes) -> bytes:
        """Say commands one after another; return the reply to the last one."""
        for command in commands:
            self.client.command(command)
            self.settle()
        return self.client.replies[-1]

    def body(self, message: bytes = b"Subject: test\n\nhello\n") -> bytes:
        """Send a message after DATA; return the reply."""
        self.client.send(message)
        self.settle()
        return self.client.replies[-1]
