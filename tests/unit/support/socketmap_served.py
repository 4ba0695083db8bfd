"""The socketmap server of the lab, as a process beside a test without a lab."""

import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from lab.peers.databases.socketmap import PROGRAM

START_SECONDS = 30.0


class SocketmapServed:
    """``with SocketmapServed(folder, rows) as server:`` serves ``server.place(form)``."""

    def __init__(self, folder: Path, rows: Mapping[bytes, bytes]) -> None:
        self._folder, self._rows = folder, folder / "rows"
        self._rows.write_bytes(b"".join(b"%s\t%s\n" % row for row in rows.items()))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill9()

    def place(self, form: str) -> str:
        """Return the path of the socket for a form."""
        return str(self._folder / {"line": "lines", "netstring": "netstrings"}[form])

    def start(self) -> None:
        """Start it, and wait until it takes connections at both sockets."""
        sockets = [Path(self.place(form)) for form in ("line", "netstring")]
        for each in sockets:
            each.unlink(missing_ok=True)
        place = (str(self._folder), "127.0.0.1", "0", str(self._rows))
        command = [sys.executable, str(PROGRAM), *place]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        end = time.monotonic() + START_SECONDS
        while not all(map(_listens, sockets)):
            assert self._process.poll() is None, "it does not start"
            assert time.monotonic() < end, "it has no sockets"
            time.sleep(0.02)

    def kill9(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def restart(self) -> None:
        """End it, and start it anew."""
        self.kill9()
        self.start()


def _listens(path: Path) -> bool:
    """Return whether a connection is taken: a socket has its name before anybody listens."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0
