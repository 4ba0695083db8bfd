"""One message through one filter, in one call: for the tests of a plugin."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from unittest.mock import patch

from opensmtpd import log
from opensmtpd._protocol.filter.connection import FilterConnection
from opensmtpd.filter import Filter
from opensmtpd.testing.checks import check_bytes, check_filter
from opensmtpd.testing.driver import Driver
from opensmtpd.testing.model.client import SmtpClient
from opensmtpd.testing.model.fatal import Hung
from opensmtpd.testing.model.smtpd import Smtpd
from opensmtpd.testing.model.visit import visit


@dataclass(frozen=True)
class Outcome:
    """The fate of a message."""

    accepted: bool
    """True if smtpd took it."""
    reply: bytes
    """The last word to the client about it: ``b"550 5.7.1 You are not me"``."""
    message: bytes
    """The message as the filter let it go (``b""`` where it did not get so far), LF line ends."""
    received: bytes
    """The lines that smtpd had put on top of it before the filter saw it."""
    junk: bool
    """True if smtpd marks the session or the message as junk."""
    decisions: tuple[tuple[str, bytes], ...]
    """Every decision of the filter in order, with its phase, as smtpd got it:
    ``(("ehlo", b"proceed"), ("rcpt-to", b"reject|550 5.7.1 No"), ("rcpt-to", b"proceed"))``.

    ``dict(outcome.decisions)`` is the last one of each phase."""
    log: tuple[str, ...]
    """The lines that the filter, and the core about the filter, wrote to the log."""


def run_message(
    filter: Filter,
    message: bytes = b"Subject: test\n\nhello\n",
    *,
    version: str = "7.6.0",
    rdns: bytes = b"client.example",
    fcrdns: str = "pass",
    source: bytes = b"192.0.2.5:40721",
    helo: bytes = b"client.example",
    tls: bool = False,
    username: bytes | None = None,
    sender: bytes = b"bob@remote.example",
    recipients: Sequence[bytes] = (b"alice@example.com",),
) -> Outcome:
    """Send ``message`` through ``filter`` as one client of smtpd ``version``.

    ``username`` logs the client in, over TLS. The session ends at the first command that is
    refused, but goes on behind a refused recipient: the message is sent if any was accepted.

    Raises Fatal where the filter would stop smtpd, and Hung where it would not answer. Raises any
    exception of the filter's handlers but Refused, where smtpd would be answered 451, and
    DecisionError for an answer that smtpd would not take. Raises LocalError for a filter that
    ``run.filter`` would not start, and TypeError for a class in its place and for a message that
    is not bytes.
    """
    check_filter(filter)
    check_bytes("message", message)
    smtpd = Smtpd(version)
    connection = FilterConnection(filter)
    logged: list[str] = []

    def fail(session: bytes, handler: str, error: BaseException, *, method: object) -> None:
        failures.append(error)

    failures: list[BaseException] = []
    with (
        Driver(connection, smtpd.receive) as driver,
        patch.object(log, "emit", logged.append),
        patch.object(connection.dispatcher, "log_failure", fail),
    ):
        _settle(smtpd, driver)
        client = smtpd.connect(rdns=rdns, fcrdns=fcrdns, source=source)
        steps = visit(
            client,
            message,
            helo=helo,
            tls=tls,
            username=username,
            sender=sender,
            recipients=recipients,
        )
        reply = _talk(smtpd, driver, client, steps, failures)
    transaction = client.transactions[0] if client.transactions else None
    return Outcome(
        accepted=transaction is not None and transaction.fate == "accepted",
        reply=reply,
        message=transaction.content if transaction else b"",
        received=transaction.received if transaction else b"",
        junk=client.junk or (transaction is not None and transaction.junk),
        decisions=tuple((answer.phase, answer.text) for answer in smtpd.answers),
        log=tuple(logged),
    )


def _talk(
    smtpd: Smtpd,
    driver: Driver,
    client: SmtpClient,
    steps: Iterable[None],
    failures: Sequence[BaseException],
) -> bytes:
    """Take the client's steps, and have it leave; return the last reply to them.

    Raises the first of ``failures``, which handlers leave there.
    """
    for _ in steps:
        _settle(smtpd, driver, failures)
    reply = client.replies[-1]
    if client.connected:
        client.quit()
        _settle(smtpd, driver, failures)
    return reply


def _settle(smtpd: Smtpd, driver: Driver, failures: Sequence[BaseException] = ()) -> None:
    while data := smtpd.data_to_send():
        driver.feed(data)
    if failures:
        raise failures[0]
    if waiting := smtpd.hung():
        raise Hung(waiting)
