"""Where filter-senderscore and the original in Go (0.1.1) differ, with what both make of it."""

import re
import socket
from collections.abc import Sequence
from threading import Event
from typing import NamedTuple

import dns.message
import pytest

from integration.support.dns_scenes import Chains, listen, ours, port
from integration.support.senderscore_scenes import (
    BAD,
    BEST,
    BLOCKED,
    DOUBTFUL,
    HELLO,
    MESSAGE,
    NEW,
    PLAIN,
    PROGRAM,
    SCORES,
    SENT,
    last,
    scored,
    talk,
)
from lab.peers.nameserver import failing
from lab.root import inside
from lab.root.namespace import SERVER4
from lab.root.plugin import LIBEXEC, ORIGINAL
from lab.shows import moves
from lab.shows.guide import Guide
from lab.support import Lab, Setup

FLAGS = {
    "header": "-scoreHeader",
    "block": "-blockBelow 128",
    "junk": "-junkBelow 200",
}
CHAINS: Chains = {
    f"{side} {title}": (ours(program, line),)
    for title, line in FLAGS.items()
    for side, program in (("ours", PROGRAM), ("go", PROGRAM + ORIGINAL))
}
RESOLV_CONF = "nameserver 127.0.0.1\noptions timeout:1 attempts:10\n"


def prepare(guide: Guide) -> None:
    """Have a listener for each filter and its flags, and questions asked again after a second."""
    (guide.view / "etc/resolv.conf").write_text(RESOLV_CONF)
    listen(guide, CHAINS)


pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "senderscore-differences", prepare)], indirect=True, ids=str
)


class Difference(NamedTuple):
    """Answers of the DNS, and the scores that both write into a message; None for none."""

    records: Sequence[str]
    ours: int | None
    theirs: int | None


ANSWERS = {
    "the name server is not registered, or asks too often": Difference(
        ["127.255.255.255"], None, 127
    ),
    "a score above 100": Difference(["127.0.4.101"], None, 101),
    "a score above 127": Difference(["127.0.4.128"], None, 127),
    "an address that is no answer of the service": Difference(["203.0.113.80"], None, 80),
    "two answers that say the same": Difference(["127.0.4.42", "127.0.5.42"], 42, None),
}
"""By titles: all differences in what an answer means."""


def header(lab: Lab, side: str, source: str, message: bytes = MESSAGE) -> list[list[bytes]]:
    """Send two messages in a session; return the lines about the score in each."""
    said = talk(lab, source, port(CHAINS, f"{side} header"), (HELLO, *SENT, *SENT, "QUIT"), message)
    found = [each.message for each in said if each.message]
    assert len(found) == 2, said
    return [re.findall(rb"(?mi)^x-senderscore:.*\n(?:[ \t].*\n)*", each) for each in found]


@pytest.fixture(autouse=True)
def records(lab: Lab) -> None:
    """Know the scores of some clients, and keep what is accepted."""
    moves.smtpctl(lab.guide, "pause", "mda")
    lab.dns.records = {**lab.dns.records, **scored(SCORES)}


@pytest.mark.parametrize("number", range(len(ANSWERS)), ids=ANSWERS)
def test_answers_of_the_dns(lab: Lab, number: int) -> None:
    each = [*ANSWERS.values()][number]
    source = f"192.0.2.{110 + number}"  # what was said of another is remembered
    lab.dns.records = {**lab.dns.records, **scored({source: each.records})}
    for side, score in (("ours", each.ours), ("go", each.theirs)):
        lines = [] if score is None else [b"X-SenderScore: %d\n" % score]
        assert header(lab, side, source)[0] == lines


def test_messages_behind_the_first_one(lab: Lab) -> None:
    line = b"X-SenderScore: 69\n"
    assert header(lab, "ours", DOUBTFUL) == [[line], [line]]
    assert header(lab, "go", DOUBTFUL) == [[line], []]


