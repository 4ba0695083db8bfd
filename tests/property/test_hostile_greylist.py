"""Hostile clients, a hostile DNS and a state that comes and goes before filter-greylist."""

import re
from collections.abc import Generator
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd.answer import Deferred
from opensmtpd.backends.state.outage import Outage
from opensmtpd.testing import SmtpClient, Smtpd
from property.test_hostile_auth import Liar
from property.test_hostile_policies import Crowd
from unit.support.greylisted import Clock, Greylisted, StoreHere

SENDERS = (
    *(b"", b"bob@remote.example", b"a|b@remote.example", b"list-17+x@remote.example", b"@", b"x:"),
    *(b"prvs=1234567890=bob@remote.example", b"a" * 255 + b"@b.example", b"prvs===@x.example"),
    *(b"@a,@b:c@d.example", b"bob@[192.0.2.5]", b"bob@" + b"a." * 110 + b"example", b"bob"),
)
RECIPIENTS = (
    *(b"alice@example.com", b"postmaster", b"postmaster+x@example.com", b"A|B@Example.COM"),
    *(b"alice+" + b"x" * 240 + b"@example.com", b"dave@spared.example", b"@r:alice@example.com"),
)
LATER = re.compile(rb"reject\|451 4\.7\.1 Greylisted, please try again in [0-9]+ seconds")
LISTS = {
    "wl-ip": b"203.0.113.0/24\n*.friend.example\n",
    "wl-domain": b"known.example\n*.d.example\n",
    "whitelist-clients": b"/^mail\\d*\\.(example|test)$/\ndebian.org\n",
    "whitelist-recipients": b"postmaster@\nspared.example\n/^dave@/\n",
}
OPTIONS = ("--auto-white 0", "--auto-white 3", "--network4 32 --network6 1", "-passtime 1",
           "-whiteexp 3000")  # fmt: skip


class Moody(StoreHere):
    """A state that answers at once, later, or not at all, by the dice."""

    def __init__(self, clock: Clock, dice: Random) -> None:
        super().__init__(clock)
        self.dice = dice

    def ask(self, request: list[Any]) -> Deferred[Any]:
        self.later = self.dice.random() < 0.5
        self.away = self.dice.random() < 0.05
        return super().ask(request)


class Strangers(Crowd):
    """Clients who send from anybody to anybody, more than once."""

    around: Greylisted

    def arrive(self) -> SmtpClient:
        if self.dice.random() < 0.3:
            return super().arrive()
        number = self.dice.randrange(10)
        return self.smtpd.connect(source=b"10.0.%d.5:1" % number, fcrdns="fail")

    def work(self) -> None:
        super().work()
        self.around.store.answer()
        self.around.wait(self.dice.choice([0, 0.1, 60, 4000]) * self.dice.random())

    def _sensible(self, client: SmtpClient) -> None:
        dice = self.dice
        if client.identity and client.transaction is None and dice.random() < 0.7:
            client.mail(dice.choice(SENDERS))
        elif client.transaction is not None and dice.random() < 0.6:
            client.rcpt(dice.choice(RECIPIENTS))
        else:
            super()._sensible(client)

    def settle(self) -> None:
        """Have all that is under way come to its end."""
        self.pump()
        for _ in range(1000):
            if not self.smtpd.hung():
                return
            self.work()
            self.pump()


def polled(self: Deferred[Any]) -> Generator[None, None, Any]:
    """Await a Deferred without asyncio: the storm lets the coroutine look again."""
    ends: list[tuple[Any, BaseException | None]] = []
    self.on_end(lambda *end: ends.append(end))
    while not ends:
        yield
    value, error = ends[0]
    if error is not None:
        raise error
    return value


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lists")
    for name, rows in LISTS.items():
        (folder / name).write_bytes(rows)
    return folder


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**64),
    options=st.sets(st.sampled_from(OPTIONS)),
    spared=st.sets(st.sampled_from(sorted(LISTS))),
)
def test_mail(lists: Path, seed: int, options: set[str], spared: set[str]) -> None:
    dice = Random(seed)
    words = [*sorted(options), *(f"--{name} {lists / name}" for name in sorted(spared))]
    around = Greylisted(" ".join(words))
    around.store = Moody(around.clock, dice)
    around.filter.state._pool = around.store  # type: ignore[assignment]  # as it is in a test
    around.filter.state._outage = Outage("memory", lambda: around.clock.now / 1e6)
    around.filter.dns = oracle = Liar(dice, 0.5)
    failures: list[object] = []

    def log(event: str, session: str | None = None, **fields: object) -> None:
        failures.append((event, fields))

    protocol = FilterConnection(around.filter, log=log)
    smtpd = Smtpd(dice.choice(["6.8.0", "7.6.0", "7.9.0"]))
    crowd = Strangers(dice, smtpd, protocol)
    crowd.oracle, crowd.around = oracle, around
    with patch("opensmtpd.log.emit"), patch.object(Deferred, "__await__", polled):
        crowd.run(30)
        crowd.settle()
        assert smtpd.hung() == []
        for client in smtpd.clients:
            client.vanish()
        crowd.pump()
        around.store.answer()  # steps are taken, whoever waits for them
        crowd.pump()
    assert (protocol.session_count, protocol.message_count, protocol.held_bytes) == (0, 0, 0)
    assert (oracle.open, crowd.jobs, around.store.waiting) == ([], [], [])
    assert [failure for failure in failures if "no answer within" not in str(failure)] == []
    for answer in smtpd.answers:
        assert answer.text == b"proceed" or LATER.fullmatch(answer.text) or b"4.3.0" in answer.text
        assert answer.text == b"proceed" or answer.phase in ("rcpt-to", "data")
