"""filter-rspamd on smtpd 6.8, which Debian 12 has. It speaks the filter protocol 0.6."""

import pytest

from integration.support.rspamd_mail import GTUBE, Lines, composed
from integration.support.rspamd_scenes import FROM, header
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.peers.rspamd.server import RspamdServer
from lab.root.namespace import SERVER4
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import Guide
from lab.support import Lab, Setup

CONF = f"""\
table domains file:/etc/mail/domains
table aliases file:/etc/mail/aliases
filter "rspamd" proc-exec "filter-rspamd -settings-id headers --timeout 5"
filter "dkimsign" proc-exec "filter-dkimsign -d example.com -s mail \
-k /etc/mail/dkim/private.key" user _dkimsign group _dkimsign
listen on socket filter {{ "rspamd", "dkimsign" }}
listen on {SERVER4} port 25 filter "rspamd" hostname example.com
action "maildir" maildir "%{{user.directory}}/Maildir" junk alias <aliases>
match from any for domain <domains> action "maildir"
"""


def prepare(guide: Guide) -> None:
    """Have filter-rspamd, and nothing of the guide that smtpd 6.8 does not know."""
    (guide.view / "etc/mail/smtpd.conf").write_text(CONF)


pytestmark = pytest.mark.parametrize(
    "running", [Setup("6.8", "rspamd", prepare)], indirect=True, ids=str
)


def test_verdicts(lab: Lab, rspamd: RspamdServer) -> None:
    """All of them come in one session."""
    forged, folded = b"X-SPAM: forged", b" folded"
    messages = [
        composed({}, [b"Subject: passes", forged, FROM], [b".", b"hello"]),
        composed({"score": 7, "symbols": 9}, [b"Subject: is marked", FROM], [b"hello"]),
        composed({"score": 5.5}, [FROM, b"Subject: is renamed", folded], [b"hello"]),
        composed({}, [FROM], [GTUBE, b"hello"]),
        composed({"action": "soft reject"}, [FROM], [b"hello"]),
        composed({"score": 6.5}, [b"Subject: is large", FROM], [b"x" * 98] * 9000),
    ]
    replies = []
    with mail.connect(CONFIRMED_PTR) as client:
        for message in messages:
            replies.append(mail.send(client, STRANGER, LOCAL, message))
            client.rset()
    assert [code for code, _ in replies] == [250, 250, 250, 550, 451, 250]
    assert replies[3:5] == [(550, b"Gtube pattern"), (451, b"try again later")]
    headers = [header(each.message) for each in lab.inbox.take(4)]
    assert {subject(each): b"X-Spam: yes" in each for each in headers} == {
        b"passes": False,
        b"is marked": True,
        b"*** SPAM *** is renamed folded": False,
        b"is large": True,
    }
    assert all(b"X-Spamd-Bar: " in b"\n".join(each) for each in headers)
    assert not {forged, folded} & {line for each in headers for line in each}


def subject(lines: Lines) -> bytes:
    """Return the subject in a header."""
    (found,) = [line for line in lines if line.startswith(b"Subject: ")]
    return found.removeprefix(b"Subject: ")


def test_local_mail(lab: Lab, rspamd: RspamdServer) -> None:
    mail.sendmail(lab.guide.view, "alice", LOCAL, composed({"echo": True}, [FROM], [b"hello"]))
    text = b"\n".join(header(lab.inbox.one().message))
    assert b'"Ip":"127.0.0.1"' in text
    assert b'"From":"bob@signed.example"' in text


def test_rspamd_away(lab: Lab, rspamd: RspamdServer) -> None:
    hello = composed({}, [FROM], [b"hello"])
    rspamd.kill9()
    with mail.connect(CONFIRMED_PTR) as client:
        assert mail.send(client, STRANGER, LOCAL, hello)[0] == 451
        client.rset()
        rspamd.start()
        assert mail.send(client, STRANGER, LOCAL, hello)[0] == 250
    assert b"X-Spamd-Bar: " in lab.inbox.one().message
