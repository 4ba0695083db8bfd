"""Sessions of clients, as milters see them: messages, macros, TLS, users, and who comes first."""

import re

import pytest

from integration.support.milter_scenes import (
    MESSAGE,
    begin,
    content,
    prepare,
    transaction,
    visit,
)
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, LYING_PTR, NO_PTR
from lab.peers.milters import scripted as says
from lab.peers.milters.scripted import CONTINUE, ScriptedMilter
from lab.root.namespace import SERVER4, SERVER6
from lab.shows.demo import LOCAL
from lab.shows.guide import PASSWORD
from lab.support import Lab, Setup

pytestmark = pytest.mark.parametrize(
    "running", [Setup("7.6", "milter", prepare)], indirect=True, ids=str
)
EHLO = b"client.example.net\0"
CLEAR = {b"j": b"example.com", b"v": b"OpenSMTPD", b"{daemon_name}": b"smtpd"}


def port_of(milter: ScriptedMilter) -> int:
    """Return the port of the client, as CONNECT told it."""
    (data,) = milter.said(says.CONNECT)
    return int.from_bytes(data.split(b"\0", 1)[1][1:3])


# --- who it is ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "name", "pointer"),
    [
        (CONFIRMED_PTR, b"good.example.net", b"good.example.net"),
        (NO_PTR, b"[192.0.2.5]", b"unknown"),
        (LYING_PTR, b"[192.0.2.6]", b"lying.example.net"),
    ],
)
def test_the_client(
    lab: Lab, milter: ScriptedMilter, source: str, name: bytes, pointer: bytes
) -> None:
    with begin(source=source) as client:
        assert client.sock is not None
        port = client.sock.getsockname()[1]
        client.ehlo()
        assert transaction(client).code == 250
    lab.inbox.one()
    address = source.encode()
    wanted = b"%s\x004%s%s\0" % (name, port.to_bytes(2), address)
    assert milter.said(says.CONNECT) == [wanted]
    assert milter.macros(says.CONNECT) == CLEAR | {
        b"_": b"%s [%s]" % (name, address),
        b"{if_addr}": SERVER4.encode(),
        b"{client_addr}": address,
        b"{client_name}": b"unknown" if name.startswith(b"[") else name,
        b"{client_ptr}": pointer,
        b"{client_port}": b"%d" % port,
    }


def test_a_client_with_ipv6(lab: Lab, milter: ScriptedMilter) -> None:
    with begin(source="2001:db8::7") as client:
        client.ehlo()
        assert transaction(client).code == 250
    lab.inbox.one()
    (data,) = milter.said(says.CONNECT)
    port = port_of(milter).to_bytes(2)
    assert data == b"good6.example.net\x006%s2001:db8::7\0" % port
    macros = milter.macros(says.CONNECT)
    assert macros[b"_"] == b"good6.example.net [2001:db8::7]"
    assert macros[b"{if_addr}"] == SERVER6.encode()


def test_all_commands_and_macros_of_a_message(lab: Lab, milter: ScriptedMilter) -> None:
    with begin() as client:
        client.ehlo()
        assert transaction(client, recipients=[LOCAL, "username@example.com"]).code == 250
        msgid = re.findall(r"msgid=([0-9a-f]{8})", lab.log)[-1].encode()
        assert milter.said(says.HELO) == [EHLO]
        assert milter.said(says.MAIL) == [b"<bob@example.net>\0"]
        assert milter.said(says.RCPT) == [b"<alice@example.com>\0", b"<username@example.com>\0"]
        assert milter.macros(says.HELO) == {}
        sender = {b"{mail_addr}": b"bob@example.net"}
        assert milter.macros(says.MAIL) in (sender, sender | {b"i": msgid})
        recipient = {b"{rcpt_addr}": b"username@example.com", b"i": msgid}
        assert milter.macros(says.RCPT) == recipient
        for letter in (says.DATA, says.EOH, says.EOM):
            assert milter.macros(letter) == {b"i": msgid}
        assert milter.said(says.BODY) == [b"hello\r\n.dot\r\n"]
        assert milter.letters() == b"OCHMRRTLLLLNBE"
    lab.inbox.one()


