"""filter-limit on smtpd 7.9, and on 6.8, which Debian 12 has and which speaks protocol 0.6."""

import re
import time

import pytest

from integration.support.limit_scenes import (
    FOLDER,
    NAME,
    OTHER_CLIENT,
    OTHER_DOMAIN,
    STATES,
    Limited,
    Sent,
    forget,
    later,
    lay_out,
    say,
    send,
    session,
    write_rules,
)
from integration.support.milter_scenes import Seen
from lab.peers import mail
from lab.root.namespace import SERVER4
from lab.shows.demo import LOCAL
from lab.shows.guide import Guide
from lab.support import Lab, Setup

CONF = f"""\
pki example.com cert "/etc/ssl/example.com.crt"
pki example.com key "/etc/ssl/private/example.com.key"
table domains file:/etc/mail/domains
table aliases file:/etc/mail/aliases
filter "limit" proc-exec "{NAME} --state /{STATES}/one.db /{FOLDER}/one"
filter "dkimsign" proc-exec "filter-dkimsign -d example.com -s mail \
-k /etc/mail/dkim/private.key" user _dkimsign group _dkimsign
listen on socket filter {{ "limit", "dkimsign" }}
listen on {SERVER4} port 25 tls pki example.com auth-optional filter "limit" hostname example.com
action "maildir" maildir "%{{user.directory}}/Maildir" junk alias <aliases>
match from any for domain <domains> action "maildir"
"""
PORT = 25


def prepare(guide: Guide) -> None:
    lay_out(guide.view, {"one": Limited("sender messages 1000/1s\n")})
    (guide.view / "etc/mail/smtpd.conf").write_text(CONF)


LATER = [Setup("7.9", "limit-25", prepare)]
ON_BOTH = pytest.mark.parametrize(
    "running", [Setup("6.8", "limit-25", prepare), *LATER], indirect=True, ids=str
)
ON_7_9 = pytest.mark.parametrize("running", LATER, indirect=True, ids=str)
"""TLS of smtpd 6.8 fails with OpenSSL 3, and without TLS nobody authenticates."""


@ON_BOTH
@pytest.mark.parametrize(
    ("rule", "stage", "reply"),
    [
        ("address messages 2/1h", "dot", f"450 {later()}"),
        ("network messages 2/1h reject", "dot", r"550 5\.7\.1 Too many messages"),
        ("sender recipients 2/1h", "rcpt", f"450 {later('recipients')}"),
        ("sender-domain recipients 2/1h reject", "rcpt", r"550 5\.7\.1 Too many recipients"),
        ("recipient-domain bytes 2K/1h", "dot", f"450 {later('bytes')}"),
        ("recipient-domain messages 2/1h burst 2 pace", "dot", f"450 {later()}"),
    ],
)
def test_a_rule(lab: Lab, rule: str, stage: str, reply: str) -> None:
    forget(lab, "one")
    write_rules(lab, "one", f"{rule}\n")
    with session(lab, PORT, Sent()) as client:
        seen = [say(client, Sent(size=500)) for _ in range(3)]
    assert [each.code for each in seen[:2]] == [250, 250]
    assert seen[2].stage == stage
    assert re.fullmatch(reply, f"{seen[2].code} {seen[2].text}")
    lab.inbox.take(2)


@ON_BOTH
def test_pace(lab: Lab) -> None:
    forget(lab, "one")
    write_rules(lab, "one", "recipient-domain messages 5/1s pace\n")
    begin = time.monotonic()
    with session(lab, PORT, Sent()) as client:
        assert [say(client, Sent()).code for _ in range(4)] == [250] * 4
    assert time.monotonic() - begin >= 3 / 5
    lab.inbox.take(4)


@ON_BOTH
def test_local_mail(lab: Lab) -> None:
    """It counts for its sender, and for no address."""
    forget(lab, "one")
    write_rules(lab, "one", "address messages 1/1h\nsender alice@example.com messages 2/1h\n")
    for number in range(2):
        message = mail.compose(LOCAL, LOCAL, f"local {number}")
        mail.sendmail(lab.guide.view, "alice", LOCAL, message)
    lab.inbox.take(2)
    assert send(lab, PORT, Sent(LOCAL, address=OTHER_CLIENT))[:2] == ("dot", 450)


@ON_7_9
def test_a_user(lab: Lab) -> None:
    forget(lab, "one")
    write_rules(lab, "one", "user messages 2/1h\nuser recipients 3/1h stop\n")
    alice = Sent(LOCAL, user="alice")
    stopped = Seen("rcpt", 550, "5.7.1 This account has sent too much mail and is stopped")
    assert [send(lab, PORT, alice).code for _ in range(2)] == [250, 250]
    assert send(lab, PORT, alice)[:2] == ("dot", 450)
    assert send(lab, PORT, alice)[:2] == ("mail", 450)
    write_rules(lab, "one", "user recipients 3/1h stop\n")
    assert send(lab, PORT, alice._replace(recipients=(LOCAL, OTHER_DOMAIN))) == stopped
    assert send(lab, PORT, alice) == stopped._replace(stage="mail")
    lab.inbox.take(2)
