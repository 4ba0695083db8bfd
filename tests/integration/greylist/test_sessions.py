"""filter-greylist on a real smtpd: who has to come again, who need not, and what is said of it."""

import re
from collections.abc import Iterator

import pytest

from integration.support.dns_scenes import Chains, knock, listen, ours, port
from integration.support.greylist_scenes import (
    FIELD,
    FOLDER,
    NAME,
    QUICK,
    Tried,
    again,
    attempt,
    message,
    state,
)
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, CONFIRMED_PTR6, LYING_PTR, NO_PTR, NO_PTR6
from lab.root.namespace import STRANGER, visit
from lab.shows.demo import LOCAL
from lab.shows.guide import PASSWORD, Guide, records
from lab.support import Lab, Setup

OTHER_NETWORK, OTHER_NETWORK6 = STRANGER, "2001:db8:0:1::7"
CHAINS: Chains = {
    "usual": (ours(NAME, f"--state {FOLDER}/usual.db"),),
    "quick": (ours(NAME, f"--state {FOLDER}/quick.db {QUICK} --auto-white 0"),),
    "white": (ours(NAME, f"--state {FOLDER}/white.db {QUICK}"),),
    "memory": (ours(NAME, QUICK),),
}
USUAL, QUICKLY, WHITE, MEMORY = (port(CHAINS, title) for title in CHAINS)
SECOND, THIRD = "alice+second@example.com", "alice+third@example.com"
FRIEND = "carol@outside.example.org"
SPF = {
    ("outside.example.org", "TXT"): [f'"v=spf1 ip4:{LYING_PTR} -all"'],
    ("pool.example", "TXT"): [f'"v=spf1 ip4:{CONFIRMED_PTR} ip4:{OTHER_NETWORK} -all"'],
    ("others.example", "TXT"): [f'"v=spf1 ip4:{OTHER_NETWORK} -all"'],
}


def prepare(guide: Guide) -> None:
    """Have a listener for each chain; local mail goes by way of the first."""
    state(guide)
    listen(guide, CHAINS, local="usual")


pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "greylist", prepare)], indirect=True, ids=str
)


@pytest.fixture(autouse=True)
def world(running: Lab) -> Iterator[None]:
    """Clients of other networks are there, and the DNS has SPF records."""
    running.dns.records = {**records(running.guide), **SPF}
    seen = len(running.log)
    with visit(OTHER_NETWORK), visit(OTHER_NETWORK6):
        yield
    assert "handler-failed" not in running.log[seen:]


def logged(lab: Lab, event: str, sender: str) -> list[str]:
    """Return what is logged of a sender's mail, without what stands in front of the event."""
    found = re.findall(rf"({event} .* mailfrom={re.escape(sender)} .*)", lab.log)
    return [str(each) for each in found]


# --- a triplet ------------------------------------------------------------------------------------


def test_a_stranger_has_to_wait(lab: Lab) -> None:
    first = attempt(USUAL, "a@stranger.example")
    later = b"4.7.1 Greylisted, please try again in 300 seconds"
    assert first == Tried(((451, later),), None)
    assert attempt(USUAL, "a@stranger.example").waits[0] <= 300
    assert logged(lab, "greylist-defer", "a@stranger.example")[0] == (
        "greylist-defer client=192.0.2.0/24 wait=300 address=192.0.2.7"
        " mailfrom=a@stranger.example rcpt=alice@example.com"
    )


def test_he_comes_again(lab: Lab) -> None:
    assert again(QUICKLY, "b@stranger.example") >= 1
    delivered = lab.inbox.one().message
    found = FIELD.match(delivered)
    assert found
    assert int(found[1]) >= 1
    (line,) = logged(lab, "greylist-pass", "b@stranger.example")
    assert f" client=192.0.2.0/24 delay={found[1].decode()} address=192.0.2.7 " in line
    assert attempt(QUICKLY, "b@stranger.example").codes == [250, 250]
    assert not FIELD.search(lab.inbox.one().message)


