"""filter-milter on smtpd 7.9, and on 6.8, which Debian 12 has and which speaks protocol 0.6."""

import re

import pytest

from integration.support.milter_scenes import (
    MESSAGE,
    NAME,
    PLACE,
    Seen,
    begin,
    content,
    transaction,
    visit,
)
from lab.peers import mail
from lab.peers.milters import scripted as says
from lab.peers.milters.scripted import CONTINUE, ScriptedMilter
from lab.root.namespace import SERVER4
from lab.shows.demo import LOCAL
from lab.shows.guide import PASSWORD, Guide
from lab.support import Lab, Setup

CONF = f"""\
pki example.com cert "/etc/ssl/example.com.crt"
pki example.com key "/etc/ssl/private/example.com.key"
table domains file:/etc/mail/domains
table aliases file:/etc/mail/aliases
filter "milter" proc-exec "{NAME} {PLACE}"
filter "dkimsign" proc-exec "filter-dkimsign -d example.com -s mail \
-k /etc/mail/dkim/private.key" user _dkimsign group _dkimsign
listen on socket filter {{ "dkimsign", "milter" }}
listen on {SERVER4} port 25 tls pki example.com auth-optional filter "milter" hostname example.com
action "maildir" maildir "%{{user.directory}}/Maildir" junk alias <aliases>
match from any for domain <domains> action "maildir"
"""
PORT = 25


def prepare(guide: Guide) -> None:
    (guide.view / "etc/mail/smtpd.conf").write_text(CONF)


LATER = [Setup("7.9", "milter-25", prepare)]
ON_BOTH = pytest.mark.parametrize(
    "running", [Setup("6.8", "milter-25", prepare), *LATER], indirect=True, ids=str
)
ON_7_9 = pytest.mark.parametrize("running", LATER, indirect=True, ids=str)
"""TLS of smtpd 6.8 fails with OpenSSL 3."""


@ON_BOTH
@pytest.mark.parametrize("stage", says.STAGES)
def test_a_refusal(lab: Lab, milter: ScriptedMilter, stage: str) -> None:
    milter.forget({says.STAGES[stage]: says.reply(b"554 5.7.1 no: 100%%")})
    at = stage if stage in ("connect", "helo", "mail", "rcpt", "data") else "dot"
    assert visit(PORT) == Seen(at, 554, "5.7.1 no: 100%")
    milter.forget({says.STAGES[stage]: says.reply(b"421 4.3.2 closing")})
    assert visit(PORT) == Seen(at, 421, "4.3.2 closing")


@ON_BOTH
@pytest.mark.parametrize("stage", ["helo", "data"])
def test_a_refusal_holds(lab: Lab, milter: ScriptedMilter, stage: str) -> None:
    milter.forget({says.STAGES[stage]: says.REJECT})
    refused = (550, b"5.7.1 Command rejected")
    with begin(PORT) as client:
        for _ in range(2):
            if stage == "helo":
                assert client.ehlo() == refused
            else:
                client.ehlo()
                assert client.mail("bob@example.net")[0] == client.rcpt(LOCAL)[0] == 250
                assert client.docmd("DATA") == client.docmd("DATA") == refused
                client.rset()


@ON_BOTH
def test_messages_of_a_session(lab: Lab, milter: ScriptedMilter) -> None:
    with begin(PORT) as client:
        client.ehlo()
        milter.plan = {says.EOM: says.add(b"X-New", b"1") + says.body(b"new\r\n.\r\n") + CONTINUE}
        assert transaction(client).code == 250
        milter.plan = {says.EOM: says.DISCARD}
        assert transaction(client).code == 250
        milter.plan = {}
        assert transaction(client).code == 250
        one = b"OCHMRTLLLLNBE"
        assert milter.letters().replace(b"A", b"") == one + one[3:] * 2
        msgid = re.findall(r"msgid=([0-9a-f]{8})", lab.log)[-1].encode()
        assert milter.macros(says.EOM) == {b"i": msgid}
        assert milter.macros(says.CONNECT)[b"_"] == b"good.example.net [192.0.2.7]"
        assert milter.macros(says.CONNECT)[b"j"] == b"example.com"
    head = MESSAGE.partition(b"\r\n\r\n")[0]
    assert sorted(content(each) for each in lab.inbox.take(3)) == sorted([
        ("inbox", b"Received:\r\n" + head + b"\r\nX-New: 1\r\n\r\nnew\r\n.\r\n"),
        (".Junk", b"X-Spam: Yes\r\nReceived:\r\n" + MESSAGE),
        ("inbox", b"Received:\r\n" + MESSAGE),
    ])  # fmt: skip


@ON_7_9
def test_starttls_and_a_user(lab: Lab, milter: ScriptedMilter) -> None:
    with begin(PORT) as client:
        client.ehlo()
        client.starttls(context=mail.trusting(lab.guide))
        client.ehlo()
        assert milter.macros(says.HELO)[b"{tls_version}"].startswith(b"TLSv1.")
        client.login("alice", PASSWORD)
        assert transaction(client, sender=LOCAL).code == 250
        assert milter.macros(says.MAIL)[b"{auth_authen}"] == b"alice"
        assert milter.letters() == b"OCHHMRTLLLLNBE"
    lab.inbox.one()


@ON_BOTH
def test_local_mail(lab: Lab, milter: ScriptedMilter) -> None:
    mail.sendmail(lab.guide.view, "alice", LOCAL, MESSAGE)
    lab.inbox.one()
    assert milter.said(says.CONNECT) == [b"localhost\x004\0\x00127.0.0.1\0"]


@ON_BOTH
def test_a_milter_is_away_and_comes_back(lab: Lab, milter: ScriptedMilter) -> None:
    milter.away()
    try:
        with begin(PORT) as client:
            client.ehlo()
            assert transaction(client).code == 451
            milter.back()
            assert transaction(client).code == 250
    finally:
        milter.away()
        milter.back()
    lab.inbox.one()
