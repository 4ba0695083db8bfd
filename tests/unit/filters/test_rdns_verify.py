"""filter-rdns with --verify: what the DNS says, and what comes of it."""

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from opensmtpd.dns import Failed, Found, Question, RecordType, Reply
from opensmtpd.testing.zone import Zone
from unit.support.rdns_client import JUNK, PROCEED, PTR, REFUSED, a, connect, link, make, verified
from unit.support.talk import Talk, request, result


@pytest.mark.parametrize(
    ("records", "no_name", "false_name"),
    [
        ({}, JUNK, JUNK),
        ({PTR: Found(("m.example",))}, PROCEED, JUNK),
        ({PTR: Found(("m.example",)), a("m.example"): Found(("192.0.2.5",))}, PROCEED, PROCEED),
        ({PTR: Found(("m.example",)), a("m.example"): Found(("192.0.2.6",))}, PROCEED, JUNK),
        (
            {PTR: Found(("x.example", "m.example")), a("m.example"): Found(("192.0.2.5",))},
            PROCEED,
            PROCEED,
        ),
        (
            {PTR: Found(("x.example", "m.example")), a("x.example"): Failed("timeout"),
             a("m.example"): Found(("203.0.113.9", "192.0.2.5"))},
            PROCEED,
            PROCEED,
        ),
        # Names like addresses are none, but may lead back, as smtpd's own filters have it.
        ({PTR: Found(("192.0.2.9",))}, JUNK, JUNK),
        ({PTR: Found(("192.0.2.9",)), a("192.0.2.9"): Found(("192.0.2.5",))}, JUNK, PROCEED),
        ({PTR: Found(("192.0.2.9", "m.example"))}, PROCEED, JUNK),
        ({PTR: Failed("timeout")}, PROCEED, PROCEED),
        ({PTR: Found(("m.example",)), a("m.example"): Failed("timeout")}, PROCEED, PROCEED),
        (
            {PTR: Found(("x.example", "m.example")), a("m.example"): Found(("192.0.2.6",)),
             a("x.example"): Failed("timeout")},
            PROCEED,
            PROCEED,
        ),
    ],
)  # fmt: skip
def test_our_own_verdict(
    records: Mapping[Question, Reply], no_name: bytes, false_name: bytes
) -> None:
    """Smtpd's is always the contrary, so that it cannot be what counts."""
    for told in ((b"other.example", b"pass"), (b"<unknown>", b"fail"), (b"<unknown>", b"error")):
        assert connect(verified(records), *told) == no_name
        assert connect(verified(records, prog="filter-fcrdns"), *told) == false_name


def test_ipv6_and_mapped_addresses() -> None:
    name = ".".join(reversed("20010db8000000000000000000000005")) + ".ip6.arpa"
    records: dict[Question, Reply] = {
        Question(name, RecordType.PTR): Found(("m.example",)),
        Question("m.example", RecordType.AAAA): Found(("2001:db8::5",)),
        a("m.example"): Found(("192.0.2.5",)),
        PTR: Found(("m.example",)),
    }
    for source in (b"[2001:db8::5]:4711", b"[::ffff:192.0.2.5]:4711"):
        talk = verified(records, "--fcrdns", "junk")
        assert connect(talk, b"<unknown>", b"fail", source) == PROCEED
    assert connect(verified({}), b"x.example", b"pass", b"[2001:db8::5]:4711") == JUNK


def test_a_mapped_address_without_verify_is_not_to_blame() -> None:
    mapped = (b"<unknown>", b"fail", b"[::ffff:192.0.2.5]:4711")
    for prog in ("filter-rdns", "filter-fcrdns"):
        assert connect(Talk(make(prog=prog)), *mapped) == PROCEED
        assert connect(Talk(make("--dns-failure", "junk", prog=prog)), *mapped) == JUNK
        assert connect(verified({}, prog=prog), *mapped) == JUNK


def test_a_client_with_a_thousand_names_costs_few_questions() -> None:
    names = tuple(f"n{number}.example" for number in range(1000))
    zone = Zone({PTR: Found(names)})
    clients = make("--verify", "--fcrdns", "junk")
    clients.dns = zone
    assert connect(Talk(clients)) == JUNK
    assert len(zone.asked) == 21


@pytest.mark.parametrize("response", ["junk", "reject", "tempfail"])
def test_failures_where_an_option_says_so(response: str) -> None:
    talk = verified({PTR: Failed("timeout")}, "--dns-failure", response)
    other = {"junk": JUNK, "reject": REFUSED,
             "tempfail": result(b"reject|451 4.7.25 Reverse DNS validation failed")}  # fmt: skip
    assert connect(talk) == other[response]


def test_a_failure_and_a_finding() -> None:
    """The forward lookup fails, and the name looks dynamic all the same."""
    records: dict[Question, Reply] = {
        PTR: Found(("192-0-2-5.example.net",)),
        a("192-0-2-5.example.net"): Failed("x"),
    }
    assert connect(verified(records, "--fcrdns", "reject", "--dynamic", "junk")) == JUNK


def test_the_deadline_is_what_the_option_says() -> None:
    clients = make("--verify", "--dns-deadline", "7")
    clients.dns = zone = Zone({}, cached=False)
    start = time.monotonic()
    assert connect(Talk(clients)) == JUNK
    assert len(zone.until) == 1
    assert start + 7 <= zone.until[0] < time.monotonic() + 8


def test_a_verified_name_that_is_exempt_spares_from_all_checks(tmp_path: Path) -> None:
    file = tmp_path / "spared"
    file.write_text("good.example\n")
    records = {PTR: Found(("x.example", "good.example")), a("good.example"): Found(("192.0.2.5",))}
    checks = ("--helo-name", "reject", "--exempt", str(file))
    ehlo = request(b"ehlo", b"localhost")
    for talk in (verified(records, *checks), verified(records, "--rdns", "off", *checks)):
        talk.say(link(b"x.example", b"fail"), request(b"connect", b"x.example|192.0.2.5"))
        assert talk.say(ehlo) == PROCEED
    talk = verified(records, "--spare-authenticated", *checks)
    talk.say(link(b"x.example", b"fail"))
    assert talk.say(ehlo, request(b"mail-from", b"bob@example.net")) == PROCEED * 2
    assert verified({}, *checks).say(link(), ehlo) == result(
        b"reject|550 5.5.2 A full host name is expected"
    )


def test_sighup_and_the_end_reach_the_resolver() -> None:
    clients = make("--verify")
    clients.dns = zone = Zone({})
    assert (zone.reread, zone.saved) == (0, 0)
    clients.reload().function()()
    assert (zone.reread, zone.saved) == (1, 0)
    clients.stop()
    assert (zone.reread, zone.saved) == (1, 1)
