"""filter-greylist on smtpd 7.9, and on 6.8, which Debian 12 has and which speaks protocol 0.6."""

from collections.abc import Iterator

import pytest

from integration.support.dns_scenes import knock
from integration.support.greylist_scenes import (
    FIELD,
    FOLDER,
    NAME,
    QUICK,
    again,
    attempt,
    message,
    state,
)
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, LYING_PTR
from lab.root.namespace import SERVER4, STRANGER, visit
from lab.shows.demo import LOCAL
from lab.shows.guide import PASSWORD, Guide, records
from lab.support import Lab, Setup

PORT, USUAL = 25, 2625
CONF = f"""\
pki example.com cert "/etc/ssl/example.com.crt"
pki example.com key "/etc/ssl/private/example.com.key"
table domains file:/etc/mail/domains
table aliases file:/etc/mail/aliases
filter "greylist" proc-exec "{NAME} --state {FOLDER}/state.db {QUICK} --auto-white 0"
filter "usual" proc-exec "{NAME}"
filter "dkimsign" proc-exec "filter-dkimsign -d example.com -s mail \
-k /etc/mail/dkim/private.key" user _dkimsign group _dkimsign
listen on socket filter {{ "dkimsign", "usual" }}
listen on {SERVER4} port {PORT} tls pki example.com auth-optional filter "greylist" \
hostname example.com
listen on {SERVER4} port {USUAL} tls pki example.com auth-optional filter "usual" \
hostname example.com
action "maildir" maildir "%{{user.directory}}/Maildir" junk alias <aliases>
action "outbound" relay
match from any for domain <domains> action "maildir"
match auth from any for any action "outbound"
match from local for any action "outbound"
"""
SECOND = "alice+second@example.com"
FRIEND, OTHER = "carol@outside.example.org", "dan@other0.example.org"
SPF = {
    ("outside.example.org", "TXT"): [f'"v=spf1 ip4:{LYING_PTR} ip4:{STRANGER} -all"'],
    ("other0.example.org", "TXT"): [f'"v=spf1 ip4:{STRANGER} -all"'],
}


def prepare(guide: Guide) -> None:
    """Have filter-greylist, and nothing of the guide that smtpd 6.8 does not know."""
    state(guide)
    (guide.view / "etc/mail/smtpd.conf").write_text(CONF)


LATER = [Setup("7.9", "greylist-25", prepare)]
ON_BOTH = pytest.mark.parametrize(
    "running", [Setup("6.8", "greylist-25", prepare), *LATER], indirect=True, ids=str
)
ON_7_9 = pytest.mark.parametrize("running", LATER, indirect=True, ids=str)
"""TLS of smtpd 6.8 fails with OpenSSL 3."""


@pytest.fixture(autouse=True)
def world(running: Lab) -> Iterator[None]:
    """The DNS has SPF records, and a client of another network is there."""
    running.dns.records = {**records(running.guide), **SPF}
    with visit(STRANGER):
        yield
    assert "handler-failed" not in running.log


@ON_BOTH
def test_strangers(lab: Lab) -> None:
    later = b"4.7.1 Greylisted, please try again in 1 seconds"
    assert attempt(PORT, "a@stranger.example").recipients == ((451, later),)
    again(PORT, "a@stranger.example", LOCAL, SECOND)
    assert [len(FIELD.findall(each.message)) for each in lab.inbox.take(2)] == [1, 1]
    with knock(LYING_PTR, PORT) as client:
        assert message(client, "a@stranger.example", [SECOND]).codes == [250, 250]
        assert message(client, "b@stranger.example").codes == [451]
        assert message(client, "A@Stranger.example", [LOCAL]).codes == [250, 250]
    assert [len(FIELD.findall(each.message)) for each in lab.inbox.take(2)] == [0, 0]
    assert attempt(PORT, "a@stranger.example", source=STRANGER).codes == [451]


@ON_BOTH
def test_a_bounce(lab: Lab) -> None:
    assert attempt(PORT, "").codes == [250, 451]
    again(PORT, "")
    assert FIELD.search(lab.inbox.one().content)


@ON_BOTH
def test_spf(lab: Lab) -> None:
    assert attempt(PORT, FRIEND, source=STRANGER).codes == [451]
    again(PORT, FRIEND, source=LYING_PTR)
    assert FIELD.search(lab.inbox.one().message)


@ON_BOTH
def test_programs_on_the_machine_and_whom_they_write_to(lab: Lab) -> None:
    assert attempt(USUAL, FRIEND, source=LYING_PTR).codes == [451]
    for to in (LOCAL, FRIEND):
        mail.sendmail(lab.guide.view, "alice", to, mail.compose(LOCAL, to, "from sendmail"))
    assert not FIELD.search(lab.inbox.one().message)
    lab.sink.take()
    assert attempt(USUAL, FRIEND, source=LYING_PTR).codes == [250, 250]
    assert not FIELD.search(lab.inbox.one().message)


@ON_7_9
def test_users_and_whom_they_write_to(lab: Lab) -> None:
    assert attempt(USUAL, OTHER, source=STRANGER).codes == [451]
    with knock(CONFIRMED_PTR, USUAL) as client:
        client.starttls(context=mail.trusting(lab.guide))
        client.ehlo()
        client.login("alice", PASSWORD)
        assert message(client, LOCAL, [OTHER, LOCAL]).codes == [250, 250, 250]
    lab.sink.take()
    assert attempt(USUAL, OTHER, source=STRANGER).codes == [250, 250]
    assert [len(FIELD.findall(each.message)) for each in lab.inbox.take(2)] == [0, 0]


@ON_BOTH
def test_the_state_outlives_smtpd(running: Lab) -> None:
    again(PORT, "c@stranger.example")
    running.server.restart()
    assert attempt(PORT, "c@stranger.example").codes == [250, 250]
    running.inbox.take(2)