@pytest.mark.parametrize(
    ("sender", "recipient", "source", "known"),
    [
        ("c@stranger.example", LOCAL, NO_PTR, True),
        ("C@Stranger.Example", "ALICE@example.com", LYING_PTR, True),
        ("c+tag@stranger.example", LOCAL, CONFIRMED_PTR, True),
        ("prvs=0123abcdef=c@stranger.example", LOCAL, CONFIRMED_PTR, True),
        ("cc@stranger.example", LOCAL, CONFIRMED_PTR, False),
        ("c@stranger.example", SECOND, CONFIRMED_PTR, False),
        ("c@stranger.example", LOCAL, OTHER_NETWORK, False),
        ("c@stranger.example", LOCAL, CONFIRMED_PTR6, False),
    ],
)
def test_who_is_the_same(lab: Lab, sender: str, recipient: str, source: str, known: bool) -> None:
    again(QUICKLY, "c@stranger.example")
    lab.inbox.one()
    tried = attempt(QUICKLY, sender, recipient, source=source)
    assert tried.codes == ([250, 250] if known else [451])
    if known:
        lab.inbox.one()


def test_ipv6(lab: Lab) -> None:
    again(QUICKLY, "d@stranger.example", source=CONFIRMED_PTR6)
    lab.inbox.one()
    assert attempt(QUICKLY, "d@stranger.example", source=NO_PTR6).codes == [250, 250]
    lab.inbox.one()
    assert attempt(QUICKLY, "d@stranger.example", source=OTHER_NETWORK6).codes == [451]
    (line,) = logged(lab, "greylist-pass", "d@stranger.example")
    assert " client=2001:db8::/64 " in line


def test_several_messages_of_a_session(lab: Lab) -> None:
    with knock(CONFIRMED_PTR, QUICKLY) as client:
        assert message(client, "e@stranger.example").codes == [451]
        assert message(client, "f@stranger.example").codes == [451]
        while message(client, "e@stranger.example").waits:
            pass
        assert message(client, "f@stranger.example").codes == [250, 250]
        assert message(client, "g@stranger.example").codes == [451]
        assert message(client, "e@stranger.example").codes == [250, 250]
    fields = [len(FIELD.findall(each.message)) for each in lab.inbox.take(3)]
    assert sorted(fields) == [0, 1, 1]


def test_a_second_sender_amid_a_transaction() -> None:
    """smtpd refuses it; the null sender before it waits for DATA all the same."""
    with knock(NO_PTR, USUAL) as client:
        assert client.mail("")[0] == 250
        assert client.rcpt(LOCAL)[0] == 250
        assert client.mail("mallory@second.example")[0] == 503
        code, text = client.docmd("DATA")
    assert code == 451
    assert text.startswith(b"4.7.1 Greylisted, ")


# --- several recipients, and null senders ---------------------------------------------------------


def test_several_recipients(lab: Lab) -> None:
    to = (LOCAL, SECOND, THIRD)
    assert attempt(QUICKLY, "h@stranger.example", *to).codes == [451, 451, 451]
    again(QUICKLY, "h@stranger.example", *to)
    assert [len(FIELD.findall(each.message)) for each in lab.inbox.take(3)] == [1, 1, 1]


def test_some_recipients_are_known(lab: Lab) -> None:
    again(QUICKLY, "i@stranger.example")
    lab.inbox.one()
    tried = attempt(QUICKLY, "i@stranger.example", SECOND, LOCAL, THIRD)
    assert tried.codes == [451, 250, 451, 250]
    lab.inbox.one()


def test_a_callout_is_not_told(lab: Lab) -> None:
    seen = len(lab.log)
    with knock(CONFIRMED_PTR, USUAL) as client:
        client.mail("")
        assert client.rcpt(LOCAL)[0] == 250
        assert client.rcpt("noone@example.com")[0] == 550
    assert "greylist-" not in lab.log[seen:]


def test_a_bounce(lab: Lab) -> None:
    tried = attempt(USUAL, "", LOCAL, SECOND)
    assert [code for code, _ in tried.recipients] == [250, 250]
    assert tried.end == (451, b"4.7.1 Greylisted, please try again in 300 seconds")
    again(QUICKLY, "", LOCAL, SECOND)
    # Of these, the agent has written one line, and not two, in front.
    assert [len(FIELD.findall(each.content)) for each in lab.inbox.take(2)] == [1, 1]


