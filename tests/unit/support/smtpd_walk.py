"""Walks a client of the modelled smtpd to where a test wants it, without a filter."""

from collections.abc import Callable

from opensmtpd.testing import SmtpClient, Smtpd

VERSIONS = ["6.8.0", "7.6.0", "7.9.0"]
EVERYTHING = (
    b"register|report|smtp-in|*\n"
    + b"".join(
        b"register|filter|smtp-in|%s\n" % phase
        for phase in b"connect helo ehlo starttls auth mail-from rcpt-to data data-line"
        b" rset quit noop help commit".split()
    )
    + b"register|ready\n"
)

Write = Callable[[Smtpd, bytes], None]
"""Hands a filter's bytes to smtpd, cut in some way."""


def proceed(smtpd: Smtpd, client: SmtpClient) -> None:
    smtpd.receive(answer(smtpd, client, b"proceed"))


def answer(smtpd: Smtpd, client: SmtpClient, decision: bytes) -> bytes:
    return b"filter-result|%s|%s|%s\n" % (client.id, smtpd.token(client.phase), decision)


def at_phase(smtpd: Smtpd, phase: str) -> SmtpClient:
    """Return a client that waits for the answer to ``phase``."""
    client = smtpd.connect()
    steps = ["connect", "ehlo", "mail", "rcpt", "data", "commit"]
    for step in steps:
        if step == "commit":
            client.send(b"Subject: hi\n\nhello\n")
            token = smtpd.token("data-line")
            smtpd.receive(
                b"filter-dataline|%s|%s|hello\nfilter-dataline|%s|%s|.\n"
                % (client.id, token, client.id, token)
            )
        elif step != "connect":
            getattr(client, step)()
        if client.phase == phase:
            return client
        proceed(smtpd, client)
    raise AssertionError(phase)


def in_data(smtpd: Smtpd) -> SmtpClient:
    client = at_phase(smtpd, "data")
    proceed(smtpd, client)
    assert client.in_data
    return client
