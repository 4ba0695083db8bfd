"""The nine modifications that a milter may ask for, as mailbox, log and client see them."""

import re
from collections.abc import Sequence

import pytest

from integration.support.milter_scenes import Seen, content, prepare, visit
from lab.peers.milters import scripted as says
from lab.peers.milters.scripted import CONTINUE, ScriptedMilter
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "milter", prepare)], indirect=True, ids=str
)
FIELDS = [
    b"X-A: 1",
    b"From: bob@example.net",
    b"X-B:2",
    b"x-a: folded",
    b"\tmore",
    b"X-A:  3",
    b"Subject: hello",
]
BODY = b"hello\r\n.dot\r\n"
LEADING_SPACE = 0x100000
Lines = Sequence[bytes]


def mail(fields: Lines, body: bytes = BODY) -> bytes:
    """Return a message."""
    return b"\r\n".join(fields) + b"\r\n\r\n" + body


def delivered(lab: Lab, milter: ScriptedMilter, *pieces: bytes, steps: int = 0) -> Lines:
    """Send FIELDS; return the header that comes, without smtpd's own field on top."""
    header, body = whole(lab, milter, *pieces, steps=steps)
    assert header[0] == b"Received:"
    assert body == BODY
    return header[1:]


def whole(lab: Lab, milter: ScriptedMilter, *pieces: bytes, steps: int = 0) -> tuple[Lines, bytes]:
    """Send FIELDS; return the header and the body that come."""
    offer = says.negotiation(steps=steps)
    milter.forget({says.OFFER: offer, says.EOM: b"".join(pieces) + CONTINUE})
    assert visit("one", mail(FIELDS)).code == 250
    _, message = content(lab.inbox.one())
    header, _, body = message.partition(b"\r\n\r\n")
    return header.split(b"\r\n"), body


# --- fields -------------------------------------------------------------------------------------


def test_nothing(lab: Lab, milter: ScriptedMilter) -> None:
    assert delivered(lab, milter) == FIELDS
    seen = [b"X-A\x001\0", b"From\0bob@example.net\0", b"X-B\x002\0", b"x-a\0folded\n\tmore\0",
            b"X-A\0 3\0", b"Subject\0hello\0"]  # fmt: skip
    assert milter.said(says.HEADER) == seen
    assert delivered(lab, milter, steps=LEADING_SPACE) == FIELDS
    assert [each.replace(b"\0 ", b"\0", 1) for each in milter.said(says.HEADER)] == seen
    assert milter.said(says.HEADER)[2] == b"X-B\x002\0"
    assert milter.said(says.HEADER)[4] == b"X-A\0  3\0"


@pytest.mark.parametrize("steps", [0, LEADING_SPACE], ids=["plain", "leading space"])
def test_add(lab: Lab, milter: ScriptedMilter, steps: int) -> None:
    space = b" " if steps else b""
    got = delivered(
        lab, milter,
        says.add(b"X-New", space + b"new\n\tfolded\r\n and more"),
        says.add(b"X-Empty", b""),
        steps=steps,
    )  # fmt: skip
    empty = b"X-Empty:" if steps else b"X-Empty: "
    assert got == [*FIELDS, b"X-New: new", b"\tfolded", b" and more", empty]


@pytest.mark.parametrize(
    ("index", "at"), [(0, 0), (1, 0), (2, 1), (4, 3), (5, 5), (7, 7), (1000, 7)]
)
def test_insert(lab: Lab, milter: ScriptedMilter, index: int, at: int) -> None:
    """smtpd's own field counts, and stays on top."""
    got = delivered(lab, milter, says.insert(index, b"X-New", b"new"))
    assert got == [*FIELDS[:at], b"X-New: new", *FIELDS[at:]]


def test_change(lab: Lab, milter: ScriptedMilter) -> None:
    got = delivered(
        lab, milter,
        says.change(1, b"SUBJECT", b"other"),
        says.change(2, b"X-A", b"second"),
        says.change(4, b"X-A", b"a fourth"),
        says.change(1, b"X-Not-There", b"now it is"),
    )  # fmt: skip
    assert got == [
        *(b"X-A: 1", b"From: bob@example.net", b"X-B:2", b"x-a: second", b"X-A:  3"),
        *(b"Subject: other", b"X-A: a fourth", b"X-Not-There: now it is"),
    ]


@pytest.mark.parametrize("indices", [(1, 2, 3), (1, 1, 1), (3, 2, 1)], ids=str)
def test_remove_all(lab: Lab, milter: ScriptedMilter, indices: Sequence[int]) -> None:
    """A milter that goes up, as for Sendmail, that always says 1, as for Postfix, or goes down."""
    got = delivered(lab, milter, *(says.change(index, b"X-A", b"") for index in indices))
    assert got == [b"From: bob@example.net", b"X-B:2", b"Subject: hello"]


def test_remove_and_add(lab: Lab, milter: ScriptedMilter) -> None:
    got = delivered(
        lab, milter,
        says.change(2, b"X-A", b""),
        says.change(9, b"X-A", b""),
        says.change(1, b"X-Not-There", b""),
        says.insert(0, b"X-A", b"0"),
        says.add(b"X-A", b"4"),
    )  # fmt: skip
    assert got == [
        *(b"X-A: 0", b"X-A: 1", b"From: bob@example.net", b"X-B:2", b"X-A:  3"),
        *(b"Subject: hello", b"X-A: 4"),
    ]


