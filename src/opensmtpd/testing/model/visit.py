"""The steps of a client with one message, for a filter in this process or in another."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice

from opensmtpd.testing.model.client import SmtpClient, on_the_wire

PIECE = 500
"""Lines of a message that are sent at once."""


def refused(client: SmtpClient) -> bool:
    """Return whether the last reply refused something."""
    return client.replies[-1][:1] not in (b"2", b"3")


def visit(
    client: SmtpClient,
    message: bytes,
    *,
    helo: bytes,
    tls: bool,
    username: bytes | None,
    sender: bytes,
    recipients: Sequence[bytes],
) -> Iterator[None]:
    """Have a client who has just connected send a message.

    At each ``yield`` it waits for an answer to its last step. It gives up at the first refusal; of
    its recipients, when none is left.
    """
    yield
    for command in _opening(client, helo, tls, username, sender):
        if refused(client):
            return
        command()
        yield
    for recipient in recipients:
        if not client.transaction:  # there is none without a sender, and with a client that is gone
            return
        client.rcpt(recipient)
        yield
    if not client.transaction or not client.transaction.recipients:
        return
    client.data()
    yield
    lines = on_the_wire(message)
    while client.in_data:
        for line in islice(lines, PIECE):
            if client.connected:
                client.line(line)
        yield


def _opening(
    client: SmtpClient, helo: bytes, tls: bool, username: bytes | None, sender: bytes
) -> Iterable[Callable[[], None]]:
    yield partial(client.ehlo, helo)
    if tls or username is not None:
        yield client.starttls
        yield partial(client.ehlo, helo)
    if username is not None:
        yield partial(client.auth, username)
    yield partial(client.mail, sender)
