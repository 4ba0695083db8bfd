"""filter-headers on smtpd 7.9, and on 6.8, which Debian 12 has. That speaks the protocol 0.6."""

import pytest

from integration.support.headers_scenes import (
    PORTS,
    Fate,
    connect,
    own_received,
    prepare,
    prepare_6_8,
    visit,
    written,
)
from lab.peers import mail
from lab.peers.verify import flaw, signatures
from lab.root.namespace import SERVER4
from lab.shows.demo import LOCAL
from lab.shows.guide import PASSWORD
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running",
    [Setup("7.9", "headers", prepare), Setup("6.8", "headers", prepare_6_8)],
    indirect=True,
    ids=str,
)
CHECKED = b'X-Checked: by the "rules"\r\nReceived:\r\n'


def test_actions(lab: Lab) -> None:
    assert visit(lab, "actions", written(b"Subject: =?utf-8?q?buy?=\r\n =?utf-8?q?_now?=")) == Fate(
        "550 5.7.1 Message refused"
    )
    assert visit(lab, "actions", written(b"X-Case: later")) == Fate("451 4.7.1 Come again")
    assert visit(lab, "actions", written(b"X-Case: bye")) == Fate("421 4.3.2 Bye")
    fields = (b"Subject: =?iso-8859-1?q?g=FCnstig?=", b"X-Internal-Id: 1")
    assert visit(lab, "actions", written(*fields)) == Fate(
        ".Junk", b"X-Spam: Yes\r\n" + CHECKED + written(*fields[:1])
    )
    assert visit(lab, "actions", written(b"Reply-To: a@old.example")) == Fate(
        "inbox", CHECKED + written(b"Reply-To: Staff <staff@example.org>")
    )


def test_a_signature_holds(lab: Lab) -> None:
    with connect("before dkimsign") as client:
        message = written(b"From: alice@example.com", b"Subject: secret", b"X-Drop: 1")
        assert mail.send(client, LOCAL, LOCAL, message)[0] == 250
    delivered = lab.inbox.one().message
    assert (signatures(delivered), flaw(delivered)) == (1, None)
    assert b"\nSubject: hidden\n" in delivered


def test_privacy(lab: Lab) -> None:
    """For a client on this machine and, where there is TLS, for one who has logged in."""
    received = []
    for title in ("privacy", "masked"):
        with mail.connect(SERVER4, PORTS[title]) as client:
            assert mail.send(client, LOCAL, LOCAL, written(b"User-Agent: x"))[0] == 250
        received.append(lab.inbox.one().message)
    assert own_received(received[0]) == own_received(received[1])
    assert [b"User-Agent" in each for each in received] == [False, True]
    assert b"192.0.2.7" in visit_received(lab)
    if lab.smtpd == "6.8":
        return
    with connect("privacy") as client:
        client.starttls(context=mail.trusting(lab.guide))
        client.login("alice", PASSWORD)
        assert mail.send(client, LOCAL, LOCAL, written(b"User-Agent: x"))[0] == 250
    message = lab.inbox.one().message
    assert own_received(message).startswith(b"Received: by example.com (OpenSMTPD) with ESMTPSA")
    assert b"User-Agent" not in message


def visit_received(lab: Lab) -> bytes:
    """Return smtpd's own field in the mail of a stranger."""
    with connect("privacy") as client:
        assert mail.send(client, "bob@example.net", LOCAL, written())[0] == 250
    return own_received(lab.inbox.one().message)
