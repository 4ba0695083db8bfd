"""Each program of ``examples`` at work for a real smtpd, with the Python of a venv."""

import os
import re
import signal
import time

import pytest

from integration.support.dns_scenes import Chains, knock, listen, ours, port, visit
from integration.support.examples import programs, put, put_files
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, NO_PTR
from lab.peers.nameserver import failing
from lab.root.namespace import STRANGER as OUTSIDER
from lab.root.namespace import visit as present
from lab.root.root import VENV
from lab.shows import moves
from lab.shows.demo import LOCAL, OUTSIDE, STRANGER
from lab.shows.guide import PASSWORD, Guide
from lab.support import Lab, setups

CHAINS: Chains = {
    "filter-own-name": (ours("filter-own-name", "mail.example.com example.com"),),
    "filter-tls-field": (ours("filter-tls-field"),),
    "filter-sender-domains": (ours("filter-sender-domains", "/etc/mail/rejected"),),
    "filter-rcpt-limit": (ours("filter-rcpt-limit", "--recipients 2"),),
    "filter-log-mail": (ours("filter-log-mail"),),
    "filter-sender-dns": (ours("filter-sender-dns", "--dns-deadline 3"),),
    "filter-strip-fields": (ours("filter-strip-fields"),),
    "filter-old-domain": (ours("filter-old-domain", "old.example example.com"),),
    "filter-mark-outside": (ours("filter-mark-outside"),),
    "filter-banned-clients": (ours("filter-banned-clients", "/etc/mail/banned"),),
}
TABLES = {
    "table aliases file:/etc/mail/aliases": "table aliases csv:/etc/mail/aliases.csv",
    "table domains file:/etc/mail/domains": "table domains command:/usr/local/bin/our-domains",
}
"""The guide's lines for two tables, and those in their places."""
BANNED = NO_PTR
"""The client that filter-banned-clients turns away at first."""
ALIASES = "sales,alice,username\nhelp,alice\n"


def prepare(guide: Guide) -> None:
    """Put all examples in place, and have the guide's server use them."""
    for name in programs():
        put(guide.view, name, f"{VENV}/bin/python3")
    (guide.view / "etc/mail/rejected").write_text("spam.example.net\n")
    (guide.view / "etc/mail/banned").write_text(f"{BANNED}\n")
    put_files(guide.view, ALIASES)
    conf = guide.view / moves.CONF[1:]
    text = conf.read_text()
    for old, new in TABLES.items():
        assert old in text
        text = text.replace(old, new)
    conf.write_text(text)
    listen(guide, CHAINS)


SETUPS = setups("copied", prepare)
pytestmark = pytest.mark.parametrize("running", SETUPS, indirect=True, ids=str)


def logged(lab: Lab, pattern: str) -> re.Match[str]:
    """Wait for a line of the log, and return its match."""
    end = time.monotonic() + 30
    while (found := re.search(pattern, lab.log)) is None:
        assert time.monotonic() < end, lab.server.tail()
        time.sleep(0.02)
    return found


def come(lab: Lab, program: str, sender: str = STRANGER, helo: str = "client.example.net") -> str:
    """Send a mail to Alice by the listener of a program; return where it went."""
    return visit(lab, CONFIRMED_PTR, port(CHAINS, program), helo, sender).place


def to(lab: Lab, recipient: str) -> int:
    """Send a mail to a recipient from outside, where nobody may relay; return the reply's code."""
    with present(OUTSIDER), mail.connect(OUTSIDER) as client:
        code = mail.send(client, STRANGER, recipient, mail.compose(STRANGER, recipient, "hi"))[0]
    if code == 250:  # the guide junks clients without a name
        assert lab.inbox.one().folder == ".Junk"
    return code


def test_each_example_is_served(lab: Lab) -> None:
    tables = {f"table-{new.split()[2].partition(':')[0]}" for new in TABLES.values()}
    assert {*CHAINS, *tables} == set(programs())
    assert [len(lab.server.filters(name)) for name in programs()] == [1] * len(programs())


def test_own_name(lab: Lab) -> None:
    refusal = "550 5.7.1 That is my name, not yours"
    assert come(lab, "filter-own-name", helo="Mail.Example.com") == refusal
    assert come(lab, "filter-own-name") == "inbox"


def test_tls_field(lab: Lab) -> None:
    number = port(CHAINS, "filter-tls-field")
    delivered = visit(lab, CONFIRMED_PTR, number)
    assert delivered.fields(b"X-Client-TLS") == [b"X-Client-TLS: none"]
    with knock(CONFIRMED_PTR, number) as client:
        client.starttls(context=mail.trusting(lab.guide))
        client.ehlo()
        assert mail.send(client, STRANGER, LOCAL, mail.compose(STRANGER, LOCAL, "tls"))[0] == 250
    assert b"\nX-Client-TLS: TLSv1.3:" in b"\n" + lab.inbox.one().message


