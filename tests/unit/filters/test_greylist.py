"""filter-greylist: who waits, for how long, under which key, and what is said about it."""

import time
from pathlib import Path
from typing import Any

import pytest

from opensmtpd.testing import Zone
from opensmtpd_filters import greylist
from unit.support.auth_mail import SERVFAIL
from unit.support.greylisted import HERE, SPF, Answers, Greylisted

SESSION = "9e3779b97f4a7c15"
"""The model's first session, in front of a line of the log."""
WHOM = "address=192.0.2.5 mailfrom=bob@remote.example rcpt=alice@example.com"
TRIPLET = "bob@remote.example alice@example.com"
NEW = b"451 4.7.1 Greylisted, please try again in 300 seconds"
DATE = "Mon, 1 Jan 2024 00:00:00 +0000"


@pytest.fixture(autouse=True)
def date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greylist, "date", lambda _: DATE)


# --- waiting --------------------------------------------------------------------------------------


def test_the_first_attempt_is_refused() -> None:
    outcome = Greylisted().send()
    assert (outcome.accepted, outcome.reply) == (False, NEW)
    assert outcome.decisions == (("rcpt-to", b"reject|" + NEW),)
    assert outcome.log == (f"{SESSION} greylist-defer client={HERE} wait=300 {WHOM}",)


@pytest.mark.parametrize(
    ("after", "seconds"), [(0.0, 300), (0.4, 300), (1.0, 299), (299.2, 1), (299.999999, 1)]
)
def test_a_client_that_comes_too_early(after: float, seconds: int) -> None:
    around = Greylisted()
    around.send()
    around.wait(after)
    outcome = around.send()
    assert outcome.reply == b"451 4.7.1 Greylisted, please try again in %d seconds" % seconds
    assert outcome.log == (f"{SESSION} greylist-defer client={HERE} wait={seconds} {WHOM}",)


def test_a_client_that_has_waited_passes() -> None:
    around = Greylisted()
    around.send()
    around.wait(300)
    outcome = around.send()
    assert outcome.accepted
    assert outcome.decisions == tuple(
        (phase, b"proceed") for phase in ("rcpt-to", "data", "commit")
    )
    assert outcome.log == (f"{SESSION} greylist-pass client={HERE} delay=300 {WHOM}",)
    front, _, rest = outcome.message.partition(outcome.received)
    assert front.decode() == (
        f"X-Greylist: delayed 300 seconds by filter-greylist at example.com; {DATE}\n"
    )
    assert rest == b"Subject: test\n\nhello\n"


def test_the_next_message_says_nothing_of_it() -> None:
    around = Greylisted().passed()
    outcome = around.send()
    assert outcome.accepted
    assert outcome.message.startswith(outcome.received)
    assert outcome.log == ()


def test_attempts_count_from_the_first() -> None:
    """One who repeats too often passes, too."""
    around = Greylisted()
    found = []
    for _ in range(4):
        found.append(around.passes())
        around.wait(100)
    assert found == [False, False, False, True]


def test_an_attempt_that_is_not_repeated_in_time_is_forgotten() -> None:
    around = Greylisted()
    around.send()
    around.wait(14400)
    assert around.send().reply == NEW


def test_times_of_the_command_line() -> None:
    around = Greylisted("-passtime 60 -greyexp 100")
    assert around.send().reply.endswith(b" 60 seconds")
    around.wait(100)
    assert around.send().reply.endswith(b" 60 seconds")
    around.wait(99)
    outcome = around.send()
    assert outcome.message.startswith(b"X-Greylist: delayed 99 seconds ")


def test_each_smtpd_is_answered() -> None:
    for version in ("6.8.0", "7.6.0", "7.9.0"):
        around = Greylisted()
        assert around.send(version=version).reply == NEW
        around.wait(300)
        assert around.send(version=version).message.startswith(b"X-Greylist: ")


# --- the same client, the same sender -------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "first", "second", "same"),
    [
        ("", b"192.0.2.5:1", b"192.0.2.250:2", True),
        ("", b"192.0.2.5:1", b"192.0.3.5:2", False),
        ("--network4 23", b"192.0.2.5:1", b"192.0.3.5:2", True),
        ("--network4 32", b"192.0.2.5:1", b"192.0.2.6:2", False),
        ("", b"[2001:db8:1:2::5]:1", b"[2001:db8:1:2:3::6]:2", True),
        ("", b"[2001:db8:1:2::5]:1", b"[2001:db8:1:3::5]:2", False),
        ("--network6 48", b"[2001:db8:1:2::5]:1", b"[2001:db8:1:3::5]:2", True),
        ("", b"[::ffff:192.0.2.5]:1", b"192.0.2.77:2", True),
    ],
)
def test_another_address(line: str, first: bytes, second: bytes, same: bool) -> None:
    around = Greylisted(line)
    assert not around.passes(source=first)
    around.wait(300)
    assert around.passes(source=second) is same


