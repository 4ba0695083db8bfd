"""Scores of senderscore.org, and answers that are none."""

from ipaddress import IPv4Address

import pytest

from opensmtpd.dns import Absent, Failed, Found, Question, RecordType, Reply, run_lookup
from opensmtpd.mail.dnsbl.reputation import Reputation
from opensmtpd.testing import Zone

ADDRESS = IPv4Address("192.0.2.5")
QUESTION = Question("5.2.0.192.score.senderscore.com", RecordType.A)


def score(reply: Reply | None, service: Reputation | None = None) -> object:
    zone = Zone({} if reply is None else {QUESTION: reply})
    found = run_lookup((service or Reputation()).score(ADDRESS), zone, 1.0)
    assert zone.asked == [QUESTION]
    return found


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (("127.0.4.0",), 0),
        (("127.0.4.1",), 1),
        (("127.0.0.99",), 99),
        (("127.0.255.100",), 100),
        (("127.0.4.42", "127.0.5.42"), 42),
    ],
)
def test_the_last_number_is_the_score(
    records: tuple[str, ...], expected: int, logged: list[str]
) -> None:
    assert score(Found(records)) == expected
    assert logged == []


@pytest.mark.parametrize(
    "records",
    [
        ("127.0.4.101",),
        ("127.255.255.255",),  # who asks is not registered, or asks too often
        ("127.255.255.99",),
        ("203.0.113.80",),  # a resolver that leads to advertisements
        ("0.0.0.0",),
        ("127.1.0.50",),
        ("127.0.4.42", "127.0.4.43"),
        ("127.0.4.42", "127.0.4.200"),
    ],
)
def test_answers_that_are_no_scores(records: tuple[str, ...], logged: list[str]) -> None:
    assert score(Found(records)) is None
    assert logged == [f"senderscore-refused answer={','.join(records)}"]


@pytest.mark.parametrize("reply", [None, Absent(nxdomain=True), Absent(), Failed("timeout")])
def test_who_has_no_score(reply: Reply | None, logged: list[str]) -> None:
    assert score(reply) is None
    assert logged == []


def test_answers_that_are_no_scores_are_logged_once_an_hour(logged: list[str]) -> None:
    times = [1000.0]
    service = Reputation(lambda: times[-1])
    for now, lines in ((1000.0, 1), (1001.0, 1), (4599.0, 1), (4600.0, 2), (8199.0, 2)):
        times.append(now)
        assert score(Found(("127.255.255.255",)), service) is None
        assert score(Found(("127.0.4.7",)), service) == 7
        assert len(logged) == lines


def test_a_machine_that_has_just_been_started_logs_too(logged: list[str]) -> None:
    score(Found(("127.255.255.255",)), Reputation(lambda: 0.0))
    assert len(logged) == 1
