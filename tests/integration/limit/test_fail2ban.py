"""fail2ban reads the log of a real smtpd by the recipe of docs/cookbook.md: it bans who it should.

Others try to have somebody else banned, by what they say.
"""

from collections import Counter
from datetime import UTC, datetime

import pytest

from integration.support.cookbook.recipe import PAGE
from integration.support.dns_scenes import port
from integration.support.limit_scenes import (
    NAME,
    OTHER_CLIENT,
    Limited,
    Listeners,
    Sent,
    chains,
    prepare,
    send,
)
from integration.support.told import until
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, CONFIRMED_PTR6, LYING_PTR, NO_PTR
from lab.root import inside
from lab.shows import markdown
from lab.shows.demo import LOCAL
from lab.shows.guide import Guide
from lab.support import Lab, Setup

JAIL = "/etc/fail2ban/jail.d/filter-limit.conf"
HEADING = "Ban clients that send too much"
LISTENERS: Listeners = {
    "reject": Limited("address messages 1/1h reject\n"),
    "defer": Limited("address messages 1/1h\n"),
    "pace": Limited("address messages 1/1h pace\n"),
    "senders": Limited("sender messages 1/1h\n"),
    "stop": Limited("user messages 1/1h stop\n"),
    "local": Limited("sender messages 1/1h reject\n"),
}
PREFIXES = {
    "rsyslog": ("2026-11-30T23:10:54.123456+00:00 mx1 smtpd[4711]: ", ""),
    "rsyslog, traditional": ("Nov 30 23:10:54 mx1 smtpd[4711]: ", ""),
    "journal": ("2026-11-30T23:10:54 mx1 smtpd[4711]: ", "[logtype=journal]"),
}
"""What stands in front of smtpd's lines, and what fail2ban knows of it by its backend."""
VICTIM = "203.0.113.66"
LIE = f"limit-exceeded address={VICTIM} whose=address name=x limit=x action=reject"


def prepare_ban(guide: Guide) -> None:
    """Have the files of the recipe."""
    prepare(guide, LISTENERS, local="local")
    for block in markdown.blocks(PAGE):
        if block.heading == HEADING and block.place.startswith("/etc/fail2ban/"):
            (guide.view / block.place[1:]).write_text(block.text)


pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "limit-ban", prepare_ban)], indirect=True, ids=str
)


def number(title: str) -> int:
    return port(chains(LISTENERS), title)


FOUND = Counter({CONFIRMED_PTR: 2, CONFIRMED_PTR6: 2, "192.0.2.101": 3, "127.0.0.1": 2})
"""Whom it should find, and how often."""


def too_much(lab: Lab) -> None:
    """Send more than is allowed to all listeners but one."""
    for title, address in (("defer", OTHER_CLIENT), ("pace", LYING_PTR)):
        assert send(lab, number(title), Sent(address=address)).code == 250
        assert [send(lab, number(title), Sent(address=address)).code for _ in range(3)] == [450] * 3
    for address in (CONFIRMED_PTR, CONFIRMED_PTR6):
        seen = [send(lab, number("reject"), Sent(address=address)).code for _ in range(3)]
        assert seen == [250, 550, 550]
    alice = Sent(LOCAL, address="192.0.2.101", user="alice")
    assert [send(lab, number("stop"), alice).code for _ in range(4)] == [250, 550, 550, 550]
    for _ in range(3):  # on this machine
        with mail.connect("127.0.0.1", 25, "127.0.0.1") as client:
            mail.send(client, LOCAL, LOCAL, mail.compose(LOCAL, LOCAL, "local"))


SAID = (
    f'"{LIE}"@example.net',
    f"x\\ {LIE.replace(' ', chr(92) + ' ')}@example.net",
    f"address={VICTIM}@example.net",
    "action=reject@example.net",
    f"limit-exceeded/address={VICTIM}/action=reject@{VICTIM}",
)
"""Senders, of which smtpd takes those without a blank."""


def lies(lab: Lab) -> int:
    """Have a client say what looks like a line of the log; return how often it is put off."""
    count = 0
    for sender in SAID:
        with mail.connect(NO_PTR, number("senders")) as client:
            for command in (f"HELO {LIE}", LIE, *[f"MAIL FROM:<{sender}>"] * 3):
                client.send(f"{command}\r\n".encode())
                code, _ = client.getreply()
                if command.startswith("MAIL") and code == 250:
                    assert client.rcpt(LOCAL)[0] == 250
                    code, _ = client.data(f"Subject: {LIE}\r\n\r\n{LIE}\r\n".encode())
                count += code == 450
    return count


@pytest.fixture(scope="module")
def lines(running: Lab) -> list[str]:
    """The log of too much mail, and of lies."""
    begin = len(running.log)
    too_much(running)
    assert lies(running) == 2 * 3
    running.inbox.take(6 + 3)
    return running.log[begin:].splitlines()


@pytest.mark.parametrize(("prefix", "how"), PREFIXES.values(), ids=PREFIXES)
def test_whom_it_finds(lab: Lab, lines: list[str], prefix: str, how: str) -> None:
    assert sum(VICTIM in line for line in lines) > 20
    log = lab.guide.view / "var/log/mail.log"
    log.write_text("".join(f"{prefix}{line}\n" for line in lines))
    found = inside.done(
        lab.guide.view, "fail2ban-regex", "-o", "ip", "/var/log/mail.log", f"{NAME}{how}"
    )
    assert Counter(found.split()) == FOUND


LAB = """\
[DEFAULT]
banaction = dummy
ignoreself = false
[sshd]
enabled = false
"""
"""All addresses of the lab are the server's own, and there is no firewall and no sshd."""


def test_whom_it_bans(lab: Lab, lines: list[str]) -> None:
    """fail2ban itself, with a log that grows in the place of a journal, as the page has it."""
    view = lab.guide.view
    (view / "etc/fail2ban/jail.local").write_text(LAB)
    jail = view / JAIL[1:]
    journal = "backend = systemd"
    assert journal in jail.read_text()
    jail.write_text(jail.read_text().replace(journal, "logpath = /var/log/mail.log"))
    log = view / "var/log/mail.log"
    log.write_text("")
    inside.done(view, "fail2ban-client", "start")
    try:
        with log.open("a") as file:
            for _ in range(3):  # two refusals are too few
                now = datetime.now(UTC).isoformat()
                file.write("".join(f"{now} mx1 smtpd[4711]: {line}\n" for line in lines))
        banned: list[str] = []

        def all_are() -> bool:
            banned[:] = inside.done(view, "fail2ban-client", "get", "filter-limit", "banip").split()
            return len(banned) >= len(FOUND)

        until(all_are)
        assert set(banned) == set(FOUND)
    finally:
        inside.done(view, "fail2ban-client", "stop")
