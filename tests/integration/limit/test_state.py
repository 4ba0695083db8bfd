"""Other rules at SIGHUP, what is remembered through a restart, and accounts that are stopped."""

import re
import time

import pytest

from integration.support.dns_scenes import port
from integration.support.limit_scenes import (
    OTHER_CLIENT,
    OTHER_DOMAIN,
    Limited,
    Listeners,
    Sent,
    chains,
    later,
    prepare,
    say,
    send,
    session,
    write_rules,
)
from integration.support.milter_scenes import Seen
from integration.support.told import until
from lab.peers import mail
from lab.shows.demo import LOCAL
from lab.shows.guide import Guide
from lab.support import Lab, Setup

LISTENERS: Listeners = {
    "rules": Limited("sender messages 1/1h\n"),
    "file": Limited("sender messages 2/1h\nuser messages 1/1h stop\n"),
    "memory": Limited("sender messages 2/1h\nuser messages 1/1h stop\n", state=""),
    "stop": Limited("user recipients 3/1h stop 10m\nuser username recipients 3/1h\n"),
    "short": Limited("user messages 2/1h stop 1s\n"),
}


def prepare_states(guide: Guide) -> None:
    prepare(guide, LISTENERS)


pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "limit-state", prepare_states)], indirect=True, ids=str
)
ALICE = Sent(LOCAL, user="alice")
STOPPED = (550, "5.7.1 This account has sent too much mail and is stopped")


def number(title: str) -> int:
    return port(chains(LISTENERS), title)


# --- SIGHUP -------------------------------------------------------------------------------------


def test_other_rules(lab: Lab) -> None:
    """A rule that stays goes on as it was, another one begins anew; sessions stay open."""
    dave = Sent("dave@example.org")
    with session(lab, number("rules"), Sent()) as client:
        assert say(client, Sent()).code == 250
        assert say(client, Sent())[:2] == ("dot", 450)
        assert say(client, Sent())[:2] == ("mail", 450)
        write_rules(lab, "rules", "sender messages 1/1h\naddress messages 20/1h\n")
        assert say(client, Sent())[:2] == ("dot", 450)  # what was known is asked for again
        assert say(client, dave).code == 250
        write_rules(lab, "rules", "sender messages 2/1h\n")
        assert [say(client, Sent()).code for _ in range(3)] == [250, 250, 450]
        write_rules(lab, "rules", "address messages 2/1h reject\n")
        assert [say(client, dave).code for _ in range(3)] == [250, 250, 550]
    lab.inbox.take(6)


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ("sender messages 1/1x\n", "1: '1x' is not a time up to 400d, such as 30s, 10m, 1h or 7d"),
        ("\nsendr messages 1/h\n", "2: 'sendr' does not say for whom: did you mean sender?"),
        ("", "there is no limit; write one, or no filter-limit"),
    ],
)
def test_rules_that_cannot_be_read(lab: Lab, rules: str, reason: str) -> None:
    good = f"sender messages 1/{2 + len(rules)}h\n"
    write_rules(lab, "rules", good)
    eve = Sent("eve@example.org")
    assert send(lab, number("rules"), eve).code == 250
    before = len(lab.log)
    write_rules(lab, "rules", rules, "reload-failed")
    assert reason in lab.log[before:]
    assert send(lab, number("rules"), eve).code == 450
    write_rules(lab, "rules", good)
    lab.inbox.one()


# --- restarts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("title", ["file", "memory"])
def test_a_restart_of_smtpd(running: Lab, title: str) -> None:
    """A file has all of it afterwards; what was in memory is gone."""
    frank, alice = Sent("frank@example.org"), ALICE
    assert [send(running, number(title), frank).code for _ in range(3)] == [250, 250, 450]
    assert [send(running, number(title), alice).code for _ in range(2)] == [250, 550]
    running.inbox.take(3)
    running.server.restart()
    kept = title == "file"
    seen = send(running, number(title), frank)
    assert seen[:2] == (("dot", 450) if kept else ("dot", 250))
    assert re.fullmatch(later(), seen.text) or not kept
    seen = send(running, number(title), alice)
    assert seen == Seen("mail", *STOPPED) if kept else seen.code == 250
    running.inbox.take(0 if kept else 2)
    running.server.check()
    assert running.inbox.rest() == []


# --- stop ---------------------------------------------------------------------------------------


def test_a_user_is_stopped_everywhere(lab: Lab) -> None:
    """In all sessions, at the next command; nobody else is."""
    at = number("stop")
    with (
        session(lab, at, ALICE) as first,
        session(lab, at, ALICE._replace(address=OTHER_CLIENT)) as second,
        session(lab, at, ALICE) as third,
        session(lab, at, Sent("username@example.com", user="username")) as other,
    ):
        assert say(first, ALICE).code == 250
        assert third.mail(LOCAL)[0] == third.rcpt(LOCAL)[0] == 250
        before = len(lab.log)
        many = ALICE._replace(recipients=(LOCAL, OTHER_DOMAIN, "alice+x@example.com"))
        assert say(second, many) == Seen("rcpt", *STOPPED)
        said = STOPPED[0], STOPPED[1].encode()
        assert third.rcpt(OTHER_DOMAIN) == said
        assert third.data(mail.compose(LOCAL, LOCAL, "begun before")) == said
        assert say(first, ALICE) == say(third, ALICE) == Seen("mail", *STOPPED)
        assert say(other, Sent("username@example.com", user="username")).code == 250
    assert send(lab, at, Sent()).code == 250
    lab.inbox.take(3)
    name = "whose=user name=alice"
    line = f'address={OTHER_CLIENT} user=alice {name} limit="recipients 3/1h" action=stop'
    assert re.findall(r" limit-exceeded (.*)\n", lab.log[before:]) == [line]
    found = re.findall(r" limit-stopped user=alice left=(\d+) address=(.*)\n", lab.log[before:])
    assert {address for _, address in found} == {"192.0.2.7"}
    assert len(found) == 4
    assert all(0 < int(left) <= 600 for left, _ in found)


def test_a_stop_ends(lab: Lab) -> None:
    """The rate begins anew then, with all that may come at once."""
    seen = [send(lab, number("short"), ALICE).code for _ in range(2)]
    begin = time.monotonic()
    seen.append(send(lab, number("short"), ALICE).code)
    assert seen == [250, 250, 550]
    until(lambda: send(lab, number("short"), ALICE).code == 250)
    assert time.monotonic() - begin >= 1
    assert send(lab, number("short"), ALICE).code == 250
    lab.inbox.take(4)
