"""A table as a process, smtpd's end of its socket pair, and the system's log."""

import socket
from pathlib import Path
from types import TracebackType

from unit.support.child import PATIENCE, Child
from unit.support.lookups import HELLO

PREAMBLE = """
from opensmtpd import log as log_module
from opensmtpd import run
from opensmtpd.options import table_parser
from opensmtpd.table import Service
from opensmtpd.table import Table
log_module._SYSLOG = {syslog!r}
"""
MAIN = """
run.table(lambda options: Some(), table_parser("table-x", "A table."))
"""


class TableChild(Child):
    """Starts a table from source text as smtpd does, with one argument.

    ``syslog`` is the socket that it takes for the system's log.
    """

    def __init__(
        self, folder: Path, source: str, *argv: str, main: str = MAIN, listen: bool = False
    ) -> None:
        path = str(folder / "log")
        self.syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.syslog.settimeout(PATIENCE)
        if listen:
            self.syslog.bind(path)
        text = PREAMBLE.format(syslog=path) + source
        super().__init__(folder, text, *(argv or ("/etc/mail/table",)), main=main)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.syslog.close()
        super().__exit__(kind, error, trace)

    def hello(self) -> bytes:
        """Shake hands; return what was registered."""
        self.send(HELLO)
        return self.until(b"register|ready\n")

    def system_log(self) -> str:
        """Return the next line of the system's log."""
        return self.syslog.recv(65536).decode()
