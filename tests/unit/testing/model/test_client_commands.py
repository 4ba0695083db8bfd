"""Lines of a client, and what it cannot do."""

import pytest

from unit.support.smtpd_steps import echo, greeted, proceed, sent, started


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


def test_before_the_first_greeting_smtpd_hides_no_password() -> None:
    smtpd = started(phases=b"")
    client = smtpd.connect()
    client.command(b"AUTH PLAIN x")
    assert "report protocol-client|AUTH PLAIN x" in sent(smtpd)
    client.ehlo()
    client.command(b"AUTH PLAIN x")
    assert "report protocol-client|AUTH PLAIN ********" in sent(smtpd)


@pytest.mark.parametrize("line", [b"MAIL-FROM <a@b>", b"DATA-LINE", b"COMMIT", b"CONNECT", b"."])
def test_names_of_phases_are_no_commands(line: bytes) -> None:
    client = greeted(started(phases=b"mail-from"))
    client.command(line)
    assert client.replies[-1] == b"500 5.5.1 Invalid command: Command unrecognized"


def test_a_command_ends_at_a_nul() -> None:
    smtpd = started(phases=b"")
    client = greeted(smtpd)
    client.command(b"MAIL FROM:<a@b>\0 FOO=bar")
    assert client.replies[-1] == b"250 2.0.0 Ok"
    assert "report protocol-client|MAIL FROM:<a@b>" in sent(smtpd)
