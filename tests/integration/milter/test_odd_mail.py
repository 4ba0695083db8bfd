"""Odd mail: milters see what the mailbox gets, and what they change is what they want changed."""

import pytest

from integration.support.milter_scenes import RECEIVED, prepare, visit
from lab.peers.milters import scripted as says
from lab.peers.milters.scripted import CONTINUE, ScriptedMilter
from lab.peers.passage import through_smtpd
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "milter", prepare)], indirect=True, ids=str
)
HEADER = b"From: bob@example.net\r\nTo: alice@example.com\r\nDate: x\r\n"
MAIL: dict[str, bytes] = {
    "no body": HEADER + b"\r\n",
    "header alone": HEADER,
    "no header": b"\r\nhello\r\n",
    "no header, no blank line": b"hello\r\nyou\r\n",
    "blank line": b"\r\n",
    "begins folded": b" folded\r\n\tmore\r\n" + HEADER + b"\r\nx\r\n",
    "line of blanks in the header": HEADER + b" \t\r\nX-A: 1\r\n\r\nx\r\n",
    "no colon amid the header": HEADER + b"no colon\r\nX-A: 1\r\n\r\nx\r\n",
    "fields of odd names": b"X A: 1\r\n: 2\r\nX-B : 3\r\nX-\xff: 4\r\n" + HEADER + b"\r\nx\r\n",
    "own Received": b"Received: from a by b; x\r\n" + HEADER + b"Received: c\r\n\r\nx\r\n",
    "X-Spam of the client": b"X-Spam: no\r\n" + HEADER + b"\r\nx\r\n",
    "eight bits": HEADER + b"X-A: gr\xc3\xbc\xc3\x9fe\xff\r\n\r\n\xff\xfe\r\n",
    "NUL": HEADER + b"X-A: a\0b\r\n\r\na\0b\r\n\0\r\n",
    "bare CR": HEADER + b"X-A: a\rb\r\n\r\na\rb\r\n\r\r\n\r\n",
    "dots": HEADER + b".x: y\r\n\r\n.\r\n..\r\n...\r\n.dot\r\n",
    "blank lines": HEADER + b"\r\n" + b"\r\n" * 5000,
    "field of 65,000": HEADER + b"X-L: " + b"x" * 65_000 + b"\r\n\r\ny\r\n",
    "folded field of 200,000": HEADER + b"X-L: a\r\n" + b"\t" + b" x" * 50 + b"\r\n"
    + (b"\t" + b"x" * 98 + b"\r\n") * 2000 + b"\r\ny\r\n",
    "line of 65,000": HEADER + b"\r\n" + b"x" * 65_000 + b"\r\ny\r\n",
    "900 fields": HEADER + b"".join(b"X-%d: y\r\n" % n for n in range(900)) + b"\r\nx\r\n",
    "a header of 1 MB": HEADER + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 900) for n in range(1200))
    + b"\r\nx\r\n",
    "3 MB": HEADER + b"\r\n" + b"".join(b"%070d\r\n" % n for n in range(42_000)),
    "bars": HEADER + b"X-A: |a|b|\r\n\r\n|\r\nfilter-dataline|0|0|x\r\n",
}  # fmt: skip
EDITS = says.insert(1, b"X-First", b"1") + says.add(b"X-Last", b"2") + CONTINUE


def deliver(lab: Lab, message: bytes) -> bytes:
    """Send a message; return it as it came, without smtpd's own field."""
    assert visit("one", message).code == 250
    delivered = lab.inbox.one().message
    assert RECEIVED.match(delivered)
    return RECEIVED.sub(b"", delivered, count=1)


def seen(milter: ScriptedMilter) -> tuple[bytes, bytes]:
    """Return header and body that a milter has seen, with line feeds."""
    fields = [data.removesuffix(b"\0").split(b"\0") for data in milter.said(says.HEADER)]
    header = b"".join(name + b":" + value + b"\n" for name, value in fields)
    return header, b"".join(milter.said(says.BODY)).replace(b"\r\n", b"\n")


SPACE = says.negotiation(steps=0x100000)
TAKEN = [title for title, message in MAIL.items() if through_smtpd(message) is not None]
LINES = HEADER.replace(b"\r\n", b"\n")
ODD = "fields of odd names"
"""Of which the first is none, so that the body begins there to milters."""
SHOWN = {"begins folded": LINES, ODD: b"X-B: 3\n" + LINES}
"""Headers of which milters do not see all: folds of smtpd's own field, what has no name."""
FIRST = {"begins folded": b"From:"}
"""The begin of the first field that they see there."""


def parts(message: bytes) -> tuple[bytes, bytes]:
    """Return the lines of the header, and the body, of a message with line feeds."""
    if message.startswith(b"\n"):
        return b"", message[1:]
    header, blank, body = message.partition(b"\n\n")
    return (header + b"\n", body) if blank else (message, b"")


@pytest.mark.parametrize("title", TAKEN)
def test_what_a_milter_sees(lab: Lab, milter: ScriptedMilter, title: str) -> None:
    passage = through_smtpd(MAIL[title])
    assert passage is not None
    milter.forget({says.OFFER: SPACE})
    delivered = deliver(lab, MAIL[title])
    assert passage.difference(delivered, submission=False) is None
    header, body = parts(delivered)
    seen_header, seen_body = seen(milter)
    if title == "folded field of 200,000":  # the beginning of it: no frame takes more
        assert header.startswith(seen_header[:60_000])
        assert len(seen_header) > 65_000
    else:
        assert seen_header == SHOWN.get(title, header)
    assert seen_body == (delivered if title == ODD else body)


@pytest.mark.parametrize("title", [each for each in TAKEN if each != ODD])
def test_what_a_milter_changes(lab: Lab, milter: ScriptedMilter, title: str) -> None:
    milter.forget()
    header, body = parts(deliver(lab, MAIL[title]))
    milter.forget({says.EOM: EDITS})
    before = FIRST.get(title, header[:4])
    wanted = header.replace(before, b"X-First: 1\n" + before, 1) + b"X-Last: 2\n"
    assert parts(deliver(lab, MAIL[title])) == (wanted, body)
    milter.forget({says.EOM: says.body(b"other\r\n") + CONTINUE})
    assert parts(deliver(lab, MAIL[title])) == (header, b"other\n")


def test_what_a_milter_changes_above_a_line_that_is_no_field(
    lab: Lab, milter: ScriptedMilter
) -> None:
    milter.forget()
    text = deliver(lab, MAIL[ODD])
    milter.forget({says.EOM: EDITS})
    assert visit("one", MAIL[ODD]).code == 250
    above, _, below = lab.inbox.one().message.partition(b"Received: ")
    assert above == b"X-First: 1\nX-Last: 2\n"
    assert RECEIVED.sub(b"", b"Received: " + below, count=1) == text
    milter.forget({says.EOM: says.body(b"other\r\n") + CONTINUE})
    assert visit("one", MAIL[ODD]).code == 451


@pytest.mark.parametrize("title", MAIL.keys() - TAKEN)
def test_mail_that_smtpd_refuses(lab: Lab, milter: ScriptedMilter, title: str) -> None:
    assert visit("one", MAIL[title]).code == 550
