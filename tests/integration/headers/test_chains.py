"""filter-headers behind rspamd, whose fields it sees, and before filter-dkimsign, which signs."""

import pytest

from integration.support.headers_scenes import (
    connect,
    prepare,
    visit,
    written,
)
from integration.support.rspamd_mail import GTUBE, composed
from lab.peers import mail
from lab.peers.rspamd.server import RspamdServer
from lab.peers.verify import flaw, signatures
from lab.shows.demo import LOCAL
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "headers", prepare)], indirect=True, ids=str
)
FIELDS = [b"Subject: hello", b"From: bob@example.net"]


@pytest.mark.parametrize(
    ("score", "place", "front"),
    [
        (1, "inbox", b"X-Added: 1\r\nReceived:\r\n"),
        (7, ".Junk", b"X-Added: 1\r\nX-Spam: yes\r\nX-Spam-Score: 7 / 15\r\nReceived:\r\n"),
        (8.5, ".Junk", b"X-Added: 1\r\nX-Spam: yes\r\nX-Spam-Score: 8.5 / 15\r\nReceived:\r\n"),
        (9.5, "550 5.7.1 Far too much spam", b""),
        (12, "550 5.7.1 Far too much spam", b""),
    ],
)
def test_behind_rspamd(
    lab: Lab, rspamd: RspamdServer, score: float, place: str, front: bytes
) -> None:
    """A rule refuses a score, and another one removes the field that tells how it came about."""
    seen = visit(lab, "behind rspamd", composed({"score": score}, FIELDS, [b"hello"]))
    assert seen.place == place
    assert seen.message.startswith(front)
    assert b"X-Spam-Status" not in seen.message


def test_what_rspamd_refuses_does_not_come_here(lab: Lab, rspamd: RspamdServer) -> None:
    before = lab.log.count(" headers-reject ")
    message = composed({"score": 12}, FIELDS, [GTUBE, b"hello"])
    assert visit(lab, "behind rspamd", message).place == "550 Gtube pattern"
    assert lab.log.count(" headers-reject ") == before


@pytest.mark.parametrize(
    "fields",
    [
        (b"Subject: hello",),
        (b"Subject: a secret",),
        (b"Subject: =?utf-8?q?a_secr?=\r\n =?utf-8?q?et?=", b"X-Drop: 1\r\n 2", b"X-Drop: 3"),
        (b"X-Drop: 1", b"Received: from x\r\n\tby y", b"User-Agent: z"),
    ],
)
def test_dkimsign_signs_the_edited_message(lab: Lab, fields: tuple[bytes, ...]) -> None:
    """The signature holds, and it is one over what Alice gets."""
    with connect("before dkimsign") as client:
        message = written(b"From: alice@example.com", *fields)
        assert mail.send(client, LOCAL, LOCAL, message)[0] == 250
    delivered = lab.inbox.one().message
    assert (signatures(delivered), flaw(delivered)) == (1, None)
    assert b"X-Drop" not in delivered
    assert b"secret" not in delivered
    assert b"\nX-Added: 1\n" in delivered
    spoiled = delivered.replace(b"\nSubject: h", b"\nSubject: H")
    assert spoiled == delivered or flaw(spoiled) is not None


def test_local_mail_is_signed_behind_it(lab: Lab) -> None:
    mail.sendmail(lab.guide.view, "alice", LOCAL, written(b"From: alice@example.com"))
    delivered = lab.inbox.one().message
    assert (signatures(delivered), flaw(delivered)) == (1, None)
