"""Each rule that there can be, on real SMTP sessions: whose, of what, and what follows.

The filter reads a rule for each test anew, with a rate that no other test has.
"""

import itertools
import re
from typing import NamedTuple

import pytest

from integration.support.dns_scenes import port
from integration.support.limit_scenes import (
    OTHER_CLIENT,
    OTHER_DOMAIN,
    Limited,
    Listeners,
    Sent,
    chains,
    forget,
    later,
    prepare,
    say,
    send,
    session,
    write_rules,
)
from integration.support.milter_scenes import Seen
from lab.peers.clients import CONFIRMED_PTR6
from lab.shows.demo import LOCAL
from lab.shows.guide import Guide
from lab.support import Lab, Setup
from opensmtpd.mail.limit.rules import Excess, Unit, Whose

LISTENERS: Listeners = {"one": Limited("address messages 1000/1s")}
PORT = port(chains(LISTENERS), "one")


def prepare_one(guide: Guide) -> None:
    prepare(guide, LISTENERS)


pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "limit-rules", prepare_one)], indirect=True, ids=str
)


class Case(NamedTuple):
    """Messages for one whose limit is tried."""

    name: str
    """In the log."""
    first: Sent
    alike: Sent
    """Another one that counts for the same."""
    other: Sent
    """One that does not."""


ALICE = Sent(LOCAL, user="alice")
CASES = {
    Whose.USER: Case(
        "alice",
        ALICE,
        ALICE._replace(address=OTHER_CLIENT, recipients=(OTHER_DOMAIN,)),
        Sent("username@example.com", user="username"),
    ),
    Whose.ADDRESS: Case("192.0.2.7", Sent(), Sent("carol@example.org"), Sent(address=OTHER_CLIENT)),
    Whose.NETWORK: Case(
        "192.0.2.0/24",
        Sent(),
        Sent("carol@example.org", address=OTHER_CLIENT),
        Sent(address=CONFIRMED_PTR6),
    ),
    Whose.SENDER: Case(
        "bob@example.net",
        Sent(),
        Sent("BOB@Example.NET", address=OTHER_CLIENT),
        Sent("carol@example.net"),
    ),
    Whose.SENDER_DOMAIN: Case(
        "example.net",
        Sent(),
        Sent("carol@EXAMPLE.net", address=OTHER_CLIENT),
        Sent("bob@example.org"),
    ),
    Whose.RECIPIENT_DOMAIN: Case(
        "example.com",
        Sent(),
        Sent("carol@example.org", ("alice+x@Example.COM",), OTHER_CLIENT),
        Sent(recipients=(OTHER_DOMAIN,)),
    ),
}
AMOUNTS = {Unit.MESSAGES: "2", Unit.RECIPIENTS: "2", Unit.BYTES: "25600"}
"""Two messages of SIZE, and not three."""
SIZE = 10_000
RULES = [
    each
    for each in itertools.product(Whose, Unit, Excess)
    if each[2] is not Excess.STOP or each[0] is Whose.USER
]
REPLIES = {
    Excess.REJECT: (550, r"5\.7\.1 Too many {unit}"),
    Excess.STOP: (550, r"5\.7\.1 This account has sent too much mail and is stopped"),
    Excess.DEFER: (450, later("{unit}")),
    Excess.PACE: (450, later("{unit}")),
}


def refused_at(whose: Whose, unit: Unit, excess: Excess) -> tuple[str, str]:
    """Return the stages of the first message that is too many, and of the next one."""
    known = "rcpt" if whose is Whose.RECIPIENT_DOMAIN else "mail"
    if excess is Excess.STOP:
        return "rcpt" if unit is Unit.RECIPIENTS else "dot", known
    if unit is Unit.MESSAGES:
        return "dot", known
    if unit is Unit.RECIPIENTS and excess is not Excess.PACE:
        return "rcpt", "rcpt"
    return "dot", "dot"


@pytest.mark.parametrize(("whose", "unit", "excess"), RULES)
def test_a_rule(lab: Lab, whose: Whose, unit: Unit, excess: Excess) -> None:
    number = RULES.index((whose, unit, excess))
    limit = f"{AMOUNTS[unit]}/{3600 + number}s burst {AMOUNTS[unit]}"
    write_rules(lab, "one", f"{whose} {unit} {limit} {excess}\n")
    case = CASES[whose]
    first, alike, other = (each._replace(size=SIZE) for each in case[1:])
    begin = len(lab.log)
    with session(lab, PORT, first) as client:
        assert say(client, first).code == 250
        assert send(lab, PORT, alike).code == 250
        seen = [say(client, first), send(lab, PORT, alike)]
        assert send(lab, PORT, other).code == 250
    code, text = REPLIES[excess]
    text = text.format(unit=unit)
    for at, each in zip(refused_at(whose, unit, excess), seen, strict=True):
        assert each[:2] == (at, code)
        assert re.fullmatch(text, each.text)
    lab.inbox.take(3)
    if excess is Excess.STOP:
        forget(lab, "one")
    lines = re.findall(r" limit-exceeded (.*)\n", lab.log[begin:])
    users = "user=alice " if whose is Whose.USER else ""
    ends = f'{users}whose={whose} name={case.name} limit="{unit} {limit}" action={excess}'
    wanted = [f"address={each.address} {ends}" for each in (first, alike)]
    assert lines == (wanted[:1] if excess is Excess.STOP else wanted)


def codes(lab: Lab, *senders: str) -> list[int]:
    """Send a message of each; return the codes of the replies."""
    return [send(lab, PORT, Sent(f"{each}@example.org")).code for each in senders]


def test_a_message_that_is_refused(lab: Lab) -> None:
    """It counts for other rules, and takes no place in a line; one that smtpd refuses is none."""
    nobody = Sent(recipients=("nosuch@example.com",))
    write_rules(lab, "one", "sender messages 1/7000s\naddress messages 3/7000s reject\n")
    assert send(lab, PORT, nobody).stage == "rcpt"
    assert codes(lab, "bob", "bob", "bob", "carol", "dave") == [250, 450, 450, 250, 550]
    write_rules(
        lab,
        "one",
        "sender messages 1/7001s\nrecipient-domain messages 1/7001s burst 3 pace\n",
    )
    assert send(lab, PORT, nobody).stage == "rcpt"
    assert codes(lab, "bob", "bob", "carol", "dave", "eve") == [250, 450, 250, 250, 450]
    lab.inbox.take(5)


def test_the_gravest_of_rules(lab: Lab) -> None:
    """It is the one whose refusal is told."""
    write_rules(
        lab,
        "one",
        "sender messages 1/7002s\nsender-domain messages 1/7002s reject\n"
        "address messages 1/7002s burst 1 pace\n",
    )
    assert codes(lab, "bob", "bob", "carol") == [250, 550, 550]
    lab.inbox.one()


def test_bytes_are_those_of_the_lines_with_cr_lf(lab: Lab) -> None:
    write_rules(lab, "one", "sender bytes 1M/7003s\n")
    assert send(lab, PORT, Sent()).code == 250
    message = lab.inbox.one().message
    size = len(message) + message.count(b"\n")
    never = Seen("dot", 552, "5.3.4 Larger than all that may be sent at once")
    write_rules(lab, "one", f"sender bytes {size - 1}/7004s\n")
    assert send(lab, PORT, Sent()) == never
    write_rules(lab, "one", f"sender bytes {size}/7005s\n")
    assert send(lab, PORT, Sent()).code == 250
    lab.inbox.one()
