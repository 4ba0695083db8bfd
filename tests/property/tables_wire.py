"""Tables that do everything wrong, and the wire between them and the modelled smtpd."""

from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import strategies as st

from opensmtpd._protocol.table.connection import TableConnection
from opensmtpd.answer import Deferred, Offload
from opensmtpd.errors import HandlerTimeout, LocalError
from opensmtpd.table import Patterns, Service, Table, passwords
from opensmtpd.testing import TableSmtpd
from property.hostile import Pause, explode, never
from property.steps import go_on

SERVICES = [service.value for service in Service]
VERBS = ["lookup", "check", "fetch", "update"]


def silent(event: str, session: str | None = None, **fields: object) -> None:
    assert event
    for value in fields.values():
        str(value)


CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0")
ODD = ["|", "||", "a|b", "@", "*", "+", "'", '"', ";", "?", "\udcff", "\udc80\xe9", " ", "\t", ":"]
KEY = st.one_of(
    st.text(CHARACTERS, max_size=40),
    st.lists(st.sampled_from([*ODD, "a", "example.org", "10.0.0.1", "[::1]"]), max_size=8).map(
        "".join
    ),
    st.integers(1, 1023).map(lambda size: "x" * size),
).filter(lambda key: len(key.encode("utf-8", "surrogateescape")) <= 1023)

ERRORS: list[BaseException] = [ValueError("\xfc\n|"), KeyError(b"\xff"), OSError(5, "I/O")]
ERRORS += [SystemExit(3), KeyboardInterrupt(), LocalError("a\nb\0|\xe9"), HandlerTimeout("x")]
VALUE = st.one_of(
    st.text(max_size=30),
    st.text(st.characters(), max_size=10),
    st.sampled_from(["x" * 2047, "x" * 2048, "\xe9" * 1024, "", "\n", "found|", "\0", "\udcff"]),
    st.sampled_from([None, True, False, 0, 7, b"x", [], object(), Offload, 1.5]),
)
ACT: st.SearchStrategy[Callable[[], Any]] = st.one_of(
    VALUE.map(lambda value: lambda: value),
    st.sampled_from(ERRORS).map(lambda error: lambda: explode(error)),
)
WAY = st.sampled_from(["plain", "plain", "offload", "async", "never"])


class Hostile(Table):
    """Does the next thing of a list, over and over."""

    services = tuple(Service)

    def __init__(self, acts: list[tuple[str, Callable[[], Any]]], index: bool) -> None:
        self.acts = acts
        self.index = index
        self.count = 0

    def do(self) -> Any:
        way, act = self.acts[self.count % len(self.acts)]
        self.count += 1
        if way == "offload":
            return Offload(act)
        if way == "async":
            return self.later(act)
        if way == "never":
            return never()
        return act()

    async def later(self, act: Callable[[], Any]) -> Any:
        await Pause()
        return act()

    def update(self) -> Any:
        return self.do()

    def lookup(self, service: Service, key: str) -> Any:
        return self.do()

    def fetch(self, service: Service) -> Any:
        return self.do()

    def patterns(self, service: Service) -> Patterns | None:
        return Patterns(service, ["*.org", "10/8", "@*", "."]) if self.index else None


class Passwords:
    """Stands for the worker that checks passwords: it replies at once, from this process."""

    def ask(self, password: str, hash: str | None, user: str) -> Deferred[bool]:
        deferred: Deferred[bool] = Deferred()
        try:
            deferred.settle(passwords.verify(password, hash, user))
        except LocalError as error:
            deferred.fail(error)
        return deferred


class Wire:
    """A table and the modelled smtpd; jobs are run by the dice, or not at all."""

    def __init__(self, table: Table, dice: Random, version: str = "7.9.0", name: str = "t") -> None:
        self.smtpd = TableSmtpd(version, name)
        self.protocol = TableConnection(table, log=silent)
        self.dice = dice
        self.now = 0.0
        self.jobs: list[Any] = []
        self.carry()

    def tell(self, data: bytes) -> None:
        """Hand bytes to the table, in odd pieces, and its own to the judge."""
        while data:
            size = self.dice.choice([1, 7, 100, 10_000])
            self.protocol.receive(data[:size], self.now)
            data = data[size:]
            self.hear()

    def carry(self) -> None:
        self.tell(self.smtpd.data_to_send())

    def hear(self) -> None:
        """Hand the table's answers to the judge, and take its jobs."""
        self.smtpd.receive(self.protocol.data_to_send())
        for job in self.protocol.dispatcher.take_jobs():
            self.jobs.append(job)
            if not callable(job.task):
                go_on(self.protocol, self.jobs, job)

    def finish(self, late: bool = False) -> None:
        """Work until all is answered; what does not end, or takes long if some may be late, is."""
        self.carry()
        for _ in range(200):
            for job in self.jobs[:]:
                go_on(self.protocol, self.jobs, job)
                self.hear()
            if self.jobs and late and not self.dice.randrange(3):
                self.now += 6.0
                self.jobs.clear()
                self.protocol.dispatcher.expire(self.now)
                self.hear()
        assert not self.smtpd.waiting
        assert not self.protocol.busy


REQUEST = st.tuples(st.sampled_from(VERBS), st.sampled_from(SERVICES), KEY)
