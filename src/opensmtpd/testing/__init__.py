"""The test kit: smtpd as filters and tables see it, without smtpd.

- ``run_message`` sends one message through a filter and returns its fate;
- ``Smtpd`` is a model of the server, for tests that want every step in their hands; it raises
  ``Fatal`` where the real one would stop. ``Driver`` moves the bytes between it and a filter;
- ``Transcript`` and ``replay`` feed the recording of a real server to a filter;
- ``ask`` asks a table one thing; ``TableSmtpd`` is the model of the server that asks tables.
"""

from opensmtpd.testing.answers import FilterLine
from opensmtpd.testing.client import SmtpClient
from opensmtpd.testing.drive import Driver
from opensmtpd.testing.fatal import Fatal, Hung
from opensmtpd.testing.judge import Judge, Request
from opensmtpd.testing.message_run import Outcome, run_message
from opensmtpd.testing.smtpd import Smtpd
from opensmtpd.testing.table_run import ask
from opensmtpd.testing.tables import TableReply, TableRequest, TableSmtpd
from opensmtpd.testing.transaction import Transaction
from opensmtpd.testing.transcript import Replay, Transcript, replay

__all__ = [
    "Driver",
    "Fatal",
    "FilterLine",
    "Hung",
    "Judge",
    "Outcome",
    "Replay",
    "Request",
    "SmtpClient",
    "Smtpd",
    "TableReply",
    "TableRequest",
    "TableSmtpd",
    "Transaction",
    "Transcript",
    "ask",
    "replay",
    "run_message",
]
