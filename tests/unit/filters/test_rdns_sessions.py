"""filter-rdns over a session: HELO, who is spared, and what messages say."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from opensmtpd.dns import Failed, Found, Question, RecordType, Reply
from opensmtpd.testing.zone import Zone
from unit.support.child import Child
from unit.support.rdns_client import JUNK, PROCEED, PTR, a, connect, greet, link, make, verified
from unit.support.talk import Talk, data, datalines, report, request, result

# --- HELO -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [b"helo", b"ehlo"])
def test_helo(phase: bytes) -> None:
    talk = Talk(make("--helo-name", "junk", "--helo-ours", "reject", "--our-name", "MX.example"))
    assert greet(talk, b"mail.example.net", phase) == PROCEED
    assert greet(talk, b"DESKTOP-1", phase) == JUNK
    assert greet(talk, b"[192.168.0.2]", phase) == PROCEED
    ours = result(b"reject|550 5.7.1 That is not your name")
    assert greet(talk, b"example.com", phase) == ours
    assert greet(talk, b"mx.EXAMPLE.", phase) == ours
    for name in (b"[192.168.0.1]", b"[127.0.0.1]", b"[IPv6:::1]", b"localhost", b"[::]"):
        assert greet(talk, name, phase) == ours


@pytest.mark.parametrize(
    ("records", "answer"),
    [
        ({}, JUNK),
        ({RecordType.A: Found(("192.0.2.5",))}, PROCEED),
        ({RecordType.AAAA: Found(("2001:db8::5",))}, PROCEED),
        ({RecordType.MX: Found(("mx.example.net",))}, PROCEED),
        ({RecordType.A: Failed("timeout")}, PROCEED),
        ({RecordType.A: Failed("timeout"), RecordType.MX: Found(("mx.example.net",))}, PROCEED),
    ],
)
def test_helo_in_the_dns(records: Mapping[RecordType, Reply], answer: bytes) -> None:
    clients = make("--helo-dns", "junk")
    zone = Zone({Question("mail.example.net", kind): each for kind, each in records.items()})
    clients.dns = zone
    assert greet(Talk(clients), b"Mail.example.net") == answer
    assert greet(Talk(clients), b"[192.0.2.5]") == PROCEED
    assert greet(Talk(clients), b"no name") == JUNK


# --- who is spared --------------------------------------------------------------------------------


def test_exempt_files_are_read_again(tmp_path: Path) -> None:
    file = tmp_path / "spared"
    file.write_text("192.0.2.0/24\n")
    clients = make("--exempt", str(file))
    assert connect(Talk(clients)) == PROCEED
    file.write_text("198.51.100.0/24\n")
    clients.reload().function()()
    assert connect(Talk(clients)) == JUNK


def test_files_that_hang_at_a_reload_keep_no_client_waiting(tmp_path: Path) -> None:
    file = tmp_path / "spared"
    file.write_text("192.0.2.0/24\n")
    source = f"""
from opensmtpd.mail.policy import exemptions
from opensmtpd_filters.rdns import Clients, parser
def filter():
    made = Clients(parser().parse_args(["--exempt", {str(file)!r}]))
    exemptions.lines = lambda path: (log("hangs"), time.sleep(3600))
    return made
"""
    main = 'run.filter(lambda _: filter(), filter_parser("x", "x"), ["--deadline", "600"])'
    with Child(tmp_path, source, main=main) as child:
        child.hello()
        child.hang_up()
        assert child.log() == "hangs"
        child.send(link(), request(b"connect", b"<unknown>|192.0.2.5"))
        assert child.lines() == [PROCEED]


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


def test_only_so_many_reasons_are_kept() -> None:
    talk = Talk(make("--helo-name", "junk", "--header"))
    assert greet(talk, b"x0") == JUNK
    for number in range(100):
        assert talk.say(request(b"ehlo", b"x%d" % (number % 50))) == JUNK
    lines = talk.say(data(*MAIL)).splitlines()
    assert len(lines) == 21 + len(MAIL)  # the last one, too
    assert lines[0].endswith(b"|X-Spam-Reason: helo-name; x0 is no full host name")


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