@pytest.mark.parametrize(
    ("sender", "recipient", "same"),
    [
        (b"list-18@remote.example", b"alice@example.com", True),
        (b"LIST-17@Remote.Example", b"Alice@Example.COM", True),
        (b"list-17+alice@remote.example", b"alice@example.com", True),
        (b"prvs=1234567890=list-17@remote.example", b"alice@example.com", True),
        (b"list-x@remote.example", b"alice@example.com", False),
        (b"list-17@remote.example", b"carol@example.com", False),
        (b"list-17@remote.example", b"alice+x@example.com", False),
        (b"list-17@other.example", b"alice@example.com", False),
    ],
)
def test_another_sender_or_recipient(sender: bytes, recipient: bytes, same: bool) -> None:
    around = Greylisted()
    assert not around.passes(sender=b"list-17@remote.example")
    around.wait(300)
    assert around.passes(sender=sender, recipients=[recipient]) is same


# --- whom SPF knows -------------------------------------------------------------------------------


def test_the_order_of_what_is_asked() -> None:
    around = Greylisted("", SPF)
    around.send()
    by_domain = ["white spf:remote.example", f"greylist spf:remote.example {TRIPLET}"]
    assert around.store.steps() == [f"white {HERE}", *by_domain]
    around.wait(300)
    around.send()
    passes = "white spf:remote.example by 1"
    assert around.store.steps() == [f"white {HERE}", *by_domain, passes]
    around.send()
    assert around.store.steps() == [f"white {HERE}", "white spf:remote.example"]


def test_where_the_network_is_white_spf_is_not_asked() -> None:
    around = Greylisted().passed()
    around.dns.asked.clear()
    around.send()
    assert around.store.steps() == [f"white {HERE}"]
    assert around.dns.asked == []


@pytest.mark.parametrize(
    ("zone", "key"),
    [
        ({"remote.example": "v=spf1 ip4:192.0.2.0/24 -all"}, "spf:remote.example"),
        ({"remote.example": "v=spf1 -all"}, HERE),
        ({"remote.example": "v=spf1 ~all"}, HERE),
        ({"remote.example": "v=spf1 ?all"}, HERE),
        ({"remote.example": "v=spf1 +all"}, HERE),
        ({"remote.example": "v=spf1 bogus"}, HERE),
        ({"remote.example": ["v=spf1 +all", "v=spf1 -all"]}, HERE),
        ({"remote.example": SERVFAIL}, HERE),
        ({}, HERE),
    ],
)
def test_the_key_by_the_result_of_spf(zone: Answers, key: str) -> None:
    around = Greylisted("", zone)
    outcome = around.send(helo=b"mx.other.example")
    assert around.store.steps()[-1] == f"greylist {key} {TRIPLET}"
    assert outcome.log == (f"{SESSION} greylist-defer client={key} wait=300 {WHOM}",)
    assert {question.name for question in around.dns.asked} == {"remote.example"}


def test_a_client_that_spf_lets_send_may_come_from_anywhere() -> None:
    around = Greylisted("", {"remote.example": "v=spf1 ip4:192.0.2.5 ip4:203.0.113.5 -all"})
    assert not around.passes()
    around.wait(300)
    assert around.passes(source=b"203.0.113.5:1")
    assert not around.passes(source=b"198.51.100.5:1")


def test_the_domain_of_the_sender_counts_whatever_its_case() -> None:
    around = Greylisted("", SPF)
    around.send(sender=b"Bob@Remote.EXAMPLE")
    assert around.store.steps()[-1] == f"greylist spf:remote.example {TRIPLET}"


def test_the_time_for_spf_is_that_of_the_option() -> None:
    around = Greylisted("--dns-deadline 4.5", dns=Zone({}, cached=False))
    begin = time.monotonic()
    around.send()
    [until] = around.dns.until
    assert begin + 4.5 <= until <= time.monotonic() + 4.5


# --- whom nobody has wait -------------------------------------------------------------------------


