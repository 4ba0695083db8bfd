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
        (b"MAIL FROM:<b,b@x.example>", b"553 5.1.0 Sender address syntax error"),
        (
            b"RCPT TO:<a@b.example>",
            b"503 5.5.1 Invalid command: Command not allowed at this point.",
        ),
        (b"DATA", b"503 5.5.1 Invalid command: Command not allowed at this point."),
        (b"EHLO again.example", b"503 5.5.1 Invalid command: Already identified"),
        (b"QUIT now", b"500 5.5.4 Invalid command arguments: command does not accept arguments."),
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


NOT_NOW = b"503 5.5.1 Invalid command: Command not allowed at this point."
NO_ARGUMENTS = b"500 5.5.4 Invalid command arguments: command does not accept arguments."


def reply_to(*commands: bytes) -> bytes:
    """Return the last reply to a client that has sent these commands only."""
    client = started(phases=b"").connect()
    for command in commands:
        client.command(command)
    return client.replies[-1]


EHLO = b"EHLO client.example"


@pytest.mark.parametrize(
    ("commands", "reply"),
    [
        ([b"MAIL FROM:<>"], NOT_NOW),
        ([b"RSET"], NOT_NOW),
        ([b"STARTTLS"], NOT_NOW),
        ([b"AUTH PLAIN x"], NOT_NOW),
        ([b"HELO"], b"501 5.5.1 Invalid command: HELO requires domain name"),
        ([b"EHLO"], b"501 5.5.1 Invalid command: EHLO requires domain name"),
        ([EHLO, b"HELO x.example"], b"503 5.5.1 Invalid command: Already identified"),
        (
            [EHLO, b"STARTTLS now"],
            b"501 5.5.4 Invalid command arguments: No parameters allowed",
        ),
        (
            [EHLO, b"STARTTLS", EHLO, b"STARTTLS"],
            b"503 5.5.1 Invalid command: Channel already secured",
        ),
        ([EHLO, b"STARTTLS", b"MAIL FROM:<>"], NOT_NOW),  # who he is must be said anew
        ([EHLO, b"AUTH PLAIN x"], b"503 5.5.1 Invalid command: Command not supported"),
        (
            [EHLO, b"STARTTLS", EHLO, b"AUTH"],
            b"501 5.5.4 Invalid command arguments: No parameters given",
        ),
        (
            [EHLO, b"STARTTLS", EHLO, b"AUTH PLAIN x", b"AUTH PLAIN x"],
            b"503 5.5.1 Invalid command: Already authenticated",
        ),
        ([EHLO, b"MAIL FROM:<>", b"MAIL FROM:<>"], NOT_NOW),
        ([EHLO, b"MAIL FROM:<>", b"STARTTLS"], NOT_NOW),
        ([EHLO, b"MAIL FROM:"], b"553 5.1.0 Sender address syntax error"),
        (
            [EHLO, b"MAIL FROM:<>", b"RCPT TO:<>"],
            b"501 5.1.3 Recipient address syntax error",
        ),
        (
            [EHLO, b"MAIL FROM:<>", b"DATA"],
            b"503 5.5.4 Invalid command arguments: No recipient specified",
        ),
        ([EHLO, b"MAIL FROM:<>", b"RCPT TO:<a>", b"DATA now"], NO_ARGUMENTS),
        ([EHLO, b"RSET now"], NO_ARGUMENTS),
        ([EHLO, b"HELP me"], NO_ARGUMENTS),
        ([EHLO, b"NOOP anything"], b"250 2.0.0 Ok"),
        ([EHLO, b"rset"], b"250 2.0.0 Reset state"),
    ],
)
def test_what_comes_too_early_too_late_or_with_too_much(
    commands: list[bytes], reply: bytes
) -> None:
    assert reply_to(*commands) == reply
