"""A socketmap server: a program of our own, for Debian has none that answers from rows."""

import shutil
import signal
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from lab.peers.databases.server import DatabaseServer

PROGRAM = Path(__file__).with_name("socketmap_program.py")
ROWS = "/etc/socketmap.rows"


class SocketmapServer(DatabaseServer):
    """Unix sockets ``lines`` (the form of the table in C) and ``netstrings`` in /run/socketmap;
    port 8090 takes netstrings. Any name of a map will do.
    """

    name, user = "socketmap", "nobody"
    port = tls_port = 8090
    folder, socket_name = "/run/socketmap", "lines"
    ending = signal.SIGKILL

    def _lay_out(self) -> None:
        shutil.copy(PROGRAM, self.view / "usr/local/bin/socketmap")
        self.rows([])

    def _command(self) -> list[str]:
        return ["setpriv", "--reuid=nobody", "--clear-groups",
                "python3", "/usr/local/bin/socketmap",
                self.folder, self.address, str(self.port), ROWS]  # fmt: skip

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
            client.connect(str(self.socket))
            return True
        return False

    def rows(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Have these rows, and restart. A value may be a whole reply, ``TEMP why`` say."""
        lines = b"".join(b"%s\t%s\n" % row for row in rows)
        (self.view / ROWS[1:]).write_bytes(lines)
        if self.running:
            self.restart()
