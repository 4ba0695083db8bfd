"""Commands that smtpd refuses before it asks a filter."""

import pytest

from unit.support.smtpd_steps import greeted, started


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
