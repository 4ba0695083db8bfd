"""A command waits for the DNS: a real name server, and a real resolver in its process."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from lab.peers.nameserver import NameServer, silent
from opensmtpd.dns import Absent, Dns, Failed, Found, Lookup, Question, RecordType, Reply, gather
from opensmtpd.dns.resolver import resolver
from opensmtpd.dns.resolver.resolver import Resolver
from opensmtpd.dns.servers import ServerAddress
from opensmtpd_cli import lookups
from unit.support.dns_lab import port

RECORDS: Any = {("a.example", "TXT"): ['"x"'], ("silent.example", "TXT"): silent}


@pytest.fixture
def dns() -> Iterator[Dns]:
    at = ServerAddress("127.0.0.1", port())
    with NameServer(RECORDS, at), closing(Resolver([at])) as resolver:
        yield resolver


def ask(*names: str) -> Lookup[list[Reply]]:
    replies: list[Reply] = yield [Question(name, RecordType.TXT) for name in names]
    return replies


def test_replies_are_waited_for(dns: Dns) -> None:
    assert lookups.result(ask("a.example", "b.example"), dns, 5) == [
        Found(("x",)),
        Absent(nxdomain=True),
    ]
    assert lookups.result(ask("a.example"), dns, 5) == [Found(("x",))]
    assert lookups.result(gather([ask("a.example"), ask("b.example")]), dns, 5)[0] == [
        Found(("x",))
    ]


def test_the_time_is_bounded(dns: Dns) -> None:
    (reply,) = lookups.result(ask("silent.example"), dns, 0.3)
    assert isinstance(reply, Failed)


def test_what_a_lookup_raises_is_raised(dns: Dns) -> None:
    def broken() -> Lookup[None]:
        yield from ask("a.example")
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        lookups.result(broken(), dns, 5)


def test_the_resolver_of_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made by what reads the options of filters, which are more than a command has."""
    made: list[tuple[object, ...]] = []
    monkeypatch.setattr(resolver, "Resolver", lambda *each: made.append(each))
    at = ServerAddress("127.0.0.1", 5353)
    lookups.resolver((at,), 3.0)
    assert made == [([at], None, 1.5, None)]
