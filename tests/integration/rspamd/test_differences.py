"""Where filter-rspamd and the original in Go differ, each with what both make of a message."""

import re
from base64 import b64decode
from hashlib import sha256
from typing import NamedTuple

import pytest

from integration.support.queued import Outcome
from integration.support.rspamd_mail import Lines, Mail, Wanted, composed
from integration.support.rspamd_scenes import asked
from integration.support.rspamd_sides import GO, OURS, prepare, sent
from lab.peers.clients import CONFIRMED_PTR, NO_PTR
from lab.peers.rspamd.server import RspamdServer
from lab.shows.demo import LOCAL
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "rspamd-differences", prepare)], indirect=True, ids=str
)
FROM = b"From: bob@signed.example"


class Difference(NamedTuple):
    """A message, and its header as both filters leave it; None where it is not accepted."""

    wanted: Wanted
    header: Lines
    ours: Lines
    theirs: Lines | None


DIFFERENCES = {
    "a field as an object": Difference(
        {"add": {"X-New": {"value": "new", "order": -1}}},
        [FROM],
        [FROM, b"X-New: new"],
        [FROM],
    ),
    "a field that has several values": Difference(
        {"milter": {"add_headers": {"X-New": [{"value": "1", "order": 1}, {"value": "2"}]}}},
        [FROM],
        [b"X-New: 1", FROM, b"X-New: 2"],
        [FROM],
    ),
    "a field without a value": Difference(
        {"milter": {"add_headers": {"X-New": ""}}},
        [FROM],
        [b"X-New:", FROM],
        [b"X-New: ", FROM],
    ),
    "fields that look like ours, in the client's own mail": Difference(
        {},
        [b"x-spam: no", b"X-SPAMD-BAR: --", b"\t--", b"x-Rspamd-Server: me", FROM],
        [FROM],
        [b"x-spam: no", b"X-SPAMD-BAR: --", b"\t--", b"x-Rspamd-Server: me", FROM],
    ),
    "a name in other letters": Difference(
        {"remove": {"X-Unwanted": 0}},
        [b"x-unwanted: 1", b"\t2", FROM, b"X-UNWANTED: 3"],
        [FROM],
        [b"x-unwanted: 1", b"\t2", FROM, b"X-UNWANTED: 3"],
    ),
    "one of several fields": Difference(
        {"remove": {"X-Many": 2}},
        [b"X-Many: 1", b"X-Many: 2", FROM, b"X-Many: 3"],
        [b"X-Many: 1", FROM, b"X-Many: 3"],
        [FROM],
    ),
    "the last one of several fields": Difference(
        {"remove": {"X-Many": -1}},
        [b"X-Many: 1", b"X-Many: 2", FROM, b"X-Many: 3"],
        [b"X-Many: 1", b"X-Many: 2", FROM],
        [FROM],
    ),
    "some of several fields": Difference(
        {"remove": {"X-Many": [1, 3]}},
        [b"X-Many: 1", b"X-Many: 2", FROM, b"X-Many: 3"],
        [b"X-Many: 2", FROM],
        None,
    ),
    "a folded subject": Difference(
        {"score": 5.5, "subject": "spam"},
        [FROM, b"Subject: buy", b" this"],
        [FROM, b"Subject: spam"],
        [FROM, b"Subject: spam", b" this"],
    ),
    "a subject in other letters": Difference(
        {"score": 5.5, "subject": "spam"},
        [b"SUBJECT: buy", FROM, b"Subject:this"],
        [b"SUBJECT: spam", FROM, b"Subject: spam"],
        [b"SUBJECT: buy", FROM, b"Subject:this"],
    ),
    "no subject": Difference(
        {"score": 5.5, "subject": "spam"},
        [FROM],
        [FROM, b"Subject: spam"],
        [FROM],
    ),
    "no action is wanted": Difference(
        {"score": 99, "milter": {"no_action": True}},
        [FROM],
        [b"X-Rspamd-Action: reject", FROM],
        None,
    ),
    "quarantine": Difference(
        {"score": 99, "milter": {"reject": "quarantine"}},
        [FROM],
        [b"X-Spam: yes", FROM],
        None,
    ),
}
"""By titles: all differences in what is made of a message."""


def header(outcome: Outcome) -> Lines | None:
    """Return the lines of a header without smtpd's Received and the order to rspamd."""
    if not outcome.reply.startswith(b"250 "):
        return None
    found: Lines = []
    left_out = False
    for line in outcome.message.partition(b"\n\n")[0].split(b"\n"):
        if not line.startswith((b" ", b"\t")):
            left_out = line.startswith((b"Received: ", b"X-Lab: "))
        if not left_out:
            found.append(line)
    return found


def one(lab: Lab, port: int, mail: Mail, source: str = CONFIRMED_PTR) -> Outcome:
    (outcome,) = sent(lab, port, [mail], source)
    return outcome


@pytest.mark.parametrize("each", DIFFERENCES.values(), ids=DIFFERENCES)
def test_difference(lab: Lab, rspamd: RspamdServer, each: Difference) -> None:
    mail = Mail("", composed(each.wanted, each.header, [b"hello"]))
    assert header(one(lab, OURS, mail)) == each.ours
    assert header(one(lab, GO, mail)) == each.theirs


def test_a_line_that_ends_in_a_carriage_return(lab: Lab, rspamd: RspamdServer) -> None:
    mail = Mail("", composed({}, [FROM], [b"one\r", b"two\r\r", b"th\rree"]))
    assert one(lab, OURS, mail).message.endswith(b"\n\none\r\ntwo\r\r\nth\rree\n")
    assert one(lab, GO, mail).message.endswith(b"\n\none\ntwo\r\nth\rree\n")


def test_a_signature_of_a_message_that_ends_in_a_blank(lab: Lab, rspamd: RspamdServer) -> None:
    """The one in Go sends no line end behind the last line, which has rspamd hash the blank."""
    mail = Mail("", composed({"dkim": ["rsa"]}, [FROM], [b"hello\t"]))
    ours, theirs = (re.search(rb"bh=(\S+);", one(lab, port, mail).message) for port in (OURS, GO))
    assert ours
    assert theirs
    assert b64decode(ours[1]) == sha256(b"hello\r\n").digest()
    assert ours[1] != theirs[1]


def test_requests(lab: Lab, rspamd: RspamdServer) -> None:
    """What one of them alone tells rspamd, of a client without a name in the DNS, say."""
    mail = Mail("", composed({"echo": True}, [FROM], [b"hello"]))
    ours, theirs = (asked(one(lab, port, mail, NO_PTR).message) for port in (OURS, GO))
    for each in (ours, theirs):
        del each["Queue-Id"]
    assert ours.pop("size") == theirs.pop("size") + 1  # the end of the last line
    assert {name: ours[name] for name in ours if name not in theirs} == {
        "Milter": "Yes",
        "Deliver-To": LOCAL,
    }
    assert {name: theirs[name] for name in theirs if name not in ours} == {"Hostname": "<unknown>"}
    assert all(ours[name] == theirs[name] for name in ours.keys() & theirs.keys())


def test_rspamd_away(lab: Lab, rspamd: RspamdServer) -> None:
    """Both have the client come again; the one in Go ends its session with that."""
    rspamd.kill9()
    mail = Mail("", composed({}, [FROM], [b"hello"]))
    assert one(lab, OURS, mail).reply.startswith(b"451 4.7.1 ")
    assert one(lab, GO, mail).reply == b"421 server internal error"
    rspamd.start()
    assert header(one(lab, OURS, mail)) == header(one(lab, GO, mail)) == [FROM]
