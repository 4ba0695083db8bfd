"""A milter that talks garbage, hangs, closes or is slow, at every stage: smtpd goes on."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from integration.support.milter_faults import AWAY, MARK, number, prepare
from integration.support.milter_real import seen_by
from integration.support.milter_scenes import MESSAGE, Seen, begin, content, transaction, visit
from integration.support.told import until
from lab.peers.milters import scripted as says
from lab.peers.milters.opendkim import OpenDkimServer
from lab.peers.milters.scripted import CLOSE, CONTINUE, HANG, STAGES, Act, ScriptedMilter
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "milter-faults", prepare)], indirect=True, ids=str
)
EVERYWHERE = {"offer": says.OFFER, **STAGES}
TOLD_AT = {"offer": "mail", "connect": "mail", "helo": "mail", "mail": "mail", "rcpt": "rcpt",
           "data": "data"}  # fmt: skip
"""The command that the client is refused where a milter misbehaves at a stage; else the dot."""


@pytest.fixture
def site(running: Lab, milter: ScriptedMilter) -> Iterator[Lab]:
    """smtpd; at the end of each test it lives, with the filters that it had, and mail passes."""
    before = running.server.plugins()
    yield running
    milter.forget()
    assert passes(running, number("nonsense"))
    assert passes(running, number("nonsense, open"))
    until(lambda: milter.opened == 0)  # no connection is left behind
    running.server.check()
    assert running.server.plugins() == before
    assert running.inbox.rest() == []


def passes(site: Lab, port: int) -> bool:
    """Send a message; return whether it comes as it was sent."""
    assert visit(port).code == 250
    return content(site.inbox.one()) == ("inbox", b"Received:\r\n" + MESSAGE)


def away(stage: str) -> Seen:
    """Return what a client sees."""
    return Seen(TOLD_AT.get(stage, "dot"), 451, AWAY.decode())


# --- garbage ------------------------------------------------------------------------------------

GARBAGE: dict[str, bytes | Act] = {
    "closes": CLOSE,
    "half a frame": Act(lambda: [CONTINUE[:3]], then="close"),
    "no letter": b"\0\0\0\0",
    "a huge frame": b"\xff\xff\xff\xff" + b"x" * 1000,
    "a letter that is none": says.frame(b"?"),
    "data where there are none": says.frame(b"c", b"x"),
    "a reply of 2xx": says.reply(b"250 2.0.0 fine"),
    "a reply of two codes": says.reply(b"550-5.0.0 a\r\n451 4.0.0 b"),
    "a reply with a line feed": says.reply(b"550 5.0.0 a\n250 b"),
    "an empty reply": says.frame(b"y"),
    "a field that does not end": says.frame(b"h", b"X-New\0value"),
    "a field whose name is none": says.add(b"X New", b"value") + CONTINUE,
    "a negative index": says.change(0xFFFFFFFF, b"X-New", b"") + CONTINUE,
    "an address of two lines": says.add_recipient(b"<a\r\nb@example.com>") + CONTINUE,
    "HTTP": b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
    "lines of SMTP": b"250 2.0.0 Ok\r\n" * 20,
    "zeros": bytes(1000),
    "a second negotiation": says.negotiation() * 2,
}


@pytest.mark.parametrize("title", GARBAGE)
def test_garbage_at_every_stage(site: Lab, milter: ScriptedMilter, title: str) -> None:
    """And with ``--fail open`` at one of them, another one for each kind of garbage."""
    turn = list(GARBAGE).index(title) % len(EVERYWHERE)
    for number_of_stage, (stage, letter) in enumerate(EVERYWHERE.items()):
        milter.forget({letter: GARBAGE[title]})
        assert visit(number("nonsense")) == away(stage)
        if number_of_stage == turn:
            assert passes(site, number("nonsense, open"))


def test_an_answer_to_the_offer_that_cannot_be(site: Lab, milter: ScriptedMilter) -> None:
    for answer in (
        says.negotiation(version=1),
        says.negotiation(version=7),
        says.negotiation(actions=0x200),
        says.negotiation(steps=0x200000),
        says.frame(b"O", b"\0\0\0\6"),
        says.frame(b"O", says.negotiation()[5:] + b"\0\0\0\1j"),
        CONTINUE,
        b"",
    ):
        milter.forget({says.OFFER: answer or CLOSE})
        assert visit(number("nonsense")) == away("offer")
        assert passes(site, number("nonsense, open"))


def test_more_replies_than_were_due(site: Lab, milter: ScriptedMilter) -> None:
    """At the latest with the next command."""
    for letter in EVERYWHERE.values():
        first = says.negotiation() if letter == says.OFFER else CONTINUE
        milter.forget({letter: first + CONTINUE})
        seen = visit(number("nonsense"))
        assert seen.code in (250, 451)
        if seen.code == 250:
            site.inbox.one()
        assert visit(number("nonsense, open")).code == 250
        site.inbox.one()


# --- one that hangs, or is slow -----------------------------------------------------------------


@pytest.mark.parametrize("stage", EVERYWHERE)
def test_hung(site: Lab, milter: ScriptedMilter, stage: str) -> None:
    large = MESSAGE + (b"x" * 98 + b"\r\n") * 3000
    milter.forget({EVERYWHERE[stage]: HANG})
    assert visit(number("hasty"), large)[1:] == (451, AWAY.decode())
    assert visit(number("hasty, open"), large).code == 250
    site.inbox.one()
    milter.release()


def test_hung_with_many_clients(site: Lab, milter: ScriptedMilter) -> None:
    """They connect one after another: smtpd has a queue for five, and Linux has more wait."""
    milter.forget({says.EOM: HANG})
    with ExitStack() as stack:
        stack.callback(milter.release)
        clients = [stack.enter_context(begin(number("hasty"))) for _ in range(40)]
        for client in clients:
            client.ehlo()
        with ThreadPoolExecutor(len(clients)) as threads:
            seen = list(threads.map(transaction, clients))
    assert seen == [Seen("dot", 451, AWAY.decode())] * 40


def test_byte_by_byte(site: Lab, milter: ScriptedMilter) -> None:
    plan: dict[bytes, Act | bytes] = {
        letter: says.slowly(says.PROGRESS + CONTINUE, 0.01) for letter in STAGES.values()
    }
    plan[says.OFFER] = says.slowly(says.negotiation(), 0.01)
    milter.forget(plan)
    assert passes(site, number("nonsense"))


def endless(piece: bytes, pause: float) -> Act:
    """Say the same for ever."""

    def pieces() -> Iterator[bytes]:
        while True:
            yield piece

    return Act(pieces, pause)


@pytest.mark.parametrize("stage", ["connect", "mail", "eom"])
def test_work_without_end(site: Lab, milter: ScriptedMilter, stage: str) -> None:
    """The deadline of the filter ends it, though each piece came in time."""
    milter.forget({STAGES[stage]: endless(says.PROGRESS, 0.05)})
    assert 400 <= visit(number("hasty")).code < 500
    milter.release()


@pytest.mark.parametrize(
    "piece",
    [
        lambda: says.add(b"X-New", b"x" * 60_000),
        lambda: says.body(b"x" * 60_000),
        lambda: says.frame(b"b") * 1000,
    ],
    ids=["fields", "bodies", "empty bodies"],
)
def test_modifications_without_end(
    site: Lab, milter: ScriptedMilter, piece: Callable[[], bytes]
) -> None:
    milter.forget({says.EOM: endless(piece(), 0)})
    assert visit(number("nonsense")) == away("eom")
    assert passes(site, number("nonsense, open"))


def test_a_line_that_smtpd_cannot_take(site: Lab, milter: ScriptedMilter) -> None:
    """It is broken."""
    milter.forget({says.EOM: says.body(b"x" * 60_000) * 2 + CONTINUE})
    assert visit(number("nonsense")).code == 250
    lines = site.inbox.one().message.rstrip(b"\n").split(b"\n")
    assert [len(line) for line in lines[-2:]] == [65_484, 54_516]


# --- beside one that is well --------------------------------------------------------------------


@pytest.mark.parametrize("stage", EVERYWHERE)
def test_mail_passes_without_one_and_not_without_the_other(
    site: Lab, milter: ScriptedMilter, opendkim: OpenDkimServer, stage: str
) -> None:
    seen_by(site, opendkim)
    milter.forget({EVERYWHERE[stage]: CLOSE})
    with begin(number("nonsense and real")) as client:
        client.ehlo()
        for _ in range(2):
            assert transaction(client).code == 250
            assert site.inbox.one().message.count(MARK) == 1
