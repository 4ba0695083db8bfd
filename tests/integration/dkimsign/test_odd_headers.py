"""Odd headers through a real smtpd: what was signed is not changed, on each kind of listener.

Two verifiers judge each signature: dkimpy and one of our own. Each run has other messages if
``OPENSMTPD_PLUGINS_SEED`` names another seed; ``OPENSMTPD_PLUGINS_ODD`` is their number for each
listener and each configuration.
"""

import os
import re
import smtplib
import subprocess
from collections import Counter
from random import Random

import pytest

from integration.support.more_flags import more_flags
from integration.support.odd_headers import message
from lab.peers import mail
from lab.peers.maildir import Delivered
from lab.peers.passage import FRONT, Passage, through_smtpd
from lab.peers.second_verifier import Field, fields, flaw, tags
from lab.peers.verify import flaw as dkimpy_flaw
from lab.support import Lab, Setup
from opensmtpd.mail.dkim.sign.style import NAMES

ALICE = "alice@example.com"
SEED = os.environ.get("OPENSMTPD_PLUGINS_SEED", "1")
COUNT = int(os.environ.get("OPENSMTPD_PLUGINS_ODD", "30"))

SESSION = 50
"""Messages for each connection: smtpd takes 100."""

TRACE = (b"dkim-signature", b"received", b"return-path", b"x-spam")
"""Fields that others put in front: they can be covered, but not oversigned."""
ALL = (*NAMES.encode().split(b":"), b"message-id", b"sender", *TRACE)
PLAIN = f"-h {b':'.join(ALL).decode()}:bcc"
MENDED = f"{PLAIN} -c relaxed/relaxed -m --oversign"
ODD_SPACE = re.compile(rb"[\r\v\f]")


SETUPS = [
    Setup(version, name, more_flags(more))
    for version in ("7.6", "7.9")
    for name, more in (("odd-plain", PLAIN), ("odd-mended", MENDED))
]
pytestmark = pytest.mark.parametrize("running", SETUPS, indirect=True, ids=str)


def connected(lab: Lab, listener: str) -> smtplib.SMTP:
    match listener:
        case "465":
            return mail.submissions(lab.guide)
        case "587":
            return mail.submission(lab.guide)
        case _:
            return mail.connect(source="127.0.0.1", host="127.0.0.1")


@pytest.mark.parametrize("listener", ["465", "587", "loopback"])
def test_what_is_signed_verifies(lab: Lab, listener: str) -> None:
    mended = MENDED in (lab.guide.view / "etc/mail/smtpd.conf").read_text()
    signed = 0
    for first in range(0, COUNT, SESSION):
        with connected(lab, listener) as client:
            for number in range(first, min(first + SESSION, COUNT)):
                sent = message(Random(f"{SEED}-{listener}-{number}"))
                passage = through_smtpd(sent)
                reply = mail.send(client, ALICE, ALICE, sent)
                assert reply[0] == (550 if passage is None else 250), (reply, sent)
                if passage is None:
                    continue
                delivered = lab.inbox.one()
                adds = mended and listener != "465"
                expected = covered(passage, relaxed=mended, adds=adds, oversigns=mended)
                assert judged(delivered) == expected, (sent, delivered)
                changed = listener != "465" and (expected is None or not mended)
                assert difference(passage, delivered.message, submission=changed) is None
                signed += expected is not None
    assert signed > COUNT / 2


def test_what_sendmail_submits_verifies(lab: Lab) -> None:
    """sendmail rewrites a header before smtpd has it, so that only the signature is judged."""
    signed = 0
    for number in range(COUNT // 2):
        sent = message(Random(f"{SEED}-sendmail-{number}"))
        try:
            mail.sendmail(lab.guide.view, "alice", ALICE, sent)
        except subprocess.CalledProcessError:
            continue  # it, or smtpd, refused this header
        signed += judged(lab.inbox.one()) is not None
    assert signed > COUNT / 8


def difference(passage: Passage, delivered: bytes, *, submission: bool) -> str | None:
    """Return where a delivered message is not what smtpd makes of what was sent."""
    received = re.search(rb"(?m)^Received: ", delivered)
    assert received is not None
    front = FRONT.match(delivered, received.start())
    assert front is not None, delivered
    return passage.difference(delivered[front.end() :], submission)


def judged(copy: Delivered) -> Counter[bytes] | None:
    """Return the names that the signature of a delivered message covers, None for no signature.

    Both verifiers must find the signature good, as far as they can read the message.
    """
    delivered = copy.message
    header = fields(delivered.partition(b"\n\n")[0].removesuffix(b"\n").split(b"\n"))
    if header[0].name != b"dkim-signature":
        assert header[0].name == b"received"
        return None
    said = tags(header[0])
    relaxed = said[b"c"].startswith(b"relaxed")
    assert flaw(copy.content) is None, delivered  # the agent's own fields in front included
    if relaxed:
        # dkimpy reads no name with blanks behind it; "relaxed" removes them.
        top, blank, body = delivered.partition(b"\n\n")
        delivered = re.sub(rb"(?m)^([!-9;-~]+)[ \t]+:", rb"\1:", top) + blank + body
    elif any(re.match(rb"[!-9;-~]+[ \t]+:", one.lines[0]) for one in header):
        return Counter(said[b"h"].split(b":"))
    odd_author = any(one.name == b"from" and odd(one) for one in header)
    if not (relaxed and odd_author):  # it must be covered, and verifiers differ
        assert dkimpy_flaw(delivered) is None, delivered
    return Counter(said[b"h"].split(b":"))


def covered(
    passage: Passage, *, relaxed: bool, adds: bool, oversigns: bool
) -> Counter[bytes] | None:
    """Return the names that a signature must cover, None where there must be none."""
    found = fields(passage.header)
    if b"from" in passage.completed or not any(one.name == b"from" for one in found):
        return None
    names = Counter(one.name for one in found if one.name in ALL)
    names[b"received"] += 1  # smtpd's own
    for name in (b"date", b"message-id"):
        if name not in passage.fields:
            names[name] = names[name] + 1 if adds else 0
    if oversigns:
        names.update(name for name in ALL if name not in (b"date", b"message-id", *TRACE))
    for one in found:
        if one.name in passage.completed and one.name in (b"to", b"cc"):
            names[one.name] = 0
        if relaxed and odd(one) and one.name != b"from":
            names[one.name] = 0
    return +names


def odd(one: Field) -> bool:
    return ODD_SPACE.search(b"".join(one.lines).partition(b":")[2]) is not None
