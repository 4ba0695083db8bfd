"""All that filter-rspamd tells rspamd of a message, on smtpd 7.6 and 7.9."""

import re
import ssl

import pytest

from integration.support.rspamd_mail import GTUBE, Wanted, composed
from integration.support.rspamd_scenes import FROM, PLAIN, SETTINGS, asked, deliver, prepare
from lab.peers import mail
from lab.peers.clients import CONFIRMED_PTR, CONFIRMED_PTR6, NO_PTR
from lab.peers.rspamd.server import RspamdServer
from lab.root.namespace import SERVER6
from lab.shows.demo import LOCAL, STRANGER
from lab.shows.guide import PASSWORD
from lab.support import Lab, setups

pytestmark = pytest.mark.parametrize(
    "running", setups("rspamd-requests", prepare), indirect=True, ids=str
)
ECHO: Wanted = {"echo": True}


def number_of(message: bytes) -> str:
    """Return the number that smtpd's Received has."""
    found = re.search(rb" id ([0-9a-f]{8})[\s;]", message)
    assert found
    return found[1].decode("ascii")


def test_a_stranger(lab: Lab, rspamd: RspamdServer) -> None:
    message = deliver(lab, composed(ECHO, [FROM], [b"hello"]))
    told = asked(message)
    assert told.pop("size") > 100
    assert told == {
        "Pass": "All",
        "Milter": "Yes",
        "Ip": CONFIRMED_PTR,
        "Hostname": "good.example.net",
        "Helo": "client.example.net",
        "MTA-Name": "example.com",
        "Queue-Id": number_of(message),
        "From": STRANGER,
        "Rcpt": [LOCAL],
        "Deliver-To": LOCAL,
    }


def test_settings_and_several_recipients(lab: Lab, rspamd: RspamdServer) -> None:
    recipients = [LOCAL, "username@example.com", "alice@mail.example.com"]
    with mail.connect(NO_PTR, SETTINGS) as client:
        assert client.mail("")[0] == 250
        for recipient in (*recipients, "noone@example.com"):
            client.rcpt(recipient)
        assert client.data(composed(ECHO, [FROM], [b"hello"]))[0] == 250
    # Alice has two addresses. The agent writes a line less where there is no sender.
    told = asked(lab.inbox.take(2)[0].content)
    assert told["Rcpt"] == recipients
    assert (told["From"], told["Settings-ID"], told["Ip"]) == ("<>", "headers", NO_PTR)
    assert not {"Deliver-To", "Hostname", "User"} & set(told)


def test_a_user_with_tls(lab: Lab, rspamd: RspamdServer) -> None:
    with mail.connect(CONFIRMED_PTR, PLAIN) as client:
        client.starttls(context=mail.trusting(lab.guide))
        client.login("alice", PASSWORD)
        assert mail.send(client, LOCAL, LOCAL, composed(ECHO, [FROM], [b"hi"]))[0] == 250
        assert isinstance(client.sock, ssl.SSLSocket)
        cipher = client.sock.cipher()
        assert cipher is not None
    told = asked(lab.inbox.one().message)
    assert told["User"] == "alice"
    assert (told["TLS-Version"], told["TLS-Cipher"]) == ("TLSv1.3", cipher[0])


def test_a_client_of_ipv6(lab: Lab, rspamd: RspamdServer) -> None:
    with mail.connect(CONFIRMED_PTR6, PLAIN, SERVER6) as client:
        assert mail.send(client, STRANGER, LOCAL, composed(ECHO, [FROM], [b"hi"]))[0] == 250
    told = asked(lab.inbox.one().message)
    assert (told["Ip"], told["Hostname"]) == (CONFIRMED_PTR6, "good6.example.net")


def test_mail_of_this_machine(lab: Lab, rspamd: RspamdServer) -> None:
    mail.sendmail(lab.guide.view, "alice", LOCAL, composed(ECHO, [FROM], [b"hi"]))
    told = asked(lab.inbox.one().message)
    assert (told["Ip"], told["From"]) == ("127.0.0.1", "bob@signed.example")


def test_each_message_of_a_session_is_asked_about(lab: Lab, rspamd: RspamdServer) -> None:
    """One that is reset in between, and one that is refused, leave nothing behind."""
    with mail.connect(CONFIRMED_PTR, PLAIN) as client:
        client.mail("reset@example.net")
        client.rcpt("username@example.com")
        client.rset()
        gtube = composed({}, [FROM], [GTUBE, b"hello"])
        assert mail.send(client, STRANGER, "username@example.com", gtube)[0] == 550
        client.rset()
        for name in ("ann", "bob"):
            sender = f"{name}@example.net"
            assert mail.send(client, sender, LOCAL, composed(ECHO, [FROM], [b"hi"]))[0] == 250
    told = [asked(each.message) for each in lab.inbox.take(2)]
    assert sorted(each["From"] for each in told) == ["ann@example.net", "bob@example.net"]
    assert [each["Rcpt"] for each in told] == [[LOCAL]] * 2


def test_the_size_is_that_of_the_message(lab: Lab, rspamd: RspamdServer) -> None:
    """A large one is sent while it comes: rspamd has all of it, and dots as they were written."""
    for count in (1, 3000, 15_000):
        body = [b".", b"..x", b"", b"y" * 70] * count
        message = deliver(lab, composed(ECHO, [FROM], body))
        assert message.endswith(b"\n\n" + b"".join(line + b"\n" for line in body))
        before = re.sub(rb"(?m)^X-Lab-Request: .*\n", b"", message)
        assert asked(message)["size"] in (len(before), len(before) - 1)
