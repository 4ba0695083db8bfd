"""Two mail servers, smtpd 7.6 and 7.9, that share limits on one real Valkey."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
    later,
    prepare,
    say,
    send,
    session,
)
from integration.support.milter_scenes import Seen
from lab.peers.clients import NO_PTR
from lab.peers.databases.valkey import ValkeyServer
from lab.root.namespace import SECOND4, SERVER4
from lab.root.server import Server
from lab.shows import moves
from lab.shows.demo import LOCAL
from lab.shows.guide import Guide
from lab.support import Lab, Setup, need_stage

RULES = {
    "users": "user messages 2/1h\n",
    "stop": "user recipients 3/1h stop\n",
    "clients": "address messages 2/1h\nnetwork messages 4/1h reject\n",
    "pace": "recipient-domain messages 5/1s pace\n",
}
URL = "redis://127.0.0.1:6379?prefix={}:"
LISTENERS: Listeners = {
    title: Limited(rules, state=URL.format(title)) for title, rules in RULES.items()
}
ALICE = Sent(LOCAL, user="alice")


def prepare_one(guide: Guide) -> None:
    prepare(guide, LISTENERS)


pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "limit-shared", prepare_one)], indirect=True, ids=str
)


def number(title: str) -> int:
    return port(chains(LISTENERS), title)


class Two(NamedTuple):
    """Both servers."""

    first: Lab
    second: Lab

    def codes(self, title: str, *messages: Sent) -> list[int]:
        """Send each message to a server, to the first and the second in turn."""
        return [send(self[n % 2], number(title), each).code for n, each in enumerate(messages)]


@pytest.fixture(scope="module")
def second(running: Lab) -> Iterator[Lab]:
    """The server with smtpd 7.9, at another address than the first."""
    guide = need_stage("7.9").guide("limit-shared-second")
    prepare_one(guide)
    conf = guide.view / moves.CONF[1:]
    lines = conf.read_text().replace(SERVER4, SECOND4).splitlines()
    kept = [line for line in lines if not re.search(r"^listen on (lo0|\$ipv6)", line)]
    conf.write_text("\n".join([*kept, ""]))
    with Server(guide.view, address=SECOND4) as server:
        yield Lab("7.9", guide, server, running.sink, running.dns)
    assert server.survivors == []


@pytest.fixture
def two(lab: Lab, second: Lab, valkey: ValkeyServer) -> Iterator[Two]:
    yield Two(lab, second)
    second.server.check()
    assert second.inbox.rest() == []


def test_a_user(two: Two) -> None:
    assert two.codes("users", *[ALICE] * 4) == [250, 250, 450, 450]
    assert [send(each, number("users"), ALICE).stage for each in two] == ["mail", "mail"]
    assert re.fullmatch(later(), send(two.second, number("users"), ALICE).text)
    other = Sent("username@example.com", user="username")
    assert two.codes("users", other, other) == [250, 250]
    for each in two:
        each.inbox.take(2)


def test_a_user_is_stopped(two: Two) -> None:
    """Wherever his session is."""
    stopped = (550, "5.7.1 This account has sent too much mail and is stopped")
    at = number("stop")
    with session(two.first, at, ALICE) as here, session(two.second, at, ALICE) as there:
        assert say(here, ALICE).code == say(there, ALICE).code == 250
        many = ALICE._replace(recipients=(LOCAL, OTHER_DOMAIN))
        assert say(there, many) == Seen("rcpt", *stopped)
        there.rset()
        assert say(here, ALICE) == say(there, ALICE) == Seen("mail", *stopped)
    assert "limit-stopped user=alice" in two.first.log
    for each in two:
        each.inbox.one()


def test_clients(two: Two) -> None:
    one, other, third = Sent(), Sent(address=OTHER_CLIENT), Sent(address=NO_PTR)
    assert two.codes("clients", one, one, other, one, third) == [250, 250, 250, 450, 550]
    two.first.inbox.take(2)
    two.second.inbox.one()


def test_pace(two: Two) -> None:
    """One line for the messages of both."""
    sessions, each = 4, 4

    def run(which: int) -> list[int]:
        with session(two[which % 2], number("pace"), Sent()) as client:
            return [say(client, Sent()).code for _ in range(each)]

    begin = time.monotonic()
    with ThreadPoolExecutor(sessions) as pool:
        assert list(pool.map(run, range(sessions))) == [[250] * each] * sessions
    assert time.monotonic() - begin >= (sessions * each - 1) / 5
    for one in two:
        one.inbox.take(sessions * each // 2)


def test_one_of_them_is_started_anew(two: Two) -> None:
    """It knows all that it knew."""
    username = Sent("username@example.com", user="username", address=NO_PTR)
    assert two.codes("stop", username, username, username) == [250, 250, 250]
    two.second.server.restart()
    assert two.codes("stop", username, username) == [550, 550]
    two.first.inbox.take(2)
    two.second.inbox.one()
