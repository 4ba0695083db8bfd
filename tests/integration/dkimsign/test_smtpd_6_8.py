"""The filters on smtpd 6.8, which Debian 12 has. It speaks the filter protocol 0.6."""

import smtplib
import struct
import subprocess

import pytest

from integration.support.checks import ALICE, HEADER, assert_intact, deliver, hang_up
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, NO_PTR, reverse
from lab.peers.passage import through_smtpd
from lab.peers.verify import flaw, signatures
from lab.root import inside
from lab.root.namespace import SERVER4
from lab.root.plugin import LIBEXEC
from lab.shows.demo import STRANGER
from lab.shows.guide import Guide
from lab.support import Lab, Setup, need_stage

CONF_PATH = "/etc/mail/smtpd.conf"
LISTED = "192.0.2.101"
LIST = (reverse(LISTED).replace("in-addr.arpa", "bl.test"), "A")
CONF = f"""\
table domains file:/etc/mail/domains
table aliases file:/etc/mail/aliases
filter "dkimsign" proc-exec "filter-dkimsign -m -d example.com -s mail \
-k /etc/mail/dkim/private.key" user _dkimsign group _dkimsign
filter "rdns" proc-exec "filter-rdns --rdns reject"
filter "dnsbl" proc-exec "filter-dnsbl --junk-at 1 --header bl.test"
listen on socket filter "dkimsign"
listen on {SERVER4} port 25 filter {{ "rdns", "dnsbl" }} hostname example.com
listen on {SERVER4} port 587 filter "dkimsign" hostname example.com
action "maildir" maildir "%{{user.directory}}/Maildir" junk alias <aliases>
match from any for domain <domains> action "maildir"
"""
"""Without TLS: in this root, the handshake of 6.8 fails with any certificate."""


def prepare(guide: Guide) -> None:
    (guide.view / CONF_PATH[1:]).write_text(CONF)


on_6_8 = pytest.mark.parametrize(
    "running", [Setup("6.8", "filters", prepare)], indirect=True, ids=str
)


@on_6_8
def test_a_submitted_message_is_signed(lab: Lab) -> None:
    message = HEADER + b"Message-ID: <1@lab.example.com>\r\n\r\nhello\r\n.\r\n"
    passage = through_smtpd(message)
    assert passage is not None
    with mail.connect(port=587) as client:
        assert_intact(deliver(lab, client, message), passage, submission=True)


@on_6_8
def test_what_smtpd_would_add_is_added_before_and_signed(lab: Lab) -> None:
    message = b"From: alice@example.com\r\nSubject: hi\r\n\r\nhello\r\n"
    with mail.connect(port=587) as client:
        delivered = deliver(lab, client, message).message
    assert signatures(delivered) == 1
    assert flaw(delivered) is None
    assert delivered.lower().count(b"\ndate: ") == 1
    assert delivered.lower().count(b"\nmessage-id: ") == 1


@on_6_8
def test_local_mail_is_signed_with_a_key_that_is_read_again(lab: Lab) -> None:
    hang_up(lab, "reloaded")
    mail.sendmail(lab.guide.view, "alice", ALICE, b"Subject: hi\n\nhello\n")
    delivered = lab.inbox.one().message
    assert signatures(delivered) == 1
    assert flaw(delivered) is None


@on_6_8
def test_clients_without_a_name_are_refused(lab: Lab) -> None:
    message = mail.compose(STRANGER, ALICE, "named")
    with mail.connect(CONFIRMED_PTR) as client:
        assert mail.send(client, STRANGER, ALICE, message)[0] == 250
    assert lab.inbox.one().folder == "inbox"
    with pytest.raises(smtplib.SMTPConnectError) as caught:
        mail.connect(NO_PTR)
    assert caught.value.smtp_code == 550


@on_6_8
def test_mail_of_a_client_on_a_list_is_junk(lab: Lab) -> None:
    lab.dns.records = {**lab.dns.records, LIST: ["127.0.0.2"]}
    message = mail.compose(STRANGER, ALICE, "listed")
    with mail.connect(LISTED) as client:
        assert mail.send(client, STRANGER, ALICE, message)[0] == 250
    delivered = lab.inbox.one()
    assert delivered.folder == ".Junk"
    reason = b"X-Spam-Reason: dnsbl; 192.0.2.101 is listed at bl.test (127.0.0.2)\n"
    assert delivered.message.startswith(reason + b"X-Spam: Yes\nReceived: ")


OPEN, SIZE = 2, 16 + 2052
"""The type and the size of the message with which smtpd 6.8 opens a table (``struct imsg_hdr`` of
``imsg.h``, ``PROC_TABLE_OPEN`` of ``smtpd-api.h``).
"""


@pytest.mark.parametrize("running", [None], indirect=True, ids=["alone"])
@pytest.mark.usefixtures("running")
def test_its_tables_speak_a_protocol_in_binary() -> None:
    """``smtpd -n`` takes the line. smtpd waits for an answer, and ends where the program ends."""
    view = need_stage("6.8").guide("6.8-table").view
    program = view / LIBEXEC / "table-sqlite"
    program.unlink()
    program.write_text("#!/bin/sh\nhead -c 16 >/tmp/first\n")
    program.chmod(0o755)
    (view / "etc/mail/sqlite.conf").touch()
    table = CONF.replace("aliases file:/etc/mail/aliases", "aliases sqlite:/etc/mail/sqlite.conf")
    (view / CONF_PATH[1:]).write_text(table)
    assert inside.tried(view, "smtpd", "-n", "-f", CONF_PATH).stderr == b"configuration OK\n"
    smtpd = subprocess.Popen([inside.CHROOT, view, "/usr/sbin/smtpd", "-d", "-f", CONF_PATH])
    try:
        assert smtpd.wait(60) == 1
    finally:
        smtpd.kill()
    kind, size, _flags, _peer, _pid = struct.unpack("=IHHII", (view / "tmp/first").read_bytes())
    assert (kind, size) == (OPEN, SIZE)
