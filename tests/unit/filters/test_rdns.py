"""filter-rdns and filter-fcrdns: which clients they act on, how, and what they say about it."""

import pytest

from opensmtpd._protocol.filter.registration import registrations
from opensmtpd.errors import ConfigError
from unit.support.rdns_client import JUNK, PROCEED, REFUSED, connect, link, make
from unit.support.talk import S, Talk, request, result

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
            "--verify --deadline 300 --dns-deadline 240",
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
            "/nonexistent: cannot read it: No such file or directory;"
            " make the file, or correct the path",
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
    assert capsys.readouterr().err == f"filter-rdns: {fault}\n"


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
        ("reject", b"reject|550 5.7.25 Reverse DNS validation failed"),
        ("disconnect", b"disconnect|550 5.7.25 Reverse DNS validation failed"),
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
    assert connect(Talk(make("--fcrdns", "reject"))) == REFUSED
    assert connect(Talk(make("--rdns", "reject", "--fcrdns", "header"))) == REFUSED


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
