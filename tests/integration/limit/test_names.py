"""Rules for one name, or a row of names, stand in the place of those for all."""

import re

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
    send,
)
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR6, NO_PTR
from lab.root.namespace import STRANGER as FAR_AWAY
from lab.root.namespace import visit
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import Guide
from lab.support import Lab, Setup

LISTENERS: Listeners = {
    "users": Limited(
        "# a comment\nuser messages 1/1h\n\nuser Username messages unlimited # of his own\n"
    ),
    "addresses": Limited(
        f"address messages 1/1h\naddress {OTHER_CLIENT} messages unlimited\n"
        f"address {NO_PTR}/31 messages 2/1h\naddress 2001:db8::/64 messages 2/1h reject\n"
    ),
    "networks": Limited(
        "network messages 1/1h\nnetwork 2001:db8::/32 messages 2/1h\n",
        "--network4 8 --network6 128",
    ),
    "senders": Limited(
        "sender messages 1/1h\nsender @example.org messages unlimited\n"
        "sender Bob@example.net messages 2/1h\nsender-domain *.example.org messages 1/1h\n"
    ),
    "domains": Limited(
        "recipient-domain *.example.com messages 1/1h\nrecipient-domain recipients 2/1h\n"
    ),
    "nobody": Limited(
        "sender messages 1/1h\nsender-domain messages 1/1h\naddress messages 1/1h reject\n"
    ),
}


def prepare_names(guide: Guide) -> None:
    prepare(guide, LISTENERS, local="nobody")


pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "limit-names", prepare_names)], indirect=True, ids=str
)
ENOUGH = 3
"""Messages that would all be accepted only without a limit."""


def accepted(lab: Lab, title: str, sent: Sent) -> int:
    """Return how many messages of ENOUGH are accepted."""
    number = port(chains(LISTENERS), title)
    seen = [send(lab, number, sent) for _ in range(ENOUGH)]
    count = [each.code for each in seen].count(250)
    assert [each.code for each in seen[:count]] == [250] * count
    for each in seen[count:]:
        assert re.fullmatch(f"{later(r'(messages|recipients)')}|5.7.1 Too many messages", each.text)
    lab.inbox.take(count)
    return count


def test_users(lab: Lab) -> None:
    assert accepted(lab, "users", Sent(LOCAL, user="alice")) == 1
    assert accepted(lab, "users", Sent("username@example.com", user="username")) == ENOUGH
    assert accepted(lab, "users", Sent()) == ENOUGH


def test_addresses(lab: Lab) -> None:
    assert accepted(lab, "addresses", Sent()) == 1
    assert accepted(lab, "addresses", Sent(address=OTHER_CLIENT)) == ENOUGH
    assert accepted(lab, "addresses", Sent(address=NO_PTR)) == 2
    before = len(lab.log)
    assert accepted(lab, "addresses", Sent(address=CONFIRMED_PTR6)) == 2
    line = f"address={CONFIRMED_PTR6} whose=address name={CONFIRMED_PTR6}"
    assert f' limit-exceeded {line} limit="messages 2/1h" action=reject\n' in lab.log[before:]


def test_networks(lab: Lab) -> None:
    assert accepted(lab, "networks", Sent()) == 1
    assert accepted(lab, "networks", Sent(address=OTHER_CLIENT)) == 0
    with visit(FAR_AWAY):
        assert accepted(lab, "networks", Sent(address=FAR_AWAY)) == 1
    assert accepted(lab, "networks", Sent(address=CONFIRMED_PTR6)) == 2
    names = re.findall(r" limit-exceeded .* whose=network name=(\S+) ", lab.log)
    assert set(names) == {"192.0.0.0/8", "198.0.0.0/8", f"{CONFIRMED_PTR6}/128"}


def test_senders(lab: Lab) -> None:
    assert accepted(lab, "senders", Sent()) == 2
    assert accepted(lab, "senders", Sent("carol@example.net")) == 1
    assert accepted(lab, "senders", Sent("carol@example.org")) == ENOUGH
    assert accepted(lab, "senders", Sent("carol@lists.example.org")) == 1
    assert accepted(lab, "senders", Sent("dave@LISTS.example.org")) == 0


def test_recipient_domains(lab: Lab) -> None:
    assert accepted(lab, "domains", Sent(recipients=(OTHER_DOMAIN,))) == 1
    assert accepted(lab, "domains", Sent()) == 2


def test_bounces_and_clients_on_this_machine(lab: Lab) -> None:
    """The one have no sender, the others no address."""
    bounce = Sent("", address=OTHER_CLIENT)
    assert send(lab, port(chains(LISTENERS), "nobody"), bounce).code == 250
    for number in range(ENOUGH):
        message = mail.compose(STRANGER, LOCAL, f"local {number}")
        with mail.connect("127.0.0.1", 25, "127.0.0.1") as client:
            assert mail.send(client, "", LOCAL, message)[0] == 250
    lab.inbox.take(1 + ENOUGH)
    before = len(lab.log)
    mail.sendmail(lab.guide.view, "alice", LOCAL, mail.compose(LOCAL, LOCAL, "local"))
    lab.inbox.one()
    with mail.connect("127.0.0.1", 25, "127.0.0.1") as client:
        assert mail.send(client, LOCAL, LOCAL, message)[0] == 450
    line = "whose=sender name=alice@example.com"
    assert (
        f' limit-exceeded address=127.0.0.1 {line} limit="messages 1/1h" action=defer\n'
        in (lab.log[before:])
    )