def test_a_field_that_the_client_wrote(lab: Lab) -> None:
    forged = b"X-SENDERSCORE: 100\r\n folded\r\n" + MESSAGE
    line, theirs = b"X-SenderScore: 9\n", b"X-SENDERSCORE: 100\n folded\n"
    assert header(lab, "ours", BAD, forged) == [[line], [line]]
    assert header(lab, "go", BAD, forged) == [[line, theirs], [theirs]]
    assert header(lab, "ours", NEW, forged) == [[], []]
    assert header(lab, "go", NEW, forged) == [[theirs], [theirs]]


def test_bounds_above_127(lab: Lab) -> None:
    """The one in Go takes 128 for -128."""
    replies = {
        side: last(talk(lab, BEST, port(CHAINS, f"{side} block"), PLAIN)) for side in ("ours", "go")
    }
    assert replies["ours"].reply == BLOCKED
    assert replies["go"].reply == "221 2.0.0 Bye"
    for side, junked in (("ours", True), ("go", False)):
        said = talk(lab, BEST, port(CHAINS, f"{side} junk"), PLAIN)
        (message,) = [each.message for each in said if each.message]
        assert message.startswith(b"X-Spam: Yes\n") is junked


PROGRAMS = f"/{LIBEXEC}/{PROGRAM}"


@pytest.mark.parametrize(
    ("flags", "ours_says"),
    [
        ("-blockPhase data", "argument -blockPhase/--blockPhase: invalid choice: 'data'"),
        ("-blockPhase nowhere", "argument -blockPhase/--blockPhase: invalid choice: 'nowhere'"),
        ("-slowFactor 60000", "-slowFactor is more than --deadline leaves"),
        ("-junkBelow 0x10", "argument -junkBelow/--junkBelow: invalid int value: '0x10'"),
        ("-scoreHeader=true", "ignored explicit argument 'true'"),
        ("-blockBelow 10 more", "unrecognized arguments: more"),
    ],
)
def test_flags_that_ours_refuses(lab: Lab, flags: str, ours_says: str) -> None:
    ours, theirs = (
        inside.tried(lab.guide.view, program, *flags.split(), given=b"config|ready\n")
        for program in (PROGRAMS, PROGRAMS + ORIGINAL)
    )
    assert ours.returncode != 0
    assert ours_says in ours.stderr.decode()
    assert theirs.stdout.endswith(b"register|ready\n")


@pytest.mark.parametrize("flags", ["-allowlist /dev/null", "-testMode", "--deadline 30"])
def test_flags_that_the_other_has_not(lab: Lab, flags: str) -> None:
    """The first two are in 0.1.2."""
    ours, theirs = (
        inside.tried(lab.guide.view, program, *flags.split(), given=b"config|ready\n")
        for program in (PROGRAMS, PROGRAMS + ORIGINAL)
    )
    assert ours.stdout.endswith(b"register|ready\n")
    assert b"flag provided but not defined" in theirs.stderr


def test_others_while_the_dns_is_asked(lab: Lab) -> None:
    """Who comes behind a client whose score is asked for waits in the one in Go only."""
    asked = Event()

    def silent(request: dns.message.QueryMessage) -> None:
        asked.set()

    def connected(source: str, side: str) -> socket.socket:
        to = SERVER4, port(CHAINS, f"{side} header")
        return socket.create_connection(to, timeout=60, source_address=(source, 0))

    for side, slow in (("ours", "192.0.2.120"), ("go", "192.0.2.121")):
        asked.clear()
        lab.dns.records = {**lab.dns.records, **scored({slow: silent})}
        with connected(slow, side):
            assert asked.wait(60)
            with connected(BEST, side) as other:
                if side == "ours":
                    assert other.recv(3) == b"220"
                    lab.dns.records = {**lab.dns.records, **scored({slow: failing()})}
                    continue
                other.settimeout(0.5)
                with pytest.raises(TimeoutError):
                    other.recv(3)
