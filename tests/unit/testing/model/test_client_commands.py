"""What clients of the modelled smtpd can do, and what they cannot."""

import pytest

from unit.support.smtpd_steps import echo, greeted, proceed, sent, started


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


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        (b"BOGUS", b"500 5.5.1 Invalid command: Command unrecognized"),
        (b".", b"500 5.5.1 Invalid command: Command unrecognized"),
        (b"commit", b"500 5.5.1 Invalid command: Command unrecognized"),
        (b"MAIL FROM:bob", b"553 5.1.0 Sender address syntax error"),
        (b"MAIL FROM:<b|b@x.example>", b"553 5.1.0 Sender address syntax error"),
        (
            b"RCPT TO:<a@b.example>",
            b"503 5.5.1 Invalid command: Command not allowed at this point.",
        ),
        (b"DATA", b"503 5.5.1 Invalid command: Command not allowed at this point."),
        (b"EHLO again.example", b"503 5.5.1 Invalid command: Already identified"),
        (b"QUIT now", b"500 5.5.2 Invalid command arguments: command does not accept arguments."),
    ],
)
def test_commands_that_fail_before_the_filters(command: bytes, reply: bytes) -> None:
    smtpd = started(phases=b"")
    client = greeted(smtpd)
    client.command(command)
    assert client.replies[-1] == reply


def test_helo_of_a_pipe_fails_before_the_filters() -> None:
    smtpd = started(phases=b"helo")
    client = smtpd.connect()
    client.helo(b"a|b")
    assert client.replies[-1] == b"501 5.5.4 Invalid command arguments: Invalid domain name"
    client.helo(b"[IPv6:2001:db8::1]")
    assert client.waiting


def test_lines_of_a_client() -> None:
    smtpd = started(phases=b"data-line")
    client = greeted(smtpd)
    client.mail()
    client.rcpt()
    client.data()
    for line in [b"crlf\r", b"bare\rcr\r\r", b"cut\0here", b"..stuffed", b".unstuffed", b"a|b"]:
        client.line(line)
    client.line(b".\r")
    echo(smtpd)
    lines = [b"crlf", b"bare\rcr\r", b"cut", b".stuffed", b"unstuffed", b"a|b"]
    assert client.transactions[0].lines[4:] == lines
    assert client.transactions[0].sent == client.transactions[0].lines
    assert client.transactions[0].fate == "accepted"


@pytest.mark.parametrize(("size", "connected"), [(65534, True), (65535, False)])
def test_longest_line(size: int, connected: bool) -> None:
    smtpd = started(phases=b"data-line")
    client = greeted(smtpd)
    client.mail()
    client.rcpt()
    client.data()
    client.line(b"x" * size)
    assert client.connected == connected


def test_what_a_client_cannot_do() -> None:
    smtpd = started(phases=b"connect")
    client = smtpd.connect()
    with pytest.raises(RuntimeError, match="still waits for the answer to connect"):
        client.ehlo()
    proceed(smtpd, client)
    with pytest.raises(RuntimeError, match="not inside a message"):
        client.line(b"text")
    client.ehlo()
    client.mail()
    client.rcpt()
    client.data()
    with pytest.raises(RuntimeError, match="inside a message"):
        client.noop()
    client.vanish()
    with pytest.raises(RuntimeError, match="gone"):
        client.noop()


def test_timeout() -> None:
    smtpd = started(phases=b"")
    client = greeted(smtpd)
    smtpd.data_to_send()
    client.time_out()
    assert sent(smtpd) == ["report timeout", "report link-disconnect"]


def test_two_places_in_the_chain() -> None:
    smtpd = started(phases=b"connect data-line", places=2)
    client = smtpd.connect()
    first, second = smtpd.token("connect", 0), smtpd.token("connect", 1)
    assert first != second
    assert smtpd.hung() == [(client.id, "connect", first)]
    proceed(smtpd, client)
    assert smtpd.hung() == [(client.id, "connect", second)]
    proceed(smtpd, client, place=1)
    assert smtpd.hung() == []
    client.ehlo()
    client.mail()
    client.rcpt()
    client.data()
    client.send(b"hello\n")
    echo(smtpd)
    assert client.waiting
    echo(smtpd)
    assert client.transactions[0].fate == "accepted"
    assert client.transactions[0].lines[-1] == b"hello"


def test_junk_ends_the_chain() -> None:
    smtpd = started(phases=b"connect", places=2)
    client = smtpd.connect()
    proceed(smtpd, client, b"junk")
    assert not client.waiting
    assert client.junk


def test_tokens_are_those_of_the_phase() -> None:
    smtpd = started(phases=b"connect ehlo")
    one, other = smtpd.connect(), smtpd.connect()
    tokens = {
        line.split(b"|")[6] for line in smtpd.data_to_send().split(b"\n") if b"filter|" in line
    }
    assert tokens == {smtpd.token("connect")}
    assert one.id != other.id
    assert smtpd.token("ehlo") not in tokens
