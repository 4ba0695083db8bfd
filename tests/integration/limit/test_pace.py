"""Messages that wait for their turn: all come, once, and nobody else waits."""

import re
import smtplib
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial

import pytest

from integration.support.dns_scenes import port
from integration.support.limit_scenes import (
    OTHER_DOMAIN,
    Limited,
    Listeners,
    Sent,
    answered,
    chains,
    forget,
    hand_over,
    later,
    prepare,
    say,
    send,
    session,
)
from integration.support.told import until
from lab.peers import mail
from lab.shows.demo import LOCAL
from lab.shows.guide import Guide
from lab.support import Lab, on_both

LISTENERS: Listeners = {
    "burst": Limited("recipient-domain messages 10/1s pace\n"),
    "line": Limited("recipient-domain messages 1/1s pace\n"),
    "many": Limited("recipient-domain messages 50/1s pace\n"),
    "slow": Limited("recipient-domain example.com messages 1/3s pace\n"),
    "hopeless": Limited("recipient-domain messages 1/1h pace\n"),
    "tight": Limited("sender messages 1/1m pace\n", "--deadline 10"),
    "brisk": Limited("recipient-domain example.com messages 2/1s pace\n"),
    "others": Limited("sender recipients 3/1s pace\nsender-domain bytes 1K/1s burst 4K pace\n"),
}


def prepare_pace(guide: Guide) -> None:
    prepare(guide, LISTENERS)


ON_BOTH, ON_7_6 = on_both("limit-pace", prepare_pace)
SUBJECT = re.compile(rb"(?m)^Subject: (.*)$")


def number(title: str) -> int:
    return port(chains(LISTENERS), title)


def subjects(lab: Lab, count: int) -> Counter[str]:
    """Wait for so many messages; return how often each has come."""
    found = [SUBJECT.findall(each.message)[0].decode() for each in lab.inbox.take(count)]
    return Counter(found)


def paced(lab: Lab, seen: int) -> list[float]:
    """Return the seconds that messages have to wait by the log, from a place in it."""
    return [float(each) for each in re.findall(r" limit-pace wait=([0-9.]+)\n", lab.log[seen:])]


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    """Sessions that end with the test, without a word."""
    with ExitStack() as stack:
        yield stack


def waits(lab: Lab, seen: int, client: smtplib.SMTP) -> bool:
    """Return whether a client that came last waits, or has its answer already."""
    return bool(paced(lab, seen)) or answered(client)


def hold(clients: ExitStack, lab: Lab, title: str, count: int, sent: Sent) -> list[smtplib.SMTP]:
    """Have clients hand over a message each, one behind the other."""
    held = []
    for each in range(count):
        seen = len(lab.log)
        client = hand_over(lab, number(title), sent, f"{title} {each}")
        clients.callback(client.close)
        until(partial(waits, lab, seen, client))
        held.append(client)
    return held


@ON_BOTH
def test_a_burst_to_two_domains(lab: Lab) -> None:
    """A line for each: sessions with several messages each, all at once."""
    each, sessions = 5, 6
    domains = (LOCAL, OTHER_DOMAIN)

    def run(which: int) -> list[int]:
        sent = Sent(recipients=(domains[which % 2],))
        with session(lab, number("burst"), sent) as client:
            codes = []
            for count in range(each):
                message = mail.compose(sent.sender, sent.recipients[0], f"{which}-{count}")
                codes.append(mail.send(client, sent.sender, sent.recipients[0], message)[0])
            return codes

    forget(lab, "burst")
    seen, begin = len(lab.log), time.monotonic()
    with ThreadPoolExecutor(sessions) as pool:
        assert list(pool.map(run, range(sessions))) == [[250] * each] * sessions
    of_one = each * sessions // 2
    assert time.monotonic() - begin >= (of_one - 1) / 10
    wanted = {f"{which}-{count}" for which in range(sessions) for count in range(each)}
    assert subjects(lab, each * sessions) == Counter(wanted)
    assert paced(lab, seen)


