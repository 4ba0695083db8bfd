"""A socketmap server, a program of its own: ``socketmap_program.py FOLDER ADDRESS PORT ROWS``.

It answers requests of both forms: lines (``MAP KEY``) on the unix socket FOLDER/lines, netstrings
on FOLDER/netstrings and on ADDRESS and PORT. ROWS is a file of keys and values with a tab between;
a key counts in all maps, or is ``MAP KEY`` for one.
"""

import os
import socketserver
import sys
import threading
from pathlib import Path

ROWS = dict(line.split(b"\t", 1) for line in Path(sys.argv[4]).read_bytes().splitlines())
MAX = 100_000


def reply(request: bytes) -> bytes:
    """Return what is said to ``MAP KEY``; a value may say ``TEMP why``, for instance."""
    value = ROWS.get(request, ROWS.get(request.partition(b" ")[2]))
    if value is None:
        return b"NOTFOUND "
    known = (b"TEMP ", b"TIMEOUT ", b"PERM ")
    return value if value.startswith(known) else b"OK " + value


class Lines(socketserver.StreamRequestHandler):
    """The form of the table in C."""

    def handle(self) -> None:
        """Answer until the client hangs up."""
        for line in self.rfile:
            self.wfile.write(reply(line.rstrip(b"\n")) + b"\n")


class Netstrings(socketserver.StreamRequestHandler):
    """The form of Postfix and Sendmail."""

    def handle(self) -> None:
        """Answer until the client hangs up, or sends what is none."""
        while digits := self._until_colon():
            if not digits.isdigit() or int(digits) > MAX:
                return
            request = self.rfile.read(int(digits) + 1)[:-1]
            said = reply(request)
            self.wfile.write(b"%d:%s," % (len(said), said))

    def _until_colon(self) -> bytes:
        digits = b""
        while (byte := self.rfile.read(1)) not in (b":", b""):
            digits += byte
        return digits


class Unix(socketserver.ThreadingUnixStreamServer):
    """Many clients at once."""

    daemon_threads = True


class Tcp(socketserver.ThreadingTCPServer):
    """Many clients at once."""

    daemon_threads = True
    allow_reuse_address = True


def main(folder: str, address: str, port: str, rows: str) -> None:
    """Serve until killed."""
    servers: list[socketserver.BaseServer] = [Tcp((address, int(port)), Netstrings)]
    for name, handler in (("netstrings", Netstrings), ("lines", Lines)):
        path = f"{folder}/{name}"
        Path(path).unlink(missing_ok=True)
        servers.append(Unix(path, handler))
        os.chmod(path, 0o666)
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
