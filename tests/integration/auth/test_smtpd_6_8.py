"""filter-auth on smtpd 6.8, which Debian 12 has. It speaks the filter protocol 0.6."""

import pytest

from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR
from lab.root.namespace import SERVER4
from lab.shows.demo import LOCAL
from lab.shows.guide import Guide
from lab.support import Lab, Setup

CONF = f"""\
table domains file:/etc/mail/domains
table aliases file:/etc/mail/aliases
filter "auth" proc-exec "filter-auth --enforce"
filter "dkimsign" proc-exec "filter-dkimsign -d example.com -s mail \
-k /etc/mail/dkim/private.key" user _dkimsign group _dkimsign
listen on socket filter {{ "auth", "dkimsign" }}
listen on {SERVER4} port 25 filter "auth" hostname example.com
action "maildir" maildir "%{{user.directory}}/Maildir" junk alias <aliases>
match from any for domain <domains> action "maildir"
"""


def prepare(guide: Guide) -> None:
    (guide.view / "etc/mail/smtpd.conf").write_text(CONF)


pytestmark = pytest.mark.parametrize(
    "running", [Setup("6.8", "auth", prepare)], indirect=True, ids=str
)


def message(author: str) -> bytes:
    return f"From: {author}\r\nSubject: hello\r\n\r\nhello\r\n".encode()


def test_mail_is_judged_and_policies_are_enforced(lab: Lab) -> None:
    lab.dns.records = {
        **lab.dns.records,
        ("pass.test", "TXT"): [f'"v=spf1 ip4:{CONFIRMED_PTR} -all"'],
        ("_dmarc.pass.test", "TXT"): ['"v=DMARC1; p=reject"'],
        ("_dmarc.fail.test", "TXT"): ['"v=DMARC1; p=reject"'],
        ("_dmarc.junk.test", "TXT"): ['"v=DMARC1; p=quarantine"'],
    }
    replies = []
    with mail.connect(CONFIRMED_PTR) as client:
        for name in ("pass", "fail", "junk"):
            sender = f"bob@{name}.test"
            replies.append(mail.send(client, sender, LOCAL, message(sender)))
            client.rset()
    refused = b"5.7.1 Message refused by the DMARC policy for fail.test"
    assert [code for code, _ in replies] == [250, 550, 250]
    assert replies[1][1] == refused
    folders = {each.folder: each.message for each in lab.inbox.take(2)}
    assert folders.keys() == {"inbox", ".Junk"}
    assert b"dmarc=pass header.from=pass.test" in b" ".join(folders["inbox"].split())
    assert b"\nX-Spam: Yes\n" in folders[".Junk"]


def test_local_mail_is_not_judged(lab: Lab) -> None:
    mail.sendmail(lab.guide.view, "alice", LOCAL, message(LOCAL))
    assert b"; none (not judged: local)\n" in lab.inbox.one().message
