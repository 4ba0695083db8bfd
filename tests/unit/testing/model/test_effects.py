"""What commands do that the filters let through."""

import pytest

from opensmtpd.testing import Smtpd
from unit.support.smtpd_steps import greeted, proceed, sent, started
from unit.support.smtpd_walk import Write, answer, at_phase


def test_second_ehlo() -> None:
    for version, reply in (("7.6.0", b"503 5.5.1"), ("7.9.0", b"250 HELP")):
        client = greeted(started(version, phases=b""))
        client.mail()
        client.ehlo(b"again.example")
        assert client.replies[-1].startswith(reply)
        assert client.transactions[0].fate == ("pending" if version == "7.6.0" else "rolled back")


def test_tls_and_auth() -> None:
    for version, fields in (("6.8.0", "alice|pass"), ("7.6.0", "pass|alice")):
        smtpd = started(version, phases=b"starttls auth")
        client = greeted(smtpd)
        client.auth()
        assert client.replies[-1] == b"503 5.5.1 Invalid command: Command not supported"
        smtpd.data_to_send()
        client.starttls()
        proceed(smtpd, client)
        client.ehlo()
        client.auth(b"alice", b"secret")
        proceed(smtpd, client)
        lines = sent(smtpd)
        assert lines[:5] == [
            "report protocol-client|STARTTLS",
            "filter starttls|",
            "report filter-response|tls|proceed",
            "report protocol-server|220 2.0.0 Ready to start TLS",
            "report link-tls|TLSv1.3:TLS_AES_256_GCM_SHA384:256",
        ]
        assert lines[-5:] == [
            "report protocol-client|AUTH PLAIN ********",
            "filter auth|PLAIN AGFsaWNlAHNlY3JldA==",
            "report filter-response|auth|proceed",
            f"report link-auth|{fields}",
            "report protocol-server|235 2.0.0 Authentication succeeded",
        ]
        assert client.username == b"alice"


def test_failed_auth() -> None:
    smtpd = started(phases=b"")
    client = greeted(smtpd)
    client.starttls()
    client.ehlo()
    client.auth(b"alice", b"wrong", "fail")
    assert client.replies[-1] == b"535 Authentication failed"
    assert client.username is None
    assert "report link-auth|fail|alice" in sent(smtpd)


def test_help_is_never_asked_about() -> None:
    smtpd = started(phases=b"help")
    client = greeted(smtpd)
    client.help()
    assert client.replies[-1] == b"214 2.0.0 End of HELP info"


@pytest.mark.parametrize("phase", ["rcpt-to", "data"])
def test_junk_in_a_transaction_marks_the_message(smtpd: Smtpd, phase: str, write: Write) -> None:
    client = at_phase(smtpd, phase)
    write(smtpd, answer(smtpd, client, b"junk"))
    assert not client.junk
    assert client.transactions[0].junk
    if phase == "rcpt-to":
        client.data()
        proceed(smtpd, client)
    assert client.transactions[0].sent[0] == b"X-Spam: Yes"


def test_rewrite_with_brackets(smtpd: Smtpd, write: Write) -> None:
    client = at_phase(smtpd, "ehlo")
    write(smtpd, answer(smtpd, client, b"rewrite|other.example"))
    client.mail()
    write(smtpd, answer(smtpd, client, b"rewrite|<new@example.org>"))
    client.rcpt()
    write(smtpd, answer(smtpd, client, b"rewrite|<other@example.org>"))
    assert client.identity == b"other.example"
    assert client.transactions[0].sender == b"new@example.org"
    assert client.transactions[0].recipients == [b"other@example.org"]


def test_rewrite_without_brackets(smtpd: Smtpd, write: Write) -> None:
    client = at_phase(smtpd, "mail-from")
    write(smtpd, answer(smtpd, client, b"rewrite|new@example.org"))
    assert client.replies[-1] == b"553 5.1.0 Sender address syntax error"
    client.mail()
    proceed(smtpd, client)
    client.rcpt()
    write(smtpd, answer(smtpd, client, b"rewrite|new@example.org"))
    assert client.replies[-1] == b"501 5.1.3 Recipient address syntax error"
    assert client.transactions[0].recipients == []


def test_a_sender_with_an_unknown_parameter_is_reported_and_forgotten() -> None:
    smtpd = started(phases=b"mail-from")
    client = greeted(smtpd)
    client.command(b"MAIL FROM:<bob@remote.example> FOO=bar")
    proceed(smtpd, client)
    reply = "503 5.5.4 Invalid command arguments: Unsupported option FOO=bar"
    assert sent(smtpd)[-3:] == [
        "report filter-response|mail-from|proceed",
        f"report protocol-server|{reply}",
        "report tx-mail|00000000|permfail|bob@remote.example",
    ]
    assert (client.transaction, client.transactions) == (None, [])


def test_a_recipient_with_an_unknown_parameter_is_none() -> None:
    client = greeted(started(phases=b""))
    client.mail()
    client.command(b"RCPT TO:<alice@example.com> FOO=bar")
    assert client.replies[-1] == b"503 Unsupported option FOO=bar"
    client.command(b"RCPT TO:<@relay:alice@example.com> NOTIFY=NEVER")
    assert client.transactions[0].recipients == [b"alice@example.com"]


def test_received_names_a_bare_recipient_in_full() -> None:
    client = greeted(started(phases=b""))
    client.mail()
    client.rcpt(b"alice")
    client.data()
    assert client.transactions[0].recipients == [b"alice"]
    assert b"\tfor <alice@example.com>;\n" in client.transactions[0].received
