"""filter-rdns and filter-fcrdns: which clients they act on, how, and what they say about it."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import CoroutineType

import pytest

from opensmtpd.dns import Failed, Found, Kind, Question, Reply
from opensmtpd.errors import ConfigError
from opensmtpd.filter import registrations
from opensmtpd.testing.zone import Zone
from opensmtpd_filters.rdns import Clients, parser
from unit.talk import S, Talk, data, datalines, report, request, result

PROCEED, JUNK = result(b"proceed"), result(b"junk")
REFUSED = "5.7.25 Reverse DNS validation failed"
PTR = Question("5.2.0.192.in-addr.arpa", Kind.PTR)


def make(*flags: str, prog: str = "filter-rdns") -> Clients:
    return Clients(parser(prog).parse_args(flags))


def link(
    rdns: bytes = b"<unknown>",
    fcrdns: bytes = b"fail",
    source: bytes = b"192.0.2.5:4711",
    destination: bytes = b"192.168.0.1:25",
) -> bytes:
    return report(b"link-connect", rdns, fcrdns, source, destination)


def connect(talk: Talk, *client: bytes) -> bytes:
    """Have a client connect; return what its connect request is answered with."""
    return talk.say(link(*client), request(b"connect", b"name|192.0.2.5"))


def verified(records: Mapping[Question, Reply], *flags: str, prog: str = "filter-rdns") -> Talk:
    clients = make("--verify", *flags, prog=prog)
    clients.dns = Zone(records)
    return Talk(clients)


# --- what smtpd is asked for ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "reports", "phases"),
    [
        ("", "link-connect link-disconnect", "connect"),
        ("--verify", "link-connect link-disconnect", "connect"),
        ("--rdns off --helo-name junk", "link-connect link-disconnect", "helo ehlo"),
        (
            "--helo-ours junk",
            "link-connect link-disconnect link-greeting",
            "connect helo ehlo",
        ),
        ("--spare-authenticated", "link-connect link-disconnect link-auth", "mail-from"),
        (
            "--spare-authenticated --helo-name junk",
            "link-connect link-disconnect link-auth",
            "helo ehlo mail-from",
        ),
        ("--header", "link-connect link-disconnect tx-reset", "connect data-line commit"),
        ("--rdns header", "link-connect link-disconnect tx-reset", "connect data-line commit"),
        (
            "--dns-failure header",
            "link-connect link-disconnect tx-reset",
            "connect data-line commit",
        ),
    ],
)
def test_only_what_it_needs_is_registered(flags: str, reports: str, phases: str) -> None:
    assert registrations(make(*flags.split())) == (reports.split(), phases.split())


@pytest.mark.parametrize(
    ("flags", "fault"),
    [
        (
            "--verify --dns-deadline 60",
            "--dns-deadline is not below --deadline; the time for the DNS is part of the time for"
            " an answer: make it shorter",
        ),
        (
            "--verify --dns-cache /nonexistent/cache",
            "/nonexistent: no folder for the DNS cache; make it a folder that the filter's user may"
            " write to",
        ),
        (
            "--exempt /nonexistent",
            "/nonexistent: No such file or directory; make it a file that smtpd's user can read",
        ),
    ],
)
def test_what_cannot_be_used(flags: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(*flags.split())
    assert str(caught.value) == fault


@pytest.mark.parametrize(
    ("flags", "fault"),
    [
        (
            "--rdns drop",
            "argument --rdns: 'drop' is no action; write one of off, header, junk, tempfail,"
            " reject, disconnect",
        ),
        (
            "--nameserver ns.example.org",
            "argument --nameserver: 'ns.example.org' is no name server; write 192.0.2.1,"
            " 192.0.2.1:5353, 2001:db8::1 or [2001:db8::1]:5353",
        ),
        ("--dns-deadline 0", "argument --dns-deadline: '0' is not a number of seconds above 0"),
    ],
)
def test_a_wrong_command_line(flags: str, fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make(*flags.split())
    assert capsys.readouterr().err.splitlines()[-1] == f"filter-rdns: error: {fault}"


# --- the guide's two checks -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rdns", "fcrdns", "no_name", "false_name"),
    [
        (b"good.example.net", b"pass", PROCEED, PROCEED),
        (b"lying.example.net", b"fail", PROCEED, JUNK),
        (b"<unknown>", b"fail", JUNK, JUNK),
        (b"192.0.2.5", b"fail", JUNK, JUNK),
        # As with smtpd's own filters: a name like an address, and the root as a name.
        (b"192.0.2.5", b"pass", JUNK, PROCEED),
        (b"", b"fail", PROCEED, JUNK),
        # "error" is a temporary failure: smtpd's own filters would junk both of these.
        (b"<unknown>", b"error", PROCEED, PROCEED),
        (b"slow.example.net", b"error", PROCEED, PROCEED),
    ],
)
def test_smtpds_verdict(rdns: bytes, fcrdns: bytes, no_name: bytes, false_name: bytes) -> None:
    assert connect(Talk(make()), rdns, fcrdns) == no_name
    assert connect(Talk(make(prog="filter-fcrdns")), rdns, fcrdns) == false_name
    either = JUNK if JUNK in (no_name, false_name) else PROCEED
    assert connect(Talk(make("--fcrdns", "junk")), rdns, fcrdns) == either


@pytest.mark.parametrize(
    "ends",
    [
        (b"unix:/var/run/smtpd.sock", b"unix:/var/run/smtpd.sock"),
        (b"127.0.0.1:4711", b"127.0.0.1:25"),
        (b"[::1]:4711", b"[::1]:25"),
        (b"192.168.0.1:4711", b"192.168.0.1:25"),
    ],
)
def test_programs_on_this_machine_are_spared(ends: tuple[bytes, bytes]) -> None:
    assert connect(Talk(make("--rdns", "disconnect")), b"<unknown>", b"fail", *ends) == PROCEED


def test_a_session_that_nothing_was_said_of_is_spared() -> None:
    assert Talk(make()).say(request(b"connect", b"<unknown>|192.0.2.5")) == PROCEED


# --- what it does, and what it says ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("junk", b"junk"),
        ("reject", b"reject|550 " + REFUSED.encode()),
        ("disconnect", b"disconnect|550 " + REFUSED.encode()),
        ("tempfail", b"reject|451 4.7.25 Reverse DNS validation failed"),
        ("header", b"proceed"),
        ("off", b"proceed"),
        ("reject:554 {ip} {rdns} {check}: {reason}", b"reject|554 192.0.2.5 - rdns: "
         b"192.0.2.5 has no name in the DNS"),
    ],
)  # fmt: skip
def test_actions(response: str, answer: bytes) -> None:
    assert connect(Talk(make("--rdns", response, "--dynamic", "junk"))) == result(answer)


def test_the_log_says_why(capfd: pytest.CaptureFixture[str]) -> None:
    connect(Talk(make()))
    connect(Talk(make("--fcrdns", "reject")))
    connect(Talk(make("--fcrdns", "junk")), b"lying.example.net")
    connect(Talk(make("--fcrdns", "junk")), b"lying.example.net", b"error")
    connect(Talk(make()), b"good.example.net", b"pass")
    assert capfd.readouterr().err.splitlines() == [
        f'{S.decode()} junk check=rdns address=192.0.2.5 reason="192.0.2.5 has no name in the DNS"',
        f"{S.decode()} reject check=rdns,fcrdns address=192.0.2.5 reason="
        '"192.0.2.5 has no name in the DNS"',
        f"{S.decode()} junk check=fcrdns address=192.0.2.5 rdns=lying.example.net reason="
        '"lying.example.net does not lead to 192.0.2.5"',
        f"{S.decode()} undecided check=fcrdns address=192.0.2.5 rdns=lying.example.net reason="
        '"lying.example.net could not be looked up"',
    ]


def test_the_strongest_action_is_taken() -> None:
    assert connect(Talk(make("--fcrdns", "reject"))) == result(b"reject|550 " + REFUSED.encode())
    assert connect(Talk(make("--rdns", "reject", "--fcrdns", "header"))) == result(
        b"reject|550 " + REFUSED.encode()
    )


def test_a_dynamic_name() -> None:
    talk = Talk(make("--dynamic", "reject"))
    assert connect(talk, b"192-0-2-5.dsl.example.net", b"pass") == result(
        b"reject|550 5.7.1 Mail from dynamic addresses is not accepted here"
    )
    assert connect(Talk(make()), b"192-0-2-5.dsl.example.net", b"pass") == PROCEED


def test_what_a_client_says_does_not_get_out(capfd: pytest.CaptureFixture[str]) -> None:
    talk = Talk(make("--helo-name", "reject:You are {helo}? {reason}"))
    talk.say(link(b"good.example.net", b"pass"))
    answer = talk.say(request(b"ehlo", b"a|b \xff\x1b[31m\\n"))
    assert answer == result(
        b"reject|550 You are a|b \\xff?[31m\\n? a|b \\xff?[31m\\n is no full host name"
    )
    assert "\x1b" not in capfd.readouterr().err


# --- HELO -----------------------------------------------------------------------------------------


def greet(talk: Talk, identity: bytes, phase: bytes = b"ehlo") -> bytes:
    talk.say(link(b"good.example.net", b"pass"), report(b"link-greeting", b"Example.com"))
    return talk.say(request(phase, identity))


@pytest.mark.parametrize("phase", [b"helo", b"ehlo"])
def test_helo(phase: bytes) -> None:
    talk = Talk(make("--helo-name", "junk", "--helo-ours", "reject", "--our-name", "MX.example"))
    assert greet(talk, b"mail.example.net", phase) == PROCEED
    assert greet(talk, b"localhost", phase) == JUNK
    ours = result(b"reject|550 5.7.1 That is not your name")
    assert greet(talk, b"example.com", phase) == ours
    assert greet(talk, b"mx.EXAMPLE.", phase) == ours
    assert greet(talk, b"[192.168.0.1]", phase) == ours


@pytest.mark.parametrize(
    ("records", "answer"),
    [
        ({}, JUNK),
        ({Kind.A: Found(("192.0.2.5",))}, PROCEED),
        ({Kind.AAAA: Found(("2001:db8::5",))}, PROCEED),
        ({Kind.MX: Found(("mx.example.net",))}, PROCEED),
        ({Kind.A: Failed("timeout")}, PROCEED),
        ({Kind.A: Failed("timeout"), Kind.MX: Found(("mx.example.net",))}, PROCEED),
    ],
)
def test_helo_in_the_dns(records: Mapping[Kind, Reply], answer: bytes) -> None:
    clients = make("--helo-dns", "junk")
    zone = Zone({Question("mail.example.net", kind): each for kind, each in records.items()})
    clients.dns = zone
    assert greet(Talk(clients), b"Mail.example.net") == answer
    assert greet(Talk(clients), b"[192.0.2.5]") == PROCEED
    assert greet(Talk(clients), b"no name") == JUNK


# --- verify ---------------------------------------------------------------------------------------


def a(name: str) -> Question:
    return Question(name, Kind.A)


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
        Question(name, Kind.PTR): Found(("m.example",)),
        Question("m.example", Kind.AAAA): Found(("2001:db8::5",)),
        a("m.example"): Found(("192.0.2.5",)),
        PTR: Found(("m.example",)),
    }
    for source in (b"[2001:db8::5]:4711", b"[::ffff:192.0.2.5]:4711"):
        talk = verified(records, "--fcrdns", "junk")
        assert connect(talk, b"<unknown>", b"fail", source) == PROCEED
    assert connect(verified({}), b"x.example", b"pass", b"[2001:db8::5]:4711") == JUNK


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
    other = {"junk": JUNK, "reject": result(b"reject|550 " + REFUSED.encode()),
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
    async def job() -> float:
        clients = make("--verify", "--dns-deadline", "7")
        clients.dns = zone = Zone({}, cached=False)
        talk = Talk(clients)
        assert connect(talk) == b""
        loop = asyncio.get_running_loop()
        start, work = loop.time(), talk.work()
        assert isinstance(work.job, CoroutineType)
        talk.protocol.resolve(work, await work.job)
        assert talk.drain() == JUNK
        assert len(zone.until) == 1
        return zone.until[0] - start

    assert 7 <= asyncio.run(job()) < 9


def test_sighup_and_the_end_reach_the_resolver() -> None:
    clients = make("--verify")
    clients.dns = zone = Zone({})
    assert (zone.renewed, zone.saved) == (0, 0)
    clients.reload()
    assert (zone.renewed, zone.saved) == (1, 0)
    clients.stop()
    assert (zone.renewed, zone.saved) == (1, 1)


# --- who is spared --------------------------------------------------------------------------------


def test_exempt_files_are_read_again(tmp_path: Path) -> None:
    file = tmp_path / "spared"
    file.write_text("192.0.2.0/24\n")
    clients = make("--exempt", str(file))
    assert connect(Talk(clients)) == PROCEED
    file.write_text("198.51.100.0/24\n")
    clients.reload()
    assert connect(Talk(clients)) == JUNK


def sent(talk: Talk, *before: bytes) -> bytes:
    return talk.say(link(), *before, request(b"mail-from", b"bob@example.net"))


def test_a_verified_name_is_spared(tmp_path: Path) -> None:
    """Where smtpd knows another name, or none: it looks at the first one only."""
    file = tmp_path / "spared"
    file.write_text("good.example\n")
    name = "192-0-2-5.net.example"
    records = {PTR: Found(("x.example", name)), a(name): Found(("192.0.2.5",))}
    flags = ("--dynamic", "reject", "--exempt", str(file))
    refused = result(b"reject|550 5.7.1 Mail from dynamic addresses is not accepted here")
    assert connect(verified(records, *flags), b"x.example", b"fail") == refused
    file.write_text("*.net.example\n")
    assert connect(verified(records, *flags), b"x.example", b"fail") == PROCEED


AUTH = report(b"link-auth", b"pass", b"alice")


def test_who_authenticated_is_spared() -> None:
    talk = Talk(make("--spare-authenticated", "--helo-name", "junk"))
    assert sent(talk) == JUNK
    assert sent(talk, AUTH) == PROCEED
    assert sent(Talk(make("--spare-authenticated")), report(b"link-auth", b"fail", b"al")) == JUNK
    ehlo = request(b"ehlo", b"localhost")
    assert sent(Talk(make("--rdns", "off", "--spare-authenticated", "--helo-name", "junk")), ehlo) \
        == PROCEED + JUNK  # fmt: skip


def test_each_transaction_is_junked() -> None:
    talk = Talk(make("--spare-authenticated"))
    assert sent(talk) == JUNK
    assert talk.say(request(b"mail-from", b"")) == JUNK


# --- the reason in the message --------------------------------------------------------------------

MAIL = (b"Received: from x", b"Subject: hello", b"", b"body", b".")


def test_the_message_says_why() -> None:
    talk = Talk(make("--header", "--fcrdns", "header"))
    connect(talk)
    reasons = (
        b"X-Spam-Reason: rdns; 192.0.2.5 has no name in the DNS",
        b"X-Spam-Reason: fcrdns; 192.0.2.5 has no name in the DNS",
    )
    for _ in range(2):
        assert talk.say(data(*MAIL)) == datalines(*reasons, *MAIL)
        assert talk.say(request(b"commit"), report(b"tx-reset", b"00000000")) == PROCEED


def test_a_message_of_a_good_client_is_not_touched() -> None:
    talk = Talk(make("--header"))
    connect(talk, b"good.example.net", b"pass")
    assert talk.say(data(*MAIL)) == datalines(*MAIL)


def test_a_reason_ends_with_what_it_was_about() -> None:
    """A client that greets anew, after STARTTLS, is judged anew."""
    talk = Talk(make("--helo-name", "header"))
    assert greet(talk, b"localhost") == PROCEED
    assert talk.say(request(b"ehlo", b"mail.example.net")) == PROCEED
    assert talk.say(data(*MAIL)) == datalines(*MAIL)


def test_why_a_session_is_junk_stays() -> None:
    """For smtpd it stays junk, whatever it calls itself next."""
    talk = Talk(make("--helo-name", "junk", "--header"))
    assert greet(talk, b"localhost") == JUNK
    assert talk.say(request(b"ehlo", b"mail.example.net")) == PROCEED
    assert talk.say(data(*MAIL)) == datalines(
        b"X-Spam-Reason: helo-name; localhost is no full host name", *MAIL
    )


def test_a_reason_of_any_length_fits_into_a_line() -> None:
    talk = Talk(make("--helo-name", "header"))
    assert greet(talk, b"x" * 2000) == PROCEED
    line = talk.say(data(*MAIL)).splitlines()[0].split(b"|", 3)[3]
    assert line == b"X-Spam-Reason: helo-name; " + b"x" * 874


def test_who_is_spared_later_has_no_reasons() -> None:
    talk = Talk(make("--spare-authenticated", "--header"))
    sent(talk)
    assert talk.say(data(*MAIL)) == datalines(
        b"X-Spam-Reason: rdns; 192.0.2.5 has no name in the DNS", *MAIL
    )
    talk.say(report(b"tx-reset", b"00000000"), AUTH, request(b"mail-from", b"bob@example.net"))
    assert talk.say(data(*MAIL)) == datalines(*MAIL)


def test_sessions_that_end_leave_nothing() -> None:
    talk = Talk(make("--header"))
    connect(talk)
    talk.say(report(b"link-disconnect"))
    assert talk.left() == (0, 0, 0, 0)