def test_the_null_sender(lab: Lab, milter: ScriptedMilter) -> None:
    assert visit(sender="").code == 250
    assert lab.inbox.one().content.endswith(MESSAGE.replace(b"\r\n", b"\n"))
    assert milter.said(says.MAIL) == [b"<>\0"]
    assert milter.macros(says.MAIL)[b"{mail_addr}"] == b""


def test_starttls_and_a_user(lab: Lab, milter: ScriptedMilter) -> None:
    with begin() as client:
        client.ehlo()
        assert milter.macros(says.HELO) == {}
        client.starttls(context=mail.trusting(lab.guide))
        client.ehlo()
        tls = milter.macros(says.HELO)
        assert tls[b"{tls_version}"] == b"TLSv1.3"
        assert tls[b"{cipher}"].startswith(b"TLS_AES_")
        assert tls[b"{cipher_bits}"] == b"256"
        client.login("alice", PASSWORD)
        assert transaction(client, sender=LOCAL).code == 250
        user = {b"{auth_authen}": b"alice", b"{auth_type}": b"PLAIN"}
        assert milter.macros(says.MAIL).items() >= user.items()
        assert milter.said(says.HELO) == [EHLO, EHLO]
        assert milter.letters() == b"OCHHMRTLLLLNBE"
    assert PASSWORD.encode() not in b"".join(each.data for each in milter.heard)
    lab.inbox.one()


def test_helo_is_refused_behind_starttls(lab: Lab, milter: ScriptedMilter) -> None:
    with begin() as client:
        client.ehlo()
        milter.plan = {says.HELO: says.REJECT}
        client.starttls(context=mail.trusting(lab.guide))
        assert client.ehlo() == (550, b"5.7.1 Command rejected")


def test_local_mail(lab: Lab, milter: ScriptedMilter) -> None:
    milter.plan = {says.EOM: says.insert(0, b"X-Top", b"top") + CONTINUE}
    mail.sendmail(lab.guide.view, "alice", LOCAL, MESSAGE)
    delivered = lab.inbox.one()
    assert b"\nX-Top: top\nFrom: bob@example.net\n" in delivered.message
    (data,) = milter.said(says.CONNECT)
    assert data == b"localhost\x004\0\x00127.0.0.1\0"
    assert milter.macros(says.CONNECT)[b"_"] == b"localhost [127.0.0.1]"
    assert milter.said(says.MAIL) == [b"<bob@example.net>\0"]  # smtpd's sendmail takes From
    seen = b"\n".join(milter.said(says.HEADER))
    assert b"Received\0" not in seen
    assert b"Subject\0hello\0" in seen


# --- several messages ---------------------------------------------------------------------------


def test_messages_of_a_session(lab: Lab, milter: ScriptedMilter) -> None:
    """What a milter says of one is not true for another."""
    with begin() as client:
        client.ehlo()
        milter.plan = {says.EOM: says.add(b"X-New", b"1") + says.body(b"1\r\n") + CONTINUE}
        assert transaction(client).code == 250
        milter.plan = {says.BODY: says.TEMPFAIL}
        assert transaction(client).code == 451
        milter.plan = {says.RCPT: says.ACCEPT}
        assert transaction(client).code == 250
        milter.plan = {says.MAIL: says.DISCARD}
        assert transaction(client).code == 250
        milter.plan = {says.EOM: says.add(b"X-New", b"5") + CONTINUE}
        assert transaction(client).code == 250
        assert milter.letters().replace(b"A", b"") == (
            b"OCH" + b"MRTLLLLNBE" + b"MRTLLLLNB" + b"MR" + b"M" + b"MRTLLLLNBE"
        )
    head, _, body = MESSAGE.partition(b"\r\n\r\n")
    found = sorted(content(each) for each in lab.inbox.take(4))
    assert found == sorted([
        ("inbox", b"Received:\r\n" + head + b"\r\nX-New: 1\r\n\r\n1\r\n"),
        ("inbox", b"Received:\r\n" + MESSAGE),
        (".Junk", b"X-Spam: Yes\r\nReceived:\r\n" + MESSAGE),
        ("inbox", b"Received:\r\n" + head + b"\r\nX-New: 5\r\n\r\n" + body),
    ])  # fmt: skip


