"""A filter that edits messages, behind a real smtpd: the delivered mail, byte for byte."""

from pathlib import Path

import pytest

from integration.support.checks import ALICE
from integration.support.dns_scenes import Chains, listen, ours, port
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.root.plugin import LIBEXEC
from lab.root.root import VENV
from lab.shows.demo import STRANGER
from lab.shows.guide import Guide
from lab.support import Lab, setups

PROGRAM = Path(__file__).with_name("filter_edit.py")
NAME = "filter-edit"
CHAINS: Chains = {
    "edits": (ours(NAME),),
    "edits twice": (ours(NAME), ours(NAME, "--deadline 59")),
    "little disk": (ours(NAME, "--spool-max 1M"),),
}


def prepare(guide: Guide) -> None:
    program = guide.view / LIBEXEC / NAME
    program.write_text(f"#!{VENV}/bin/python3\n{PROGRAM.read_text()}")
    program.chmod(0o755)
    listen(guide, CHAINS)


pytestmark = pytest.mark.parametrize("running", setups("edits", prepare), indirect=True, ids=str)

FRONT = b"From: Bob <bob@example.net>\nTo: alice@example.com\n"


def deliver(lab: Lab, message: bytes, chain: str = "edits") -> bytes:
    """Send Alice a message with LF line ends; return it as she got it, without smtpd's Received.

    The filter puts its verdict above that field.
    """
    with mail.connect(CONFIRMED_PTR, port(CHAINS, chain)) as client:
        reply = mail.send(client, STRANGER, ALICE, message.replace(b"\n", b"\r\n"))
    assert reply[0] == 250, reply
    lines = lab.inbox.one().message.split(b"\n")
    start = next(at for at, line in enumerate(lines) if line.startswith(b"Received: "))
    end = next(at for at in range(start + 1, len(lines)) if lines[at][:1] not in (b" ", b"\t"))
    return b"\n".join(lines[:start] + lines[end:])


VERDICT = b"Authentication-Results: mx.example.com;\n\tnone\n"


def test_fields_are_removed_replaced_and_put_on_top(lab: Lab) -> None:
    message = (
        b"Authentication-Results: mx.example.com; spf=pass\n\tsmtp.mailfrom=forged\n" + FRONT
        + b"authentication-results : mx.example.com; dkim=pass\n"
        b"Subject: an offer\n of a kind\nX-Kept:  two  blanks \nX-Bytes: \xff\xe9\n"
        b"\n.one dot\n..two\n\nbody \xff \n"
    )  # fmt: skip
    assert deliver(lab, message) == (
        VERDICT + FRONT + b"Subject: [offer]\n\tan offer of a kind\n"
        b"X-Kept:  two  blanks \nX-Bytes: \xff\xe9\n.X-Edited: yes\n"
        b"\n.one dot\n..two\n\nbody \xff \n.-- \n.\n"
    )


def test_a_message_is_edited_twice(lab: Lab) -> None:
    message = FRONT + b"Subject: an offer\n\nx\n"
    once = b"Subject: [offer]\n\tan offer\n"
    assert deliver(lab, message) == VERDICT + FRONT + once + b".X-Edited: yes\n\nx\n.-- \n.\n"
    assert deliver(lab, message, "edits twice") == (
        VERDICT + FRONT + b"Subject: [offer]\n\t[offer]\tan offer\n"
        b".X-Edited: yes\n.X-Edited: yes\n\nx\n.-- \n.\n.-- \n.\n"
    )


@pytest.mark.parametrize(
    ("rest", "out"),
    [
        (b"", b".X-Edited: yes\n\n.-- \n.\n"),
        (b"\n", b".X-Edited: yes\n\n.-- \n.\n"),
        (b"\n\n\n", b".X-Edited: yes\n\n\n\n.-- \n.\n"),
        (b"X-Replace: yes\n", b".X-Edited: yes\n\n..new\n.\n"),
        (b"X-Replace: yes\n\nold\n.old\n", b".X-Edited: yes\n\n..new\n.\n"),
    ],
)
def test_messages_that_lack_a_part(lab: Lab, rest: bytes, out: bytes) -> None:
    kept = b"X-Replace: yes\n" if b"X-Replace" in rest else b""
    assert deliver(lab, FRONT + rest) == VERDICT + FRONT + kept + out


def test_a_large_message_waits_in_a_file(lab: Lab) -> None:
    body = b"\n" + b"".join(b".%d " % number + b"z" * 90 + b"\n" for number in range(200_000))
    assert deliver(lab, FRONT + body) == (
        VERDICT + FRONT + b".X-Edited: yes\n" + body + b".-- \n.\n"
    )


@pytest.mark.parametrize(
    ("field", "reply"),
    [
        (b"X-Refuse: yes\n", (550, b"5.7.1 As you wish")),
        (b"X-Fail: yes\n", (451, b"4.3.0 Temporary failure, please try again later")),
        (b"X-Many: yes\n" * 9_000, (550, b"5.6.0 Message refused: its header is too large")),
    ],
)
def test_refusals(lab: Lab, field: bytes, reply: tuple[int, bytes]) -> None:
    with mail.connect(CONFIRMED_PTR, port(CHAINS, "edits")) as client:
        message = (FRONT + field + b"\nx\n").replace(b"\n", b"\r\n")
        assert mail.send(client, STRANGER, ALICE, message) == reply
        assert client.rset()[0] == 250
    assert deliver(lab, FRONT) == VERDICT + FRONT + b".X-Edited: yes\n\n.-- \n.\n"


def test_a_message_for_which_the_disk_has_no_room_is_put_off(lab: Lab) -> None:
    line = b"x" * 998 + b"\r\n"
    message = FRONT.replace(b"\n", b"\r\n") + b"\r\n"
    with mail.connect(CONFIRMED_PTR, port(CHAINS, "little disk")) as client:
        reply = mail.send(client, STRANGER, ALICE, message + 6000 * line)
        assert reply == (451, b"4.3.0 Temporary failure, please try again later")
        assert mail.send(client, STRANGER, ALICE, message + line)[0] == 250
    assert b"\n" + b"x" * 998 + b"\n" in lab.inbox.one().message