@pytest.fixture
def line(tmp_path: Path) -> str:
    """A command line with a file of each kind."""
    files = {
        "wl-ip": "198.51.100.0/24\n2001:db8:1::/48\n*.friend.example\n",
        "wl-domain": "known.example\n",
        "whitelist-clients": "192.168.77\n/^mx\\d+\\.pool\\.example$/\ndebian.org\n",
        "whitelist-recipients": "postmaster@\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return " ".join(f"--{name} {tmp_path / name}" for name in files)


@pytest.mark.parametrize(
    "client",
    [
        {"source": b"127.0.0.1:1"},
        {"source": b"127.1.2.3:1"},
        {"source": b"[::1]:1"},
        {"source": b"192.0.2.1:1"},  # the listener's own address
        {"source": b"unix:/var/run/smtpd.sock"},
        {"username": b"bob"},
        {"username": b"bob", "sender": b""},
        {"source": b"198.51.100.7:1"},
        {"source": b"[2001:db8:1::5]:1", "rdns": b"<unknown>", "fcrdns": "error"},
        {"rdns": b"MX.friend.example."},
        {"sender": b"bob@KNOWN.example"},
        {"source": b"192.168.77.5:1"},
        {"rdns": b"mx12.pool.example"},
        {"rdns": b"lists.debian.org"},
        {"recipients": [b"postmaster@example.com", b"PostMaster+x@example.net"]},
        {"recipients": [b"postmaster"]},
    ],
)
def test_who_is_spared(line: str, client: dict[str, Any]) -> None:
    around = Greylisted(line, SPF)
    outcome = around.send(**client)
    assert (outcome.accepted, outcome.log) == (True, ())
    assert outcome.message.startswith(outcome.received)
    assert [step for step in around.store.steps() if step.startswith("greylist")] == []


@pytest.mark.parametrize(
    "client",
    [
        {"rdns": b"mx.friend.example", "fcrdns": "fail"},
        {"rdns": b"mx12.pool.example", "fcrdns": "error"},
        {"rdns": b"lists.debian.org", "fcrdns": "fail"},
        {"rdns": b"debian.org.example"},
        {"rdns": b"known.example"},
        {"sender": b"bob@mx.known.example"},
        {"sender": b"known.example@remote.example"},
        {"recipients": [b"xpostmaster@example.com"]},
        {"source": b"192.168.78.5:1"},
        {"source": b"192.0.2.2:1"},
    ],
)
def test_who_is_not(line: str, client: dict[str, Any]) -> None:
    assert Greylisted(line, SPF).send(**client).reply == NEW


@pytest.mark.parametrize("client", [{"username": b"bob"}, {"source": b"198.51.100.7:1"}])
def test_about_those_who_are_spared_nobody_is_asked(line: str, client: dict[str, Any]) -> None:
    around = Greylisted(line, SPF)
    around.send(**client)
    assert around.dns.asked == []
    assert [step for step in around.store.steps() if " by " not in step] == []


def test_a_recipient_who_is_spared_spares_no_other(line: str) -> None:
    around = Greylisted(line)
    outcome = around.send(recipients=[b"postmaster@example.com", b"alice@example.com"])
    assert [text for phase, text in outcome.decisions if phase == "rcpt-to"] == [
        *(b"proceed", b"reject|" + NEW)
    ]
    assert outcome.accepted
    assert outcome.message.startswith(outcome.received)


# --- what is not known ----------------------------------------------------------------------------


def test_where_the_state_is_away_all_pass() -> None:
    around = Greylisted("", SPF)
    around.store.away = True
    outcome = around.send()
    assert outcome.accepted
    assert outcome.message.startswith(outcome.received)
    assert outcome.log == ("state-away store=memory reason=gone",)
    assert around.send(sender=b"").accepted
    assert around.dns.asked == []


@pytest.mark.parametrize("steps", [1, 2])
def test_a_state_that_goes_away_amid_a_message(steps: int) -> None:
    """It does not tell of the domain, or of the attempt."""
    around = Greylisted("", SPF)
    around.store.goes_after(steps)
    outcome = around.send()
    assert outcome.accepted
    assert outcome.message.startswith(outcome.received)
    assert len(around.store.steps()) == steps + 1
    assert outcome.log == ("state-away store=memory reason=gone",)


def test_a_state_that_goes_away_with_the_count_of_one_who_passes() -> None:
    around = Greylisted()
    around.send()
    around.wait(300)
    around.store.goes_after(2)
    outcome = around.send()
    assert outcome.message.startswith(b"X-Greylist: delayed 300 seconds ")
    assert outcome.log[1:] == ("state-away store=memory reason=gone",)