def test_messages_that_come_to_nothing(lab: Lab, milter: ScriptedMilter) -> None:
    """The milter is told that each is over, before the next one or at once."""
    with begin() as client:
        client.ehlo()
        client.mail("bob@example.net")
        client.rset()
        milter.wait_for(says.ABORT)
        client.mail("bob@example.net")
        client.rcpt(LOCAL)
        client.rset()
        milter.wait_for(says.ABORT, 2)
        assert transaction(client).code == 250
        assert milter.letters() == b"OCHMAMRAMRTLLLLNBE"
    lab.inbox.one()
    with begin() as client:
        client.ehlo()
        client.mail("bob@example.net")
        client.rcpt(LOCAL)
        client.docmd("DATA")
        client.send(MESSAGE)
        client.close()
    milter.wait_for(says.QUIT)


def test_a_milter_that_is_done_with_the_session(lab: Lab, milter: ScriptedMilter) -> None:
    milter.plan = {says.HELO: says.ACCEPT}
    with begin() as client:
        client.ehlo()
        for _ in range(2):
            assert transaction(client).code == 250
        assert milter.letters() == b"OCH"
    lab.inbox.take(2)


def test_steps_that_a_milter_does_not_want(lab: Lab, milter: ScriptedMilter) -> None:
    """NOCONNECT to NOEOH, or silence at each of them; macros come all the same."""
    milter.plan = {says.OFFER: says.negotiation(steps=0x27F)}
    assert visit().code == 250
    assert milter.letters().startswith(b"OE")
    assert milter.macros(says.EOM).keys() == {b"i"}
    silent = dict.fromkeys(b"CHMRTLNB", says.say())
    plan = {bytes([letter]): act for letter, act in silent.items()}
    offer = says.negotiation(steps=0xDF080)
    milter.forget({**plan, says.OFFER: offer, says.EOM: says.add(b"X-New", b"1") + CONTINUE})
    assert visit().code == 250
    assert milter.letters().startswith(b"OCHMRTLLLLNBE")
    messages = [each.message for each in lab.inbox.take(2)]
    assert sum(b"\nX-New: 1\n" in each for each in messages) == 1


@pytest.mark.parametrize("version", [2, 3, 4, 6])
def test_versions(lab: Lab, milter: ScriptedMilter, version: int) -> None:
    milter.plan = {
        says.OFFER: says.negotiation(version, 0x1F if version < 6 else 0x1FF),
        says.EOM: says.add(b"X-New", b"1") + CONTINUE,
    }
    assert visit().code == 250
    assert b"\nX-New: 1\n" in lab.inbox.one().message
    assert (b"T" in milter.letters()) == (version >= 4)


def test_names_of_macros(lab: Lab, milter: ScriptedMilter) -> None:
    """The milter has named those that it wants, for HELO and for the end of the message."""
    names = b"\0\0\0\1j {client_addr}\0" + b"\0\0\0\5$i, {mail_addr} {nothing}\0"
    offer = says.frame(b"O", says.negotiation()[5:] + names)
    milter.plan = {says.OFFER: offer}
    assert visit().code == 250
    lab.inbox.one()
    assert milter.macros(says.HELO) == {b"j": b"example.com", b"{client_addr}": b"192.0.2.7"}
    assert milter.macros(says.EOM).keys() == {b"i", b"{mail_addr}"}
    assert milter.macros(says.RCPT).keys() == {b"i", b"{rcpt_addr}"}