def test_a_bounce_to_an_address_that_smtpd_does_not_report(lab: Lab) -> None:
    """Beside one that has passed before."""
    long = f"alice+{'x' * 240}@example.com"
    again(QUICKLY, "", LOCAL)
    lab.inbox.one()
    tried = attempt(QUICKLY, "", LOCAL, long)
    assert [code for code, _ in tried.recipients] == [250, 250]
    assert tried.end is not None
    assert tried.end[0] == 451


# --- who need not wait ----------------------------------------------------------------------------


def test_a_network_that_has_passed(lab: Lab) -> None:
    again(WHITE, "j@stranger.example", source=OTHER_NETWORK)
    assert attempt(WHITE, "k@other.example", SECOND, source=OTHER_NETWORK).codes == [250, 250]
    assert attempt(WHITE, "", SECOND, source=OTHER_NETWORK).codes == [250, 250]
    fields = [len(FIELD.findall(each.message)) for each in lab.inbox.take(3)]
    assert sorted(fields) == [0, 0, 1]
    assert attempt(WHITE, "j@stranger.example", source=CONFIRMED_PTR6).codes == [451]


def test_a_domain_that_names_two_networks(lab: Lab) -> None:
    first = attempt(QUICKLY, "l@pool.example")
    assert first.codes == [451]
    again(QUICKLY, "l@pool.example", source=OTHER_NETWORK)
    assert FIELD.match(lab.inbox.one().message)
    (line,) = logged(lab, "greylist-pass", "l@pool.example")
    assert " client=spf:pool.example " in line
    assert attempt(QUICKLY, "l@others.example").codes == [451]
    assert " client=192.0.2.0/24 " in logged(lab, "greylist-defer", "l@others.example")[0]


def test_users(lab: Lab) -> None:
    with knock(CONFIRMED_PTR, USUAL) as client:
        client.starttls(context=mail.trusting(lab.guide))
        client.ehlo()
        client.login("alice", PASSWORD)
        assert message(client, LOCAL, ["username@example.com", LOCAL]).codes == [250] * 3
    assert not FIELD.search(lab.inbox.one().message)


def test_programs_on_the_machine(lab: Lab) -> None:
    mail.sendmail(lab.guide.view, "alice", LOCAL, mail.compose(LOCAL, LOCAL, "from sendmail"))
    lab.inbox.one()
    with mail.connect("127.0.0.1", 25, "127.0.0.1") as client:
        assert message(client, "m@stranger.example").codes == [250, 250]
    lab.inbox.one()


def test_those_whom_users_have_written_to(lab: Lab) -> None:
    assert attempt(USUAL, FRIEND, source=LYING_PTR).codes == [451]
    with knock(CONFIRMED_PTR, USUAL) as client:
        client.starttls(context=mail.trusting(lab.guide))
        client.ehlo()
        client.login("alice", PASSWORD)
        assert message(client, LOCAL, [FRIEND]).codes == [250, 250]
    lab.sink.take()
    assert attempt(USUAL, FRIEND, source=LYING_PTR).codes == [250, 250]
    assert not FIELD.search(lab.inbox.one().message)
    assert attempt(USUAL, FRIEND, source=NO_PTR).codes == [451]  # it is not one of theirs


# --- the end of smtpd -----------------------------------------------------------------------------


def test_a_file_outlives_smtpd_and_memory_does_not(running: Lab) -> None:
    for chain in (QUICKLY, WHITE, MEMORY):
        again(chain, "n@stranger.example")
    running.inbox.take(3)
    waits = attempt(USUAL, "n@stranger.example").waits
    running.server.restart()
    assert attempt(QUICKLY, "n@stranger.example").codes == [250, 250]
    assert attempt(WHITE, "o@stranger.example").codes == [250, 250]
    running.inbox.take(2)
    assert attempt(MEMORY, "n@stranger.example").codes == [451]
    assert attempt(USUAL, "n@stranger.example").waits[0] <= waits[0]