HOSTILE = {
    "a field in it": b"a\nX-Forged: b",
    "an end of the header": b"a\n\nX-Forged: b",
    "CRs": b"a\r\rb\r\n\r\n\r\tc\r",
    "eight bits": b"\xff\xfe",
    "a dot": b"\n.\n",
    "bars": b"|a|b",
    "60,000 bytes": b"x" * 60_000,
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_a_value_that_would_be_more_than_one(
    lab: Lab, milter: ScriptedMilter, value: bytes
) -> None:
    got = delivered(lab, milter, says.add(b"X-New", value), says.insert(0, b"X-Top", value))
    names = [line.partition(b":")[0] for line in got if line[:1] not in b" \t"]
    assert names == [b"X-Top", b"X-A", b"From", b"X-B", b"x-a", b"X-A", b"Subject", b"X-New"]
    assert b"\r" not in b"".join(got)


# --- the body -----------------------------------------------------------------------------------

BODIES = {
    "one piece": ([b"new\r\n.\r\n..dot\r\n"], b"new\r\n.\r\n..dot\r\n"),
    "cut anywhere": ([b"ne", b"w\r", b"\n.", b"\r\n..d", b"ot\r\n"], b"new\r\n.\r\n..dot\r\n"),
    "no line end": ([b"new"], b"new\r\n"),
    "bare LF, CR and NUL": ([b"a\nb\rc\0d\r\n"], b"a\r\nbcd\r\n"),
    "empty": ([b""], b""),
    "blank lines": ([b"\r\n\r\n"], b"\r\n\r\n"),
    "large": ([(b"y" * 98 + b"\r\n") * 650] * 40, (b"y" * 98 + b"\r\n") * 26_000),
}


@pytest.mark.parametrize(("pieces", "wanted"), BODIES.values(), ids=BODIES)
def test_another_body(
    lab: Lab, milter: ScriptedMilter, pieces: Sequence[bytes], wanted: bytes
) -> None:
    header, body = whole(lab, milter, *map(says.body, pieces), says.add(b"X-New", b"new"))
    assert header == [b"Received:", *FIELDS, b"X-New: new"]
    assert body == wanted


# --- what smtpd cannot do -----------------------------------------------------------------------

ENVELOPE = {
    "add recipient": says.add_recipient(b"<username@example.com>"),
    "add recipient with arguments": says.add_recipient_with(
        b"<username@example.com>", b"NOTIFY=NEVER"
    ),
    "delete recipient": says.delete_recipient(b"<alice@example.com>"),
    "change sender": says.sender(b"<>"),
}


@pytest.mark.parametrize("title", ENVELOPE)
def test_a_change_of_the_envelope(lab: Lab, milter: ScriptedMilter, title: str) -> None:
    """The log says so, and the other modifications are made, or the client comes again."""
    before = len(lab.log)
    milter.forget({says.EOM: ENVELOPE[title] + says.add(b"X-New", b"new") + CONTINUE})
    assert visit("one", mail(FIELDS)).code == 250
    wanted = mail([b"Received:", *FIELDS, b"X-New: new"])
    assert content(lab.inbox.one()) == ("inbox", wanted)
    change = title.removesuffix(" with arguments")
    assert f' milter-envelope wants="{change}" reason=' in lab.log[before:]
    refusal = Seen("dot", 451, "4.3.0 A milter wants to change the envelope of this message")
    assert visit("stern", mail(FIELDS)) == refusal


def test_quarantine(lab: Lab, milter: ScriptedMilter) -> None:
    before = len(lab.log)
    milter.forget({says.EOM: says.quarantine(b"it looks odd\xff") + CONTINUE})
    assert visit("one", mail(FIELDS)).code == 250
    marks = [b"X-Spam: Yes", b"X-Quarantine: it looks odd?"]
    assert content(lab.inbox.one()) == (".Junk", mail([*marks, b"Received:", *FIELDS]))
    assert re.search(r' milter-quarantine reason="it looks odd\S*"\n', lab.log[before:])


def test_all_nine(lab: Lab, milter: ScriptedMilter) -> None:
    header, body = whole(
        lab, milter,
        *ENVELOPE.values(), says.quarantine(b"odd"), says.add(b"X-New", b"new"),
        says.insert(0, b"X-Top", b"top"), says.change(1, b"X-B", b""), says.body(b"other\r\n"),
        says.PROGRESS,
    )  # fmt: skip
    rest = [line for line in FIELDS if line != b"X-B:2"]
    marks = [b"X-Spam: Yes", b"X-Quarantine: odd", b"Received:"]
    assert header == [*marks, b"X-Top: top", *rest, b"X-New: new"]
    assert body == b"other\r\n"


def test_modifications_of_a_message_that_is_refused(lab: Lab, milter: ScriptedMilter) -> None:
    pieces = says.add(b"X-New", b"new") + says.body(b"other") + says.quarantine(b"odd")
    milter.forget({says.EOM: pieces + says.REJECT})
    assert visit("one", mail(FIELDS)) == Seen("dot", 550, "5.7.1 Command rejected")
    milter.forget({})
    assert delivered(lab, milter) == FIELDS


@pytest.mark.parametrize("actions", [0, 0x1FF - 0x001])
def test_a_modification_that_was_not_negotiated(
    lab: Lab, milter: ScriptedMilter, actions: int
) -> None:
    offer = says.negotiation(actions=actions)
    milter.forget({says.OFFER: offer, says.EOM: says.add(b"X-New", b"new") + CONTINUE})
    away = Seen("dot", 451, "4.7.1 Service unavailable, please try again later")
    assert visit("one", mail(FIELDS)) == away
