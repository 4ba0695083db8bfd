"""The blocking loop of tables: read, answer, write, while no answer has to be waited for."""

import os
import time

from opensmtpd._protocol.table.connection import TableConnection
from opensmtpd._runtime.watchdog import Watchdog
from opensmtpd.errors import SmtpdGone

READ = 16 * 1024
"""Bytes of one read: many requests."""


def serve_blocking(connection: TableConnection, stdin: int, stdout: int) -> None:
    """Serve until there is a job to wait for. Raises SmtpdGone, and VersionError at start.

    smtpd asks and waits, so there is nothing to poll for: a lookup costs one read and one write.
    """
    watchdog = Watchdog(connection.dispatcher)
    while not connection.busy:
        try:
            data = os.read(stdin, READ)
        except OSError:
            data = b""
        if not data:
            raise SmtpdGone
        watchdog.watch()
        connection.receive(data, time.monotonic())
        rest = connection.data_to_send()
        while rest:
            try:
                rest = rest[os.write(stdout, rest) :]
            except OSError:
                raise SmtpdGone from None
