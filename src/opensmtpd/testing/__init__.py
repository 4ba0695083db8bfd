"""The test kit: smtpd as filters and tables see it, without smtpd.

- ``run_message`` sends one message through a filter and returns its fate;
- ``Smtpd`` is a model of the server, for tests that want every step in their hands; it raises
  ``Fatal`` where the real one would stop. ``Driver`` moves the bytes between it and a filter;
- ``Transcript`` and ``replay`` feed the recording of a real server to a filter;
- ``replay_capture`` does so with a capture of filter-record or table-record;
- ``ask`` asks a table one thing; ``TableSmtpd`` is the model of the server that asks tables;
- ``served`` calls a plugin's ``start`` and ``stop``, and has all between them on one asyncio loop;
- ``filter_connection`` and ``table_connection`` put a filter or a table behind the protocol, for
  ``Driver`` and ``replay``;
- ``Zone`` is a DNS of plain data;
- ``Faulty`` is a worker process that dies, hangs or talks nonsense when it is told to.
"""

from opensmtpd.testing.capture_run import CaptureReplay, replay_capture
from opensmtpd.testing.connection import filter_connection, table_connection
from opensmtpd.testing.driver import Driver
from opensmtpd.testing.event_loop import served
from opensmtpd.testing.faulty import Faulty
from opensmtpd.testing.message_run import Outcome, run_message
from opensmtpd.testing.model.answers import FilterLine
from opensmtpd.testing.model.client import SmtpClient
from opensmtpd.testing.model.fatal import Fatal, Hung
from opensmtpd.testing.model.smtpd import Smtpd
from opensmtpd.testing.model.table_smtpd import TableReply, TableSmtpd
from opensmtpd.testing.model.transaction import Transaction
from opensmtpd.testing.table_run import ask
from opensmtpd.testing.transcript import Replay, Transcript, replay
from opensmtpd.testing.zone import Zone

__all__ = [
    "CaptureReplay",
    "Driver",
    "Fatal",
    "Faulty",
    "FilterLine",
    "Hung",
    "Outcome",
    "Replay",
    "SmtpClient",
    "Smtpd",
    "TableReply",
    "TableSmtpd",
    "Transaction",
    "Transcript",
    "Zone",
    "ask",
    "filter_connection",
    "replay",
    "replay_capture",
    "run_message",
    "served",
    "table_connection",
]