def test_sender_domains(lab: Lab) -> None:
    program, file = "filter-sender-domains", lab.guide.view / "etc/mail/rejected"
    refusal = "550 5.7.1 No mail from this domain, please"
    assert come(lab, program, "bob@Spam.example.net") == refusal
    assert come(lab, program) == "inbox"
    try:
        file.write_text("example.net\n")
        (pid,) = lab.server.filters(program)
        os.kill(pid, signal.SIGHUP)
        logged(lab, r" reloaded\b")
        assert come(lab, program) == refusal
        assert come(lab, program, "bob@spam.example.net") == "inbox"
    finally:
        file.write_text("spam.example.net\n")


def test_rcpt_limit(lab: Lab) -> None:
    number = port(CHAINS, "filter-rcpt-limit")
    with knock(CONFIRMED_PTR, number) as client:
        client.mail(STRANGER)
        codes = [client.rcpt(each)[0] for each in ("noone@example.com", LOCAL, LOCAL)]
    assert codes == [550, 250, 421]
    logged(lab, r"[0-9a-f]{16} too-many-recipients count=3\b")
    with knock(CONFIRMED_PTR, number) as client:
        client.starttls(context=mail.trusting(lab.guide))
        client.login("alice", PASSWORD)
        client.mail(LOCAL)
        assert [client.rcpt(LOCAL)[0] for _ in range(4)] == [250] * 4


def test_log_mail(lab: Lab) -> None:
    assert come(lab, "filter-log-mail", "size@example.net") == "inbox"
    line = logged(
        lab,
        r"[0-9a-f]{16} message msgid=[0-9a-f]{8} sender=size@example\.net recipients=1 size=(\d+)",
    )
    assert int(line[1]) > len(mail.compose("size@example.net", LOCAL, "")) // 2


def test_sender_dns(lab: Lab) -> None:
    program = "filter-sender-dns"
    lab.dns.records = {**lab.dns.records, ("failing.example.org", "A"): failing()}
    refusal = "550 5.1.8 The domain of the sender is not in the DNS"
    assert come(lab, program, "bob@nowhere.example.org") == refusal
    assert come(lab, program, OUTSIDE) == "inbox"
    assert come(lab, program, "bob@failing.example.org") == "inbox"


def test_strip_fields(lab: Lab) -> None:
    front = "User-Agent: Mail\r\n (some system)\r\nX-Kept: yes\r\nX-Mailer: other\r\n"
    fate = visit(lab, CONFIRMED_PTR, port(CHAINS, "filter-strip-fields"), front=front)
    assert fate.place == "inbox"
    assert fate.fields(b"X-") == [b"X-Kept: yes"]
    assert b"some system" not in fate.message
    body = mail.compose(STRANGER, LOCAL, "").partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n")
    assert fate.message.partition(b"\n\n")[2] == body


def test_old_domain(lab: Lab) -> None:
    message = mail.compose(STRANGER, "alice@old.example", "to the old domain")
    with knock(CONFIRMED_PTR, port(CHAINS, "filter-old-domain")) as client:
        assert client.mail(STRANGER)[0] == 250
        assert client.rcpt("noone@old.example")[0] == 550
        assert client.rcpt("alice@Old.example")[0] == 250
        assert client.data(message)[0] == 250
    assert lab.inbox.one().folder == "inbox"
    assert to(lab, "alice@old.example") == 550  # on a listener without the filter


def test_mark_outside(lab: Lab) -> None:
    number = port(CHAINS, "filter-mark-outside")
    marked = visit(lab, CONFIRMED_PTR, number)
    subject = f"from {CONFIRMED_PTR} to {number}"
    assert marked.fields(b"Subject") == [f"Subject: [outside] {subject}".encode()]
    with knock(CONFIRMED_PTR, number) as client:
        client.starttls(context=mail.trusting(lab.guide))
        client.login("alice", PASSWORD)
        assert mail.send(client, LOCAL, LOCAL, mail.compose(LOCAL, LOCAL, "mine"))[0] == 250
    assert b"\nSubject: mine\n" in lab.inbox.one().message


def test_banned_clients(lab: Lab) -> None:
    number, file = port(CHAINS, "filter-banned-clients"), lab.guide.view / "etc/mail/banned"
    refusal = "554 5.7.1 Banned"
    assert visit(lab, BANNED, number).place == refusal
    assert visit(lab, CONFIRMED_PTR, number).place == "inbox"
    try:
        file.write_text(f"{CONFIRMED_PTR}\n")
        end = time.monotonic() + 30
        while (place := visit(lab, CONFIRMED_PTR, number).place) != refusal:
            assert (place, time.monotonic() < end) == ("inbox", True), lab.server.tail()
            time.sleep(0.1)
        assert visit(lab, BANNED, number).place == "inbox"
    finally:
        file.write_text(f"{BANNED}\n")


def test_table_csv(lab: Lab) -> None:
    file = lab.guide.view / "etc/mail/aliases.csv"
    assert to(lab, "Help@example.com") == 250
    assert to(lab, "new@example.com") == 550
    file.write_text(f"{ALIASES}new,alice\n")
    moves.smtpctl(lab.guide, "update", "table", "aliases")
    assert to(lab, "new@example.com") == 250


def test_table_command(lab: Lab) -> None:
    assert to(lab, "alice@our.example.net") == 250
    assert to(lab, "alice@other.example.net") == 550


def test_nothing_failed(lab: Lab) -> None:
    assert "handler-failed" not in lab.log
