"""What filters and tables count while they are served."""

import signal
import sys

import pytest

from opensmtpd._counters import process
from opensmtpd._counters.counts import OWN
from opensmtpd._protocol.dispatch import Dispatcher
from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd._protocol.table.connection import TableConnection
from opensmtpd._runtime.watchdog import Watchdog
from opensmtpd.answer import Answer, Deferred
from opensmtpd.filter import (
    JUNK,
    PROCEED,
    Connect,
    Filter,
    Helo,
    LinkConnect,
    MailFrom,
    ParameterDecision,
    PhaseDecision,
    Reject,
    Rewrite,
    Session,
)
from opensmtpd.table import Service, Table

HEAD = b"filter|0.7|1.0|smtp-in|"
SESSION = b"|1718c5e591926d28|1718c5e5919"


@pytest.fixture(autouse=True)
def none_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OWN, "values", [0] * len(OWN.index))


def counted() -> dict[tuple[str, ...], int]:
    """Return what has been counted, without the common beginning of names."""
    return {
        (cell[0].removeprefix("opensmtpd_plugin_"), *cell[1:]): OWN.values[place]
        for cell, place in OWN.index.items()
        if OWN.values[place]
    }


class OwnReject(Reject):
    pass


class Some(Filter):
    outgoing = True

    def __init__(self) -> None:
        self.heard: list[bool] = []
        self.late: Deferred[PhaseDecision] = Deferred()

    def on_connect(self, session: Session, request: Connect) -> PhaseDecision:
        return JUNK

    def on_helo(self, session: Session, request: Helo) -> ParameterDecision:
        return Rewrite(b"a.example|b") if request.verb == "HELO" else PROCEED

    def on_mail_from(self, session: Session, request: MailFrom) -> Answer[ParameterDecision]:
        if request.address == b"late":
            return self.late
        if request.address == b"fails":
            raise RuntimeError
        return OwnReject(550, "no|no")

    def on_link_connect(self, session: Session, report: LinkConnect) -> None:
        self.heard.append(session.outgoing)


def served() -> tuple[Some, FilterConnection]:
    filter = Some()
    connection = FilterConnection(filter, log=lambda *_, **__: None)
    connection.receive(b"config|protocol|0.7\nconfig|ready\n", 0.0)
    return filter, connection


def test_decisions_by_phase() -> None:
    _, connection = served()
    for number, asked in enumerate(
        (b"connect", b"helo", b"ehlo", b"ehlo", b"mail-from", b"commit"), 10_000
    ):
        connection.receive(HEAD + asked + SESSION + b"%d|x|y\n" % number, 1.0)
    assert counted() == {
        ("decisions", "connect", "junk"): 1,
        ("decisions", "helo", "rewrite"): 1,
        ("decisions", "ehlo", "proceed"): 2,
        ("decisions", "mail-from", "reject"): 1,
        ("decisions", "commit", "proceed"): 1,
    }


def test_failures_and_deadlines() -> None:
    _, connection = served()
    connection.receive(HEAD + b"mail-from" + SESSION + b"10000|fails\n", 1.0)
    connection.receive(HEAD + b"mail-from" + SESSION + b"10001|late\n", 1.0)
    connection.dispatcher.expire(1000.0)
    assert counted() == {
        ("decisions", "mail-from", "reject"): 2,
        ("failures",): 1,
        ("deadlines_missed",): 1,
    }


def test_reports_of_both_directions() -> None:
    filter, connection = served()
    said = connection.data_to_send().decode().splitlines()
    assert [line for line in said if "|report|" in line] == [
        "register|report|smtp-in|link-connect",
        "register|report|smtp-in|link-disconnect",
        "register|report|smtp-out|link-connect",
        "register|report|smtp-out|link-disconnect",
    ]
    for number, direction in enumerate((b"smtp-out", b"smtp-in")):
        line = b"link-connect|%016d|a.example|pass|192.0.2.1:9|192.0.2.2:25\n" % number
        connection.receive(b"report|0.7|1.0|" + direction + b"|" + line, 1.0)
    assert filter.heard == [True, False]


class Rows(Table):
    services = (Service.ALIAS, Service.NETADDR)

    def lookup(self, service: Service, key: str) -> str | None:
        if key == "fails":
            raise RuntimeError
        return "value" if key == "found" else None

    def check(self, service: Service, key: str) -> bool:
        return key == "found"

    def fetch(self, service: Service) -> str | None:
        return None

    def update(self) -> None:
        raise RuntimeError


def test_requests_of_a_table() -> None:
    connection = TableConnection(Rows(), log=lambda *_, **__: None)
    connection.receive(b"config|protocol|0.1\nconfig|tablename|t\nconfig|ready\n", 0.0)
    for asked in (
        *(b"lookup|alias|1|found", b"lookup|alias|1|absent", b"lookup|alias|1|fails"),
        *(b"lookup|alias|1|found", b"check|netaddr|1|found", b"check|netaddr|1|absent"),
        *(b"fetch|source|1", b"lookup|strange|1|x", b"update|1"),
    ):
        connection.receive(b"table|0.1|1.0|t|" + asked + b"\n", 1.0)
    assert connection.data_to_send().count(b"-result|1|") == 9
    assert counted() == {
        ("table_requests", "lookup", "alias", "found"): 2,
        ("table_requests", "lookup", "alias", "not-found"): 1,
        ("table_requests", "lookup", "alias", "error"): 1,
        ("table_requests", "lookup", "unknown", "error"): 1,
        ("table_requests", "check", "netaddr", "found"): 1,
        ("table_requests", "check", "netaddr", "not-found"): 1,
        ("table_requests", "fetch", "source", "not-found"): 1,
        ("table_updates", "error"): 1,
        ("failures",): 3,
    }


def test_the_watchdog_writes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """At each look, the last one included, behind which the process is idle."""
    before = signal.getsignal(signal.SIGALRM)
    written: list[int] = []
    monkeypatch.setattr(process, "write", lambda: written.append(1))
    monkeypatch.setattr(signal, "setitimer", lambda *_: None)
    try:
        dog = Watchdog(Dispatcher(60.0, lambda *_, **__: None))
        dog.watch()
        dog._look(signal.SIGALRM, sys._getframe())
    finally:
        signal.signal(signal.SIGALRM, before)
    assert written == [1]