@ON_BOTH
def test_they_stand_in_line(lab: Lab, clients: ExitStack) -> None:
    """Who comes first is first; who is in no line is before all."""
    forget(lab, "line")
    held = hold(clients, lab, "line", 3, Sent())
    other = Sent("carol@example.org", (OTHER_DOMAIN,))
    assert send(lab, number("line"), other).code == 250
    order: list[int] = []
    while len(order) < len(held):
        order += [
            each for each, one in enumerate(held) if each not in order and answered(one, 0.01)
        ]
    assert order == sorted(order)
    assert [each.getreply()[0] for each in held] == [250] * 3
    lab.inbox.take(4)


@ON_BOTH
@pytest.mark.parametrize(("title", "known"), [("hopeless", "rcpt"), ("tight", "mail")])
def test_more_than_can_be_sent_in_time(lab: Lab, title: str, known: str) -> None:
    """Within the deadline, of four minutes or of ten seconds; it is said at once."""
    forget(lab, title)
    assert send(lab, number(title), Sent()).code == 250
    for stage in ("dot", known):
        seen = send(lab, number(title), Sent())
        assert seen[:2] == (stage, 450)
        assert re.fullmatch(later(), seen.text)
    lab.inbox.one()


@ON_BOTH
def test_clients_who_do_not_wait(lab: Lab, clients: ExitStack) -> None:
    """smtpd does not look at a client that waits: the message comes, though nobody hears of it."""
    forget(lab, "brisk")
    held = hold(clients, lab, "brisk", 4, Sent())
    for each in held[1:]:
        each.close()
    assert send(lab, number("brisk"), Sent(recipients=(OTHER_DOMAIN,))).code == 250
    wanted = Counter(["limited", "brisk 0", "brisk 1", "brisk 2", "brisk 3"])
    assert subjects(lab, 5) == wanted


@ON_BOTH
def test_many_are_held(lab: Lab, clients: ExitStack) -> None:
    """More sessions than are usual; all of them end well."""
    forget(lab, "many")
    count, begin = 70, time.monotonic()
    held = [hand_over(lab, number("many"), Sent(), f"{each}") for each in range(count)]
    for each in held:
        clients.callback(each.close)
    assert {each.getreply()[0] for each in held} == {250}
    assert time.monotonic() - begin >= (count - 1) / 50
    assert subjects(lab, count) == Counter(map(str, range(count)))


@ON_BOTH
def test_smtpd_ends_while_many_are_held(running: Lab, clients: ExitStack) -> None:
    """They are not told that their messages were accepted; who was told so has his delivered."""
    forget(running, "slow")
    held = hold(clients, running, "slow", 60, Sent())
    running.server.restart()
    codes = []
    for each in held:
        with suppress(smtplib.SMTPServerDisconnected, OSError):
            codes.append(each.getreply()[0])
    assert set(codes) <= {250, 421}
    assert codes.count(250) < 60
    assert send(running, number("slow"), Sent(recipients=(OTHER_DOMAIN,))).code == 250
    came = subjects(running, codes.count(250) + 1)
    assert max(came.values()) == 1
    seen = len(running.log)
    again = hold(clients, running, "slow", 1, Sent())  # the line is as long as it was
    assert paced(running, seen)[0] > 3
    assert not answered(again[0])
    running.server.check()
    assert running.server.survivors == []
    assert running.inbox.rest() == []


@ON_7_6
def test_other_units(lab: Lab) -> None:
    forget(lab, "others")
    many = Sent(recipients=(LOCAL, "alice+x@example.com", "alice+y@example.com"))
    begin = time.monotonic()
    with session(lab, number("others"), many) as client:
        assert [say(client, many).code for _ in range(2)] == [250, 250]
    assert time.monotonic() - begin >= 1
    lab.inbox.take(6)
    large = Sent("carol@example.org", size=2500)
    begin = time.monotonic()
    assert [send(lab, number("others"), large).code for _ in range(2)] == [250, 250]
    assert time.monotonic() - begin >= 1
    lab.inbox.take(2)
