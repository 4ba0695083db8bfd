"""The test kit: smtpd as filters and tables see it, without smtpd.

- ``run_message`` sends one message through a filter and returns its fate;
- ``Smtpd`` is a model of the server, for tests that want every step in their hands; it raises
  ``Fatal`` where the real one would stop. ``Driver`` moves the bytes between it and a filter;
- ``Transcript`` and ``replay`` feed the recording of a real server to a filter;
- ``ask`` asks a table one thing; ``TableSmtpd`` is the model of the server that asks tables.
"""

from opensmtpd.testing.driver import Driver
from opensmtpd.testing.message_run import Outcome, run_message
from opensmtpd.testing.model.answers import FilterLine
from opensmtpd.testing.model.client import SmtpClient
from opensmtpd.testing.model.fatal import Fatal, Hung
from opensmtpd.testing.model.judge import Judge, Request
from opensmtpd.testing.model.smtpd import Smtpd
from opensmtpd.testing.model.table_smtpd import TableReply, TableRequest, TableSmtpd
from opensmtpd.testing.model.transaction import Transaction
from opensmtpd.testing.table_run import ask
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
