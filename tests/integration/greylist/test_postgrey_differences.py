"""Where filter-greylist and postgrey differ, each with what both make of some mail, or of a row."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from integration.support.greylist_lists import client, postgrey_with, spares
from integration.support.greylist_sides import OPTIONS, Judged, Ours, Sent, Theirs
from lab.peers.postgrey import PostgreyServer
from lab.support import ALONE, need_stage
from opensmtpd.dns import Found, Question, RecordType
from opensmtpd.errors import ConfigError
from opensmtpd.mail.greylist.postgrey import ListedClients, ListedRecipients
from opensmtpd.testing.zone import Zone

pytestmark = ALONE
DAY = 86400
BEGINNING = 1_900_000_000
HERE, NEIGHBOUR, THERE = "203.0.113.11", "203.0.113.12", "198.51.100.11"
BOB = b"bob@remote.example"
ALICE, DAN = b"alice@example.com", b"dan@example.com"
NEW, PASSES = Judged((300,)), Judged((0,))


def after(seconds: int, address: str = HERE, sender: bytes = BOB, *recipients: bytes) -> Sent:
    """Return a message so many seconds after the first one; to Alice, where nobody is named."""
    return Sent(BEGINNING + seconds, address, sender, recipients or (ALICE,))


class Difference(NamedTuple):
    """Messages, and the decisions of both on the last one."""

    sent: list[Sent]
    ours: Judged
    theirs: Judged
    options: str = "--auto-white 5"
    """Of filter-greylist; postgrey has its own defaults, with a time to come again of 4 hours."""


def tagged(first: bytes, second: bytes) -> list[Sent]:
    """Return two messages, of which the other has another sender."""
    return [after(0, HERE, first), after(300, HERE, second)]


DIFFERENCES = {
    # There, it is the second that counts.
    "when the time to come again is over": Difference(
        [after(0), after(14400)], NEW, Judged((0,), 14400)
    ),
    # There, all that has not gone by night stays.
    "when a triplet that has passed is forgotten": Difference(
        [after(0), after(300), after(300 + 30 * DAY)], NEW, PASSES
    ),
    # There, it is addresses that become white, and triplets that have networks. 5 successes do it.
    "a neighbour of a white client": Difference(
        [
            *[after(DAY * n + m, HERE, b"%d@remote.example" % n + b"x" * n) for n in range(5)
              for m in (0, 300)],
            after(5 * DAY, NEIGHBOUR, b"new@remote.example"),
        ],
        PASSES, NEW,
    ),
    "one success": Difference(
        [after(0), after(300), after(301, HERE, b"new@remote.example")], PASSES, NEW, ""
    ),
    # There, a callout is deferred, and each recipient is decided on.
    "a null sender with several recipients": Difference(
        [after(0, HERE, b""), after(300, HERE, b"", ALICE, DAN)], NEW, Judged((0, 300), 300)
    ),
    "a program on the machine itself": Difference([after(0, "127.0.0.1")], PASSES, NEW),
    # There, it has 128 bits, of which the first 64 are the same for all.
    "an IPv4-mapped address": Difference(
        [after(0, f"::ffff:{HERE}"), after(300, f"::ffff:{THERE}")], NEW, Judged((0,), 300)
    ),
    "a tag of BATV in capitals": Difference(
        tagged(b"prvs=0123ABCDEF=danielmiller@remote.example",
               b"prvs=0124ABCDEF=danielmiller@remote.example"),
        Judged((0,), 300), NEW,
    ),
    "the word in front of it in capitals": Difference(
        tagged(b"PRVS=0123abcdef=dan@remote.example", b"PRVS=0124abcdef=dan@remote.example"),
        Judged((0,), 300), NEW,
    ),
    "a tag of BATV for nobody": Difference(
        tagged(b"prvs=0123abcdef=@remote.example", b"prvs=0124abcdef=@remote.example"),
        Judged((0,), 300), NEW,
    ),
}  # fmt: skip


@pytest.fixture
def postgrey() -> Iterator[PostgreyServer]:
    with PostgreyServer(need_stage("7.6").root, OPTIONS) as server:
        yield server


@pytest.mark.parametrize("difference", DIFFERENCES.values(), ids=DIFFERENCES)
def test_decisions(postgrey: PostgreyServer, difference: Difference) -> None:
    ours, theirs = Ours(*difference.options.split()), Theirs(postgrey)
    *before, last = difference.sent
    for each in before:
        ours.judge(each)
        theirs.judge(each)
    assert ours.judge(last) == difference.ours
    assert theirs.judge(last) == difference.theirs


def test_spf(postgrey: PostgreyServer) -> None:
    """A domain that names two networks may come from one, and again from the other."""
    ours, theirs = Ours(), Theirs(postgrey)
    record = Question("remote.example", RecordType.TXT)
    ours.filter.dns = Zone({record: Found((f"v=spf1 ip4:{HERE} ip4:{THERE} -all",))})
    for sent, mine, its in (
        (after(0), NEW, NEW),
        (after(300, THERE), Judged((0,), 300), NEW),
        (after(301, HERE, b"new@remote.example"), PASSES, NEW),
    ):
        assert (ours.judge(sent), theirs.judge(sent)) == (mine, its)


def test_the_delay_of_several_recipients(postgrey: PostgreyServer) -> None:
    """Ours tells the longest, postgrey that of the first one."""
    ours, theirs = Ours("--auto-white", "5"), Theirs(postgrey)
    for at, to in ((0, DAN), (100, ALICE)):
        assert ours.judge(after(at, HERE, BOB, to)) == theirs.judge(after(at, HERE, BOB, to)) == NEW
    last = after(500, HERE, BOB, ALICE, DAN)
    assert ours.judge(last) == Judged((0, 0), 500)
    told = [theirs.action(last, each).partition(" by ")[0] for each in last.recipients]
    assert told == ["PREPEND X-Greylist: delayed 400 seconds", "DUNNO"]


def test_the_words(postgrey: PostgreyServer) -> None:
    """Theirs leave the code to Postfix, and another reason goes before this one."""
    assert Theirs(postgrey).action(after(0), ALICE) == "DEFER_IF_PERMIT wait 300"


# --- rows of the lists ----------------------------------------------------------------------------


class Row(NamedTuple):
    """A row, and clients or recipients: those that both spare, ours alone, and postgrey alone.

    ``ours`` is None where a row is an error for ours; postgrey says nothing.
    """

    row: str
    both: list[str]
    ours: list[str] | None
    theirs: list[str]


CLIENT_ROWS = {
    # In its page, it is the network 172.31.0.0/16.
    "a network of two numbers": Row("172.31", ["172.31.0.5"], ["172.31.9.5", "172.31.255.255"], []),
    "two numbers and bits": Row("10.1/16", [], ["10.1.0.0", "10.1.255.255"], []),
    "no network": Row("10.1.2.300", [], None, []),
    "a dot in front": Row(
        ".lead.example", ["a..lead.example"], ["lead.example", "a.lead.example"], []
    ),
    "a dot at the end": Row("tail.example.", [], ["tail.example", "a.tail.example"], []),
    "no name": Row("a,b.example", [], None, ["a,b.example"]),
    "two words": Row("a.example b.example", [], None, []),
    "an expression of Perl alone": Row("/^a(?!b)/", [], None, ["ac.example"]),
    "all names": Row("/./", ["a.example"], [], [""]),  # "unknown", as those without a name have it
}
RECIPIENT_ROWS = {
    # Postfix shows no address without a domain, smtpd does.
    "a local part": Row("postmaster@", ["postmaster@example.com"], ["postmaster"], []),
    "two words": Row("a@example.com b@example.com", [], None, []),
    "an expression of Perl alone": Row("/^a(?!b)/", [], None, ["ac@example.com"]),
}


def listed(path: Path, kind: str) -> Callable[[str], bool]:
    """Return what tells whether ours spare somebody. Raises ConfigError."""
    if kind == "clients":
        clients = ListedClients([str(path)])
        return lambda who: client(who) in clients
    recipients = ListedRecipients([str(path)])
    return lambda who: who.encode() in recipients


@pytest.mark.parametrize(
    ("kind", "row"),
    [*(("clients", row) for row in CLIENT_ROWS.values()),
     *(("recipients", row) for row in RECIPIENT_ROWS.values())],
    ids=[*CLIENT_ROWS, *(f"recipients: {title}" for title in RECIPIENT_ROWS)],
)  # fmt: skip
def test_rows(tmp_path: Path, kind: str, row: Row) -> None:
    path = tmp_path / "list"
    path.write_text(f"{row.row}\n")
    everybody = [*row.both, *(row.ours or []), *row.theirs]
    with postgrey_with(kind, path.read_text()) as server:
        given = "who" if kind == "clients" else "recipient"
        assert [who for who in everybody if spares(server, **{given: who})] == [
            *row.both, *row.theirs
        ]  # fmt: skip
    if row.ours is None:
        with pytest.raises(ConfigError):
            listed(path, kind)
    else:
        spared = listed(path, kind)
        assert [who for who in everybody if spared(who)] == [*row.both, *row.ours]
