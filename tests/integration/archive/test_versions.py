"""filter-archive on smtpd 7.9, and on 6.8, which Debian 12 has and which speaks protocol 0.6."""

import os
import signal

import pytest

from integration.support.archive_scenes import COPIES, archive, copies, hello, transaction
from integration.support.archive_scenes import prepare_user as user
from lab.chaos.processes import workers
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.copies import until
from lab.root.namespace import SERVER4
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import Guide
from lab.support import Lab, Setup

CONF = f"""\
table domains file:/etc/mail/domains
table aliases file:/etc/mail/aliases
filter "archive" {archive("kept")}
filter "dkimsign" proc-exec "filter-dkimsign -d example.com -s mail \
-k /etc/mail/dkim/private.key" user _dkimsign group _dkimsign
listen on socket filter {{ "dkimsign", "archive" }}
listen on {SERVER4} port 25 filter "archive" hostname example.com
action "maildir" maildir "%{{user.directory}}/Maildir" junk alias <aliases>
match from any for domain <domains> action "maildir"
"""


def prepare(guide: Guide) -> None:
    user(guide)
    (guide.view / "etc/mail/smtpd.conf").write_text(CONF)


pytestmark = pytest.mark.parametrize(
    "running",
    [Setup("6.8", "archive-25", prepare), Setup("7.9", "archive-25", prepare)],
    indirect=True,
    ids=str,
)


def test_messages_of_a_session(lab: Lab) -> None:
    with mail.connect(CONFIRMED_PTR) as client:
        assert transaction(client, hello("one"), [LOCAL, "root@example.com"]) == 250
        client.mail(STRANGER)
        client.rcpt(LOCAL)
        client.rset()
        assert transaction(client, hello("refused"), ["no-such-user@example.com"]) == 503
        client.rset()
        assert transaction(client, hello("two"), ["no-such-user@example.com", LOCAL]) == 250
    one, two = sorted(copies(lab).take(2), key=lambda each: len(each.recipients), reverse=True)
    assert one.recipients == [LOCAL.encode(), b"root@example.com"]
    assert (two.sender, two.recipients) == (STRANGER.encode(), [LOCAL.encode()])
    assert one.status == two.status == "accepted"
    assert {one.message, two.message} == {each.message for each in lab.inbox.take(2)}
    assert copies(lab).settled() == []
    for each in (lab.guide.home("username") / "Maildir/new").iterdir():
        each.unlink()


def test_local_mail(lab: Lab) -> None:
    mail.sendmail(lab.guide.view, "alice", LOCAL, b"Subject: local\n\ntext\n")
    copy = copies(lab).one()
    assert copy.message.endswith(b"\n\ntext\n")
    assert copy.recipients == [LOCAL.encode()]
    lab.inbox.one()


def test_a_process_is_killed(lab: Lab) -> None:
    for number in range(3):
        for each in workers(lab.server):
            if each.kind == COPIES:
                os.kill(each.pid, signal.SIGKILL)
        with mail.connect(CONFIRMED_PTR) as client:
            assert transaction(client, hello(f"number {number}")) == 250
        assert copies(lab).one().message == lab.inbox.one().message


def test_the_filter_is_killed(running: Lab) -> None:
    """smtpd ends, and what it had accepted is there."""
    lab = running
    with mail.connect(CONFIRMED_PTR) as client:
        assert transaction(client, hello("before")) == 250
    delivered = lab.inbox.one().message
    for pid in lab.server.filters("filter-archive"):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not lab.server.alive())
    lab.server.restart()
    assert copies(lab).one().message == delivered
    with mail.connect(CONFIRMED_PTR) as client:
        assert transaction(client, hello("behind")) == 250
    copy = copies(lab).one()
    assert (copy.status, copy.message) == ("accepted", lab.inbox.one().message)
